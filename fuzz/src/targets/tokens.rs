//! Tokens: nothing is taken that was not issued here.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use auth_service::{mac::Hasher, refresh_token::RefreshToken};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue};
use jsonwebtoken::DecodingKey;
use kit::{
    access_token::{AccessClaims, AccessTokenVerifier, KeyFinder},
    clock::{HeldClock, UnixMillis},
    random::Random,
    service_token::{METADATA_KEY, ServiceTokenSigner, ServiceTokenVerifier},
    settings::SecretKey,
};
use proto::{Reason, Refusal};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde::Deserialize;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use super::{at_once, first_line, text};

/// The time at which tokens are read, in seconds.
const NOW: i64 = 1_000_000;
const KID: &str = "k";
const ISSUER: &str = "issuer";
const AUDIENCE: &str = "audience";
const CALLEE: &str = "auth-service";
const SECRET: [u8; 32] = [7; 32];

/// What stands in claims and headers.
pub(crate) const CLAIM_WORDS: &[&str] = &[
    r#""exp":"#,
    r#""iat":"#,
    r#""nbf":9999999"#,
    r#""aud":["audience","auth-service"]"#,
    r#""alg":"none""#,
    r#""alg":"HS256""#,
    r#""alg":"EdDSA""#,
    r#""typ":"at+jwt""#,
    r#""typ":"svc+jwt""#,
    r#""crit":["exp"]"#,
    r#""b64":false"#,
    r#""jwk":{}"#,
    "9223372036854775807",
    "-9223372036854775808",
    "1000000.5",
    "null",
    "[]",
    "{}",
];

/// Randomness that is none, so that a seed is the same each time.
struct Same;

impl Random for Same {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(9);
    }
}

struct OneKey(DecodingKey);

#[async_trait]
impl KeyFinder for OneKey {
    async fn find(&self, kid: &str) -> Result<Option<DecodingKey>, Refusal> {
        Ok((kid == KID).then(|| self.0.clone()))
    }
}

fn clock() -> Arc<HeldClock> {
    Arc::new(HeldClock::new(UnixMillis(NOW * 1000)))
}

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&SECRET).unwrap());

static USERS: LazyLock<AccessTokenVerifier> = LazyLock::new(|| {
    kit::crypto::install();
    let public = URL_SAFE_NO_PAD.encode(PAIR.public_key());
    let key = OneKey(DecodingKey::from_ed_components(&public).unwrap());
    AccessTokenVerifier::new(Arc::new(key), ISSUER, AUDIENCE, clock())
});

static SERVICES: LazyLock<ServiceTokenVerifier> = LazyLock::new(|| {
    kit::crypto::install();
    ServiceTokenVerifier::new(&SecretKey::new(SECRET), CALLEE, clock())
});

static HASHER: LazyLock<Hasher> = LazyLock::new(|| Hasher::new(&SecretKey::new(SECRET)));

/// The two tokens that were issued: one that is good, and one that was.
static ISSUED: LazyLock<[String; 2]> =
    LazyLock::new(|| [NOW + 1, NOW].map(|exp| claims(exp).sign(KID, &PAIR).unwrap()));

static MINTED: LazyLock<String> = LazyLock::new(|| {
    kit::crypto::install();
    let key = SecretKey::new(SECRET);
    let signer = ServiceTokenSigner::new(&key, "gateway", CALLEE, clock());
    signer.token().unwrap().to_str().unwrap().to_owned()
});

static REFRESH: LazyLock<[String; 2]> = LazyLock::new(|| {
    let first = RefreshToken::draw(Uuid::from_u128(7), &HASHER, &Same);
    let second = first.successor(&SECRET, &HASHER);
    [first.to_text(), second.to_text()]
});

/// A private key in PKCS#8: an Ed25519 key (RFC 8410, section 7) is this and
/// its seed.
pub(crate) fn private_key() -> Vec<u8> {
    let head = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    [&head[..], &SECRET].concat()
}

fn claims(exp: i64) -> AccessClaims {
    AccessClaims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: Uuid::from_u128(1),
        sid: Uuid::from_u128(2),
        phone_number: "+77777777766".to_owned(),
        iat: NOW,
        exp,
        jti: Uuid::from_u128(3),
    }
}

/// `None` when these bytes cannot stand in a header.
fn metadata(key: &'static str, value: &[u8]) -> Option<MetadataMap> {
    let mut headers = HeaderMap::new();
    headers.insert(key, HeaderValue::from_bytes(value).ok()?);
    Some(MetadataMap::from_headers(headers))
}

fn caller(authorization: &[u8]) -> Option<Result<AccessClaims, Reason>> {
    let map = metadata("authorization", authorization)?;
    let caller = at_once(USERS.caller(&map));
    Some(caller.map_err(|refusal| Reason::of(&refusal.into_status()).unwrap()))
}

/// `Authorization`: only the token that was issued is taken, to the letter.
pub(crate) fn access_token(data: &[u8]) -> bool {
    let [good, late] = &*ISSUED;
    match caller(data) {
        None => false,
        Some(Ok(caller)) => {
            let value = text(data);
            let (scheme, token) = value.trim().split_once(' ').unwrap();
            assert!(scheme.eq_ignore_ascii_case("bearer"));
            assert_eq!(token.trim_start(), good);
            assert_eq!(caller, claims(NOW + 1));
            true
        }
        Some(Err(Reason::TokenExpired)) => {
            assert!(text(data).contains(late), "nobody signed this");
            true
        }
        Some(Err(reason)) => {
            assert_eq!(reason, Reason::TokenInvalid);
            false
        }
    }
}

pub(crate) fn access_token_seeds() -> Vec<Vec<u8>> {
    let bearer = |token: &String| format!("Bearer {token}").into_bytes();
    ISSUED.iter().map(bearer).collect()
}

/// A header and claims, signed with the right key: what is taken says all that
/// it has to say.
pub(crate) fn access_claims(data: &[u8]) -> bool {
    let (header, payload) = first_line(data);
    let signed = signed_part(header, payload);
    let signature = URL_SAFE_NO_PAD.encode(PAIR.sign(signed.as_bytes()));
    match caller(format!("Bearer {signed}.{signature}").as_bytes()) {
        Some(Ok(caller)) => {
            let said = Said::of(header, payload);
            assert_eq!(said.header.alg, "EdDSA");
            assert_eq!(said.header.typ, "at+jwt");
            assert_eq!(said.header.kid.as_deref(), Some(KID));
            assert_eq!(said.claims.iss, ISSUER);
            assert_eq!(said.claims.aud, AUDIENCE);
            assert!(said.claims.exp > NOW);
            assert_eq!(said.claims.sub, Some(caller.sub));
            true
        }
        Some(Err(reason)) => {
            assert!(matches!(
                reason,
                Reason::TokenInvalid | Reason::TokenExpired
            ));
            false
        }
        None => panic!("base64 fits into a header"),
    }
}

pub(crate) fn access_claims_seeds() -> Vec<Vec<u8>> {
    let header = br#"{"typ":"at+jwt","alg":"EdDSA","kid":"k"}"#;
    let seed = |exp| [&header[..], &serde_json::to_vec(&claims(exp)).unwrap()].join(&b'\n');
    vec![seed(NOW + 600), seed(NOW)]
}

/// What a token that was taken says.
struct Said {
    header: Header,
    claims: Claims,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Option<Uuid>,
    iat: Option<i64>,
    exp: i64,
}

impl Said {
    fn of(header: &[u8], claims: &[u8]) -> Self {
        Self {
            header: serde_json::from_slice(header).unwrap(),
            claims: serde_json::from_slice(claims).unwrap(),
        }
    }
}

fn signed_part(header: &[u8], payload: &[u8]) -> String {
    let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{payload}")
}

/// `x-service-token`: only the token that was minted is taken, to the letter.
pub(crate) fn service_token(data: &[u8]) -> bool {
    let Some(map) = metadata(METADATA_KEY, data) else {
        return false;
    };
    let Ok(caller) = SERVICES.require(&map) else {
        return false;
    };
    assert_eq!(caller, "gateway");
    assert_eq!(text(data), *MINTED);
    true
}

pub(crate) fn service_token_seeds() -> Vec<Vec<u8>> {
    vec![MINTED.clone().into_bytes()]
}

/// The same, signed with the right key: it is meant for this service, for this
/// use, and for no longer than a minute.
pub(crate) fn service_claims(data: &[u8]) -> bool {
    let (header, payload) = first_line(data);
    let signed = signed_part(header, payload);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    let map = metadata(METADATA_KEY, format!("{signed}.{signature}").as_bytes());
    let Ok(caller) = SERVICES.require(&map.unwrap()) else {
        return false;
    };
    let said = Said::of(header, payload);
    assert_eq!(said.header.alg, "HS256");
    assert_eq!(said.header.typ, "svc+jwt");
    assert_eq!(said.claims.aud, CALLEE);
    assert_eq!(said.claims.iss, caller);
    let (iat, exp) = (said.claims.iat.unwrap(), said.claims.exp);
    // 30 seconds are what two clocks may differ by.
    assert!(exp - iat <= 60 && iat <= NOW + 30 && exp > NOW - 30);
    true
}

/// A refresh token: only one that was issued is taken, to the letter.
pub(crate) fn refresh_token(data: &[u8]) -> bool {
    let input = text(data);
    let Some(token) = RefreshToken::parse(&input, &HASHER) else {
        return false;
    };
    assert!(REFRESH.contains(&input.clone().into_owned()));
    assert_eq!(token.to_text(), input);
    assert_eq!(token.session_id(), Uuid::from_u128(7));
    assert_eq!(format!("{token:?}"), "RefreshToken");
    true
}

pub(crate) fn refresh_token_seeds() -> Vec<Vec<u8>> {
    REFRESH.iter().map(|token| token.clone().into()).collect()
}
