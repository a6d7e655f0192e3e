//! Test numbers where messages are really sent.

use std::net::Ipv4Addr;

use async_trait::async_trait;
use kit::{
    client::{Outgoing, channel},
    clock::HeldClock,
    random::SystemRandom,
    settings::SecretKey,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    challenges::{BareCodes, ChallengeRules, memory::MemoryChallenges, store::PhoneLimits},
    key_ring::KeyRing,
    sms::QueueFull,
    tokens::TokenRules,
};

/// A real delivery that has no room.
struct FullQueue;

#[async_trait]
impl SmsSender for FullQueue {
    fn place(&self) -> Result<Place, QueueFull> {
        Err(QueueFull)
    }

    async fn hand_over(&self, _: Place, _: Message, _: UnixMillis) -> Result<(), NotSent> {
        panic!("nothing is to be sent");
    }

    async fn entered(&self, _: ChallengeId, _: UnixMillis) {}

    fn disclosure(&self) -> Disclosure {
        Disclosure::Nowhere
    }
}

/// The example of RFC 8037, appendix A.
const SIGNING_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";
/// 2026-11-25, at noon.
const NOW: UnixMillis = UnixMillis(1_795_608_000_000);
/// Possible, but in a range that is not given out.
const NOBODYS: &str = "+71234567890";
const SOMEBODYS: &str = "+77777777766";

async fn auth(folder: &std::path::Path, clock: Arc<HeldClock>) -> Auth {
    kit::crypto::install();
    let database = format!("sqlite://{}", folder.join("auth.db").display());
    let random = Arc::new(SystemRandom::default());
    let hasher = Arc::new(Hasher::new(&SecretKey::new([1; 32])));
    let rules = ChallengeRules {
        code_length: 4,
        lifetime: Duration::from_secs(120),
        short_in_a_row: 3,
        bare_codes: BareCodes::On,
        phone_limits: PhoneLimits {
            per_phone: 1,
            per_phone_and_address: 1,
            gap: Duration::from_secs(30),
        },
        starts_per_client: 1,
        failures_per_client: 30,
    };
    let token_rules = TokenRules {
        issuer: "customauth".to_owned(),
        audience: "customauth".to_owned(),
        access_lifetime: Duration::from_secs(600),
    };
    let keys = Arc::new(KeyRing::open(SIGNING_KEY).unwrap());
    let nobody = "http://127.0.0.1:1".parse().unwrap();
    Auth {
        challenges: Arc::new(Challenges::new(
            Arc::new(MemoryChallenges::default()),
            hasher.clone(),
            rules,
            random.clone(),
        )),
        users: Users::open(&database.parse().unwrap(), CancellationToken::new())
            .await
            .unwrap(),
        profiles: Profiles::new(channel("nobody", &nobody, Outgoing::default())),
        sms: Arc::new(FullQueue),
        texts: Arc::new(Texts::built_in().unwrap()),
        test_numbers: TestNumbers::read("+71234567890=567890", "2026-11-25", NOW).unwrap(),
        tokens: Arc::new(Tokens::new(keys, token_rules, random.clone())),
        hasher,
        phone_check: PhoneCheck::Valid,
        clock,
        random,
    }
}

fn asked(phone: &str) -> CodeRequest {
    CodeRequest {
        phone: phone.to_owned(),
        invited_by: None,
        client: Ipv4Addr::LOCALHOST.into(),
        language: None,
    }
}

#[tokio::test]
async fn nothing_is_sent_and_nothing_told_until_the_day_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(HeldClock::new(NOW));
    let auth = auth(folder.path(), clock.clone()).await;
    for _ in 0..10 {
        let requested = auth.request_code(asked(NOBODYS)).await.unwrap();
        assert_eq!(requested.simulated_code, None);
        assert_eq!(requested.code_length, 6);
        assert_eq!(requested.expires_at, NOW.after(Duration::from_secs(120)));
        let code = Code::parse("567890").unwrap();
        let answered = auth.challenges.answer(
            Carrier::Id(requested.challenge_id),
            &code,
            Ipv4Addr::LOCALHOST.into(),
            NOW,
        );
        assert!(answered.await.unwrap().is_some());
    }
    // Others are as they were.
    let refused = auth.request_code(asked(SOMEBODYS)).await;
    assert!(matches!(refused, Err(Error::SmsQueueFull(_))));
    let refused = auth.request_code(asked("+71234567891")).await;
    assert!(matches!(refused, Err(Error::PhoneNumberInvalid)));
    // And so is this one from the next day on.
    clock.advance(Duration::from_hours(12) - Duration::from_millis(1));
    assert!(auth.request_code(asked(NOBODYS)).await.is_ok());
    clock.advance(Duration::from_millis(1));
    let refused = auth.request_code(asked(NOBODYS)).await;
    assert!(matches!(refused, Err(Error::PhoneNumberInvalid)));
}
