//! How services know each other: a short-lived JWT in the metadata
//! `x-service-token`, signed with a key that only caller and callee have.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderName, HeaderValue};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use proto::{Reason, Refusal};
use serde::{Deserialize, Serialize};
use tonic::metadata::MetadataMap;

use crate::{clock::Clock, settings::SecretKey, verified::Verified};

/// The metadata key that carries it.
pub const METADATA_KEY: &str = "x-service-token";
/// The same as a header that is written: a text would be copied each time.
pub(crate) const HEADER: HeaderName = HeaderName::from_static(METADATA_KEY);
/// The `typ` of its header: no user's token has it.
const TYPE: &str = "svc+jwt";
/// How long a minted token is good, in seconds.
const LIFETIME: i64 = 60;
/// For how long it is sent, in seconds: at its last it has as long to live.
const SENT_FOR: i64 = LIFETIME / 2;
/// How far the clocks of two machines may be apart, in seconds.
const LEEWAY: i64 = 30;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

/// Mints tokens for calls to one service.
#[derive(Clone)]
pub struct ServiceTokenSigner {
    key: EncodingKey,
    issuer: &'static str,
    audience: &'static str,
    clock: Arc<dyn Clock>,
    /// The last token, and when it was minted: seconds since the Unix epoch.
    last: Arc<Mutex<Option<(HeaderValue, i64)>>>,
}

impl ServiceTokenSigner {
    /// Tokens by which `issuer` calls `audience`.
    pub fn new(
        key: &SecretKey,
        issuer: &'static str,
        audience: &'static str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            key: EncodingKey::from_secret(key.bytes()),
            issuer,
            audience,
            clock,
            last: Arc::default(),
        }
    }

    /// A token that is good for half a minute at least.
    ///
    /// # Errors
    /// When none can be made: never with a key of this crate.
    pub fn token(&self) -> anyhow::Result<HeaderValue> {
        let now = self.clock.now().seconds();
        // It is whole at every moment, so a panic elsewhere spoils nothing.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, minted)) = &*last
            && (0..SENT_FOR).contains(&now.saturating_sub(*minted))
        {
            return Ok(token.clone());
        }
        let token = HeaderValue::try_from(self.mint(now)?)?;
        *last = Some((token.clone(), now));
        Ok(token)
    }

    fn mint(&self, now: i64) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: self.issuer.to_owned(),
            aud: self.audience.to_owned(),
            iat: now,
            exp: now + LIFETIME,
        };
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        jsonwebtoken::encode(&header, &claims, &self.key)
    }
}

/// Checks the tokens of those who call this service.
pub struct ServiceTokenVerifier {
    key: DecodingKey,
    validation: Validation,
    clock: Arc<dyn Clock>,
    verified: Verified<Claims>,
}

impl ServiceTokenVerifier {
    /// Takes tokens meant for `audience`.
    pub fn new(key: &SecretKey, audience: &str, clock: Arc<dyn Clock>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        // Checked below, against this process's clock.
        validation.validate_exp = false;
        Self {
            key: DecodingKey::from_secret(key.bytes()),
            validation,
            clock,
            verified: Verified::default(),
        }
    }

    /// The calling service's name, `None` if no token came at all.
    ///
    /// The key alone says who calls (one key per pair of services), so the
    /// name in `iss` is for the log and is not compared.
    ///
    /// # Errors
    /// `SERVICE_TOKEN_REQUIRED` for a token that is not good.
    pub fn check(&self, metadata: &MetadataMap) -> Result<Option<String>, Refusal> {
        let Some(value) = metadata.get(METADATA_KEY) else {
            return Ok(None);
        };
        value
            .to_str()
            .ok()
            .and_then(|token| self.verified(token))
            .map(|claims| Some(claims.iss))
            .ok_or_else(|| {
                Refusal::new(
                    Reason::ServiceTokenRequired,
                    "the service token is not valid here, or no longer",
                )
            })
    }

    /// The calling service's name; a call without a token is refused too.
    pub fn require(&self, metadata: &MetadataMap) -> Result<String, Refusal> {
        self.check(metadata)?.ok_or_else(|| {
            Refusal::new(
                Reason::ServiceTokenRequired,
                "this call is for services: send a service token in x-service-token",
            )
        })
    }

    fn verified(&self, token: &str) -> Option<Claims> {
        let key = self.key.try_get_as_bytes().ok()?;
        let checked = || self.signed_claims(token).ok_or(());
        let claims = self.verified.or_check(token, key, checked).ok()?;
        let now = self.clock.now().seconds();
        let short = claims.exp.checked_sub(claims.iat)? <= LIFETIME;
        let begun = claims.iat <= now + LEEWAY;
        let alive = now < claims.exp.checked_add(LEEWAY)?;
        (short && begun && alive).then_some(claims)
    }

    fn signed_claims(&self, token: &str) -> Option<Claims> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation).ok()?;
        (data.header.typ.as_deref() == Some(TYPE)).then_some(data.claims)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{HeldClock, UnixMillis};

    fn key(byte: u8) -> SecretKey {
        SecretKey::new([byte; 32])
    }

    fn metadata(token: &str) -> MetadataMap {
        let mut map = MetadataMap::new();
        map.insert(METADATA_KEY, token.parse().unwrap());
        map
    }

    #[test]
    fn a_minted_token_is_taken_by_its_audience_with_its_key_for_its_time() {
        crate::crypto::install();
        let clock = Arc::new(HeldClock::new(UnixMillis(1_000_000_000)));
        let signer = ServiceTokenSigner::new(&key(1), "gateway", "auth-service", clock.clone());
        let verifier = |key: &SecretKey, audience: &str| {
            ServiceTokenVerifier::new(key, audience, clock.clone())
        };
        let minted = signer.token().unwrap();
        let map = metadata(minted.to_str().unwrap());

        let good = verifier(&key(1), "auth-service");
        assert_eq!(good.require(&map).unwrap(), "gateway");
        assert!(verifier(&key(2), "auth-service").require(&map).is_err());
        assert!(verifier(&key(1), "profile-service").require(&map).is_err());

        clock.advance(Duration::from_secs(89));
        assert!(good.require(&map).is_ok());
        clock.advance(Duration::from_secs(1));
        assert!(good.require(&map).is_err());
    }

    #[test]
    fn a_token_is_sent_for_half_of_its_life() {
        crate::crypto::install();
        let clock = Arc::new(HeldClock::new(UnixMillis(1_000_000_000)));
        let signer = ServiceTokenSigner::new(&key(1), "gateway", "auth-service", clock.clone());
        let first = signer.token().unwrap();
        clock.advance(Duration::from_millis(29_999));
        assert_eq!(signer.token().unwrap(), first);
        clock.advance(Duration::from_millis(1));
        assert_ne!(signer.token().unwrap(), first);
    }

    #[test]
    fn a_token_that_lives_too_long_or_has_another_type_is_refused() {
        crate::crypto::install();
        let clock = Arc::new(HeldClock::new(UnixMillis(1_000_000_000)));
        let verifier = ServiceTokenVerifier::new(&key(1), "auth-service", clock.clone());
        let token = |typ: Option<&str>, exp: i64| {
            let mut header = Header::new(Algorithm::HS256);
            header.typ = typ.map(str::to_owned);
            let claims = Claims {
                iss: "gateway".into(),
                aud: "auth-service".into(),
                iat: 1_000_000,
                exp,
            };
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&[1; 32])).unwrap()
        };
        let taken = |token: &str| verifier.require(&metadata(token)).is_ok();
        assert!(taken(&token(Some(TYPE), 1_000_060)));
        assert!(!taken(&token(Some(TYPE), 1_000_061)));
        assert!(!taken(&token(Some("JWT"), 1_000_060)));
        assert!(!taken(&token(None, 1_000_060)));
        assert!(!taken("not a token"));
    }

    #[test]
    fn no_token_is_told_apart_from_a_bad_one() {
        crate::crypto::install();
        let clock = Arc::new(HeldClock::new(UnixMillis(0)));
        let verifier = ServiceTokenVerifier::new(&key(1), "auth-service", clock);
        assert_eq!(verifier.check(&MetadataMap::new()).unwrap(), None);
        assert!(verifier.require(&MetadataMap::new()).is_err());
    }
}
