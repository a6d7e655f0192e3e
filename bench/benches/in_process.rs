//! The pieces that are done inside one process, each alone.

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use auth_service::{
    challenges::{
        BareCodes, Carrier, ChallengeRules, Challenges, memory::MemoryChallenges,
        store::PhoneLimits,
    },
    code::Code,
    mac::Hasher,
    phone::{PhoneCheck, PhoneNumber},
    refresh_token::RefreshToken,
    signing_keys::SigningKeys,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jsonwebtoken::DecodingKey;
use kit::{
    access_token::{AccessClaims, AccessTokenVerifier, KeyFinder},
    clock::{Clock as _, SystemClock},
    random::SystemRandom,
    service_token::{METADATA_KEY, ServiceTokenSigner, ServiceTokenVerifier},
    settings::SecretKey,
};
use prost::Message as _;
use proto::{Refusal, profile::v1::GetProfileResponse};
use tonic::metadata::MetadataMap;
use uuid::Uuid;

/// The example of RFC 8037, appendix A.
const SIGNING_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";

struct Keys(SigningKeys);

#[async_trait]
impl KeyFinder for Keys {
    async fn find(&self, kid: &str) -> Result<Option<DecodingKey>, Refusal> {
        Ok(self.0.public(kid))
    }
}

fn keys() -> SigningKeys {
    kit::crypto::install();
    SigningKeys::from_pem(SIGNING_KEY).unwrap_or_else(|error| panic!("{error}"))
}

fn claims() -> AccessClaims {
    let now = SystemClock.now().seconds();
    AccessClaims {
        iss: "customauth".to_owned(),
        aud: "customauth".to_owned(),
        sub: Uuid::from_u128(1),
        sid: Uuid::from_u128(2),
        phone_number: "+77777777766".to_owned(),
        iat: now,
        exp: now + 600,
        jti: Uuid::from_u128(3),
    }
}

fn with(name: &'static str, value: &str) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    let value = value.parse();
    metadata.insert(name, value.unwrap_or_else(|_| panic!("no ASCII")));
    metadata
}

fn access_tokens(criterion: &mut Criterion) {
    let keys = keys();
    let signed = |claims: &AccessClaims| {
        let (kid, key) = keys.signing();
        let token = claims.sign(kid, key);
        token.unwrap_or_else(|error| panic!("{error}"))
    };
    let claims = claims();
    criterion.bench_function("access token, signed", |bencher| {
        bencher.iter(|| signed(black_box(&claims)));
    });
    let metadata = with("authorization", &format!("Bearer {}", signed(&claims)));
    let keys = Arc::new(Keys(self::keys()));
    let verifier = || {
        let clock = Arc::new(SystemClock);
        AccessTokenVerifier::new(keys.clone(), "customauth", "customauth", clock)
    };
    let check = |verifier: &AccessTokenVerifier| {
        let whose = ready(verifier.caller(black_box(&metadata)));
        assert!(whose.is_ok());
    };
    criterion.bench_function("access token, for the first time", |bencher| {
        bencher.iter_batched(verifier, |it| check(&it), BatchSize::SmallInput);
    });
    let seen = verifier();
    criterion.bench_function("access token, seen before", |bencher| {
        bencher.iter(|| check(&seen));
    });
}

fn service_tokens(criterion: &mut Criterion) {
    kit::crypto::install();
    let (key, clock) = (SecretKey::new([1; 32]), Arc::new(SystemClock));
    let signer = ServiceTokenSigner::new(&key, "gateway", "auth-service", clock.clone());
    let verifier = ServiceTokenVerifier::new(&key, "auth-service", clock);
    let token = || signer.token().unwrap_or_else(|error| panic!("{error}"));
    criterion.bench_function("service token, at hand", |bencher| bencher.iter(token));
    let token = token();
    let metadata = with(METADATA_KEY, token.to_str().unwrap_or_default());
    criterion.bench_function("service token, seen before", |bencher| {
        bencher.iter(|| assert!(verifier.require(black_box(&metadata)).is_ok()));
    });
}

fn parsing(criterion: &mut Criterion) {
    auth_service::phone::warm_up();
    criterion.bench_function("phone number, read", |bencher| {
        bencher.iter(|| PhoneNumber::parse(black_box("+77777777766"), PhoneCheck::Possible));
    });
    let (hasher, random) = (
        Hasher::new(&SecretKey::new([1; 32])),
        SystemRandom::default(),
    );
    criterion.bench_function("refresh token, drawn and hashed", |bencher| {
        bencher.iter(|| RefreshToken::draw(Uuid::from_u128(1), &hasher, &random).hash());
    });
    let text = RefreshToken::draw(Uuid::from_u128(1), &hasher, &random).to_text();
    criterion.bench_function("refresh token, read", |bencher| {
        bencher.iter(|| RefreshToken::parse(black_box(&text), &hasher));
    });
}

fn json(criterion: &mut Criterion) {
    for followers in [0, 20, 1_000] {
        let answered = GetProfileResponse {
            user_id: Uuid::from_u128(1).to_string(),
            phone_number: "+77777777766".to_owned(),
            invite_code: "l87zwp".to_owned(),
            followers: (0..followers)
                .map(|each| format!("+{}", 77_080_000_000_u64 + each))
                .collect(),
            ..GetProfileResponse::default()
        }
        .encode_to_vec();
        let name = format!("profile with {followers} followers, from gRPC's bytes to JSON");
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| {
                let message = GetProfileResponse::decode(black_box(&*answered));
                let message = message.unwrap_or_else(|error| panic!("{error}"));
                serde_json::to_vec(&gateway::Profile::from(message))
            });
        });
    }
}

fn challenges(criterion: &mut Criterion) {
    let rules = ChallengeRules {
        code_length: 4,
        lifetime: Duration::from_secs(120),
        short_in_a_row: u32::MAX,
        bare_codes: BareCodes::On,
        phone_limits: PhoneLimits {
            per_phone: u32::MAX,
            per_phone_and_address: u32::MAX,
            gap: Duration::ZERO,
        },
        starts_per_client: u32::MAX,
        failures_per_client: u32::MAX,
    };
    let challenges = Challenges::new(
        Arc::new(MemoryChallenges::default()),
        Arc::new(Hasher::new(&SecretKey::new([1; 32]))),
        rules,
        Arc::new(SystemRandom::default()),
    );
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let phone = PhoneNumber::from_stored("+77777777766".to_owned());
    let start = || {
        let now = SystemClock.now();
        let started = challenges.start(&phone, None, client, Duration::ZERO, now);
        ready(started).unwrap_or_else(|error| panic!("{error}"))
    };
    let answer = |carrier, code: &Code| {
        let answered = challenges.answer(carrier, code, client, SystemClock.now());
        ready(answered).unwrap_or_else(|error| panic!("{error}"))
    };
    criterion.bench_function(
        "challenge in process, started, answered and spent",
        |bencher| {
            bencher.iter(|| {
                let started = start();
                let matched = answer(Carrier::Bare, &started.code);
                let matched = matched.unwrap_or_else(|| panic!("the right code"));
                ready(challenges.spend(&matched, &started.code));
            });
        },
    );
    let started = start();
    criterion.bench_function("challenge in process, right code by name", |bencher| {
        bencher.iter(|| assert!(answer(Carrier::Id(started.id), &started.code).is_some()));
    });
    let wrong = Code::parse("99999999").unwrap_or_else(|| panic!("a code"));
    criterion.bench_function("challenge in process, wrong code by name", |bencher| {
        bencher.iter(|| assert!(answer(Carrier::Id(started.id), &wrong).is_none()));
    });
}

/// What is ready at once: nothing in process waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).as_mut().poll(&mut context) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

criterion_group!(
    pieces,
    access_tokens,
    service_tokens,
    parsing,
    json,
    challenges
);
criterion_main!(pieces);
