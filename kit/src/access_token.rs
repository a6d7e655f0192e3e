//! Access tokens: their claims, and the one place that checks them.
//!
//! A token is a JWT of type `at+jwt` (RFC 9068) signed with Ed25519 (RFC 8037).
//! The algorithm is pinned (RFC 8725, section 3.1): what a token says of its
//! own algorithm only decides whether it is refused at once.

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use proto::{Reason, Refusal};
use ring::signature::Ed25519KeyPair;
use serde::{Deserialize, Serialize};
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use crate::{clock::Clock, verified::Verified};

/// The `typ` of an access token's header: no service token has it.
const TYPE: &str = "at+jwt";

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who signed it: the setting `AUTH_ISSUER`.
    pub iss: String,
    /// Whom it is for: the setting `AUTH_AUDIENCE`.
    pub aud: String,
    /// The user's id.
    pub sub: Uuid,
    /// The session it belongs to.
    pub sid: Uuid,
    /// The user's phone number in E.164.
    pub phone_number: String,
    /// When it was signed: seconds since the Unix epoch.
    pub iat: i64,
    /// When it expires: seconds since the Unix epoch.
    pub exp: i64,
    /// This token's own id.
    pub jti: Uuid,
}

impl AccessClaims {
    /// Signs a token; `kid` names the key.
    ///
    /// # Errors
    /// Never with claims of this type: they can all be written as JSON.
    pub fn sign(&self, kid: &str, key: &Ed25519KeyPair) -> Result<String, serde_json::Error> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(kid.to_owned());
        self.sign_under(&header, key)
    }

    /// In the compact form of RFC 7515, section 7.1. jsonwebtoken would read the key
    /// anew for each token, which costs as much as the signature.
    fn sign_under(
        &self,
        header: &Header,
        key: &Ed25519KeyPair,
    ) -> Result<String, serde_json::Error> {
        let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(header)?);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(self)?, &mut token);
        let signature = key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

/// Finds the public key that a token names.
#[async_trait]
pub trait KeyFinder: Send + Sync {
    /// The key with this id, `None` if there is none.
    ///
    /// # Errors
    /// `DEPENDENCY_UNAVAILABLE` when nobody can say.
    async fn find(&self, kid: &str) -> Result<Option<DecodingKey>, Refusal>;
}

/// Checks access tokens.
pub struct AccessTokenVerifier {
    keys: Arc<dyn KeyFinder>,
    validation: Validation,
    clock: Arc<dyn Clock>,
    /// A signature costs more to check than all the rest of many requests.
    verified: Verified<AccessClaims>,
}

impl AccessTokenVerifier {
    /// Takes tokens of `issuer` for `audience`.
    pub fn new(
        keys: Arc<dyn KeyFinder>,
        issuer: &str,
        audience: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.required_spec_claims =
            HashSet::from(["iss", "aud", "exp", "sub"].map(str::to_owned));
        // Checked below, against this process's clock and to the second: a
        // token is as good as its promise, with no leeway after it.
        validation.validate_exp = false;
        Self {
            keys,
            validation,
            clock,
            verified: Verified::default(),
        }
    }

    /// Whose call this is, by the token in `authorization`.
    ///
    /// # Errors
    /// `TOKEN_MISSING`, `TOKEN_INVALID`, `TOKEN_EXPIRED`; or
    /// `DEPENDENCY_UNAVAILABLE` while the keys cannot be had.
    pub async fn caller(&self, metadata: &MetadataMap) -> Result<AccessClaims, Refusal> {
        let Some(value) = metadata.get("authorization") else {
            return Err(Refusal::new(
                Reason::TokenMissing,
                "send an access token: Authorization: Bearer <token>",
            ));
        };
        let token = value.to_str().ok().and_then(bearer).ok_or_else(invalid)?;
        self.verify(token).await
    }

    async fn verify(&self, token: &str) -> Result<AccessClaims, Refusal> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
        if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(TYPE) {
            return Err(invalid());
        }
        let kid = header.kid.ok_or_else(invalid)?;
        let key = self.keys.find(&kid).await?.ok_or_else(invalid)?;
        let bytes = key.try_get_as_bytes().map_err(|_| invalid())?;
        let claims = self.verified.or_check(token, bytes, || {
            let data = jsonwebtoken::decode::<AccessClaims>(token, &key, &self.validation);
            data.map(|data| data.claims).map_err(|_| invalid())
        })?;
        if claims.exp <= self.clock.now().seconds() {
            return Err(Refusal::new(
                Reason::TokenExpired,
                "the access token has expired",
            ));
        }
        Ok(claims)
    }
}

/// The token of an `Authorization` value; the scheme's case does not matter
/// (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn invalid() -> Refusal {
    Refusal::new(Reason::TokenInvalid, "the access token is not valid")
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Duration};

    use jsonwebtoken::EncodingKey;
    use ring::signature::KeyPair as _;

    use super::*;
    use crate::{
        clock::{HeldClock, UnixMillis},
        random::{SystemRandom, bytes},
    };

    struct OneKey(DecodingKey);

    #[async_trait]
    impl KeyFinder for OneKey {
        async fn find(&self, kid: &str) -> Result<Option<DecodingKey>, Refusal> {
            Ok((kid == "k").then(|| self.0.clone()))
        }
    }

    struct Signer {
        pair: Ed25519KeyPair,
        public: [u8; 32],
    }

    fn signer() -> Signer {
        crate::crypto::install();
        let seed: [u8; 32] = bytes(&SystemRandom::default());
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        Signer {
            public: pair.public_key().as_ref().try_into().unwrap(),
            pair,
        }
    }

    fn claims() -> AccessClaims {
        AccessClaims {
            iss: "i".into(),
            aud: "a".into(),
            sub: Uuid::from_u128(1),
            sid: Uuid::from_u128(2),
            phone_number: "+77777777766".into(),
            iat: 1_000,
            exp: 1_600,
            jti: Uuid::from_u128(3),
        }
    }

    fn verifier(public: &[u8; 32], clock: Arc<HeldClock>) -> AccessTokenVerifier {
        let key = DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(public)).unwrap();
        AccessTokenVerifier::new(Arc::new(OneKey(key)), "i", "a", clock)
    }

    async fn outcome(verifier: &AccessTokenVerifier, token: &str) -> Result<AccessClaims, String> {
        let mut map = MetadataMap::new();
        map.insert("authorization", format!("Bearer {token}").parse().unwrap());
        verifier.caller(&map).await.map_err(|refusal| {
            Reason::of(&refusal.into_status())
                .unwrap()
                .as_str()
                .to_owned()
        })
    }

    #[tokio::test]
    async fn a_token_is_good_until_it_expires() {
        let signer = signer();
        let clock = Arc::new(HeldClock::new(UnixMillis(1_000_000)));
        let verifier = verifier(&signer.public, clock.clone());
        let token = claims().sign("k", &signer.pair).unwrap();
        assert_eq!(outcome(&verifier, &token).await, Ok(claims()));
        clock.advance(Duration::from_millis(599_999));
        assert!(outcome(&verifier, &token).await.is_ok());
        clock.advance(Duration::from_millis(1));
        assert_eq!(
            outcome(&verifier, &token).await,
            Err("TOKEN_EXPIRED".into())
        );
    }

    /// Published, or no longer.
    struct Published(Mutex<Option<DecodingKey>>);

    #[async_trait]
    impl KeyFinder for Published {
        async fn find(&self, _: &str) -> Result<Option<DecodingKey>, Refusal> {
            Ok(self.0.lock().unwrap().clone())
        }
    }

    #[tokio::test]
    async fn a_token_that_was_seen_before_ends_with_its_key() {
        let (signer, other) = (signer(), self::signer());
        let clock = Arc::new(HeldClock::new(UnixMillis(1_000_000)));
        let key = |signer: &Signer| {
            let encoded = URL_SAFE_NO_PAD.encode(signer.public);
            Some(DecodingKey::from_ed_components(&encoded).unwrap())
        };
        let keys = Arc::new(Published(Mutex::new(key(&signer))));
        let verifier = AccessTokenVerifier::new(keys.clone(), "i", "a", clock);
        let token = claims().sign("k", &signer.pair).unwrap();
        for _ in 0..2 {
            assert_eq!(outcome(&verifier, &token).await, Ok(claims()));
        }
        for gone in [None, key(&other)] {
            *keys.0.lock().unwrap() = gone;
            assert_eq!(
                outcome(&verifier, &token).await,
                Err("TOKEN_INVALID".into())
            );
        }
        *keys.0.lock().unwrap() = key(&signer);
        assert_eq!(outcome(&verifier, &token).await, Ok(claims()));
    }

    #[tokio::test]
    async fn whatever_is_not_this_issuers_token_is_refused() {
        let signer = signer();
        let other = self::signer();
        let clock = Arc::new(HeldClock::new(UnixMillis(1_000_000)));
        let verifier = verifier(&signer.public, clock);
        let good = claims().sign("k", &signer.pair).unwrap();
        let parts: Vec<&str> = good.split('.').collect();
        let header = |json: &str| URL_SAFE_NO_PAD.encode(json);

        let with_header = |header: &Header, key: &EncodingKey| {
            jsonwebtoken::encode(header, &claims(), key).unwrap()
        };
        let mut hs256 = Header::new(Algorithm::HS256);
        hs256.typ = Some(TYPE.into());
        hs256.kid = Some("k".into());
        let mut untyped = Header::new(Algorithm::EdDSA);
        untyped.kid = Some("k".into());
        let mut changed = claims();
        changed.sub = Uuid::from_u128(9);
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&changed).unwrap());

        let cases = [
            ("another key", claims().sign("k", &other.pair).unwrap()),
            ("unknown kid", claims().sign("x", &signer.pair).unwrap()),
            (
                "the public key as an HMAC secret",
                with_header(&hs256, &EncodingKey::from_secret(&signer.public)),
            ),
            (
                "a JWT of another type",
                claims().sign_under(&untyped, &signer.pair).unwrap(),
            ),
            (
                "no algorithm",
                format!(
                    "{}.{}.",
                    header(r#"{"alg":"none","typ":"at+jwt","kid":"k"}"#),
                    parts[1]
                ),
            ),
            (
                "a changed payload",
                format!("{}.{payload}.{}", parts[0], parts[2]),
            ),
            ("no signature", format!("{}.{}.", parts[0], parts[1])),
            (
                "another audience",
                AccessClaims {
                    aud: "b".into(),
                    ..claims()
                }
                .sign("k", &signer.pair)
                .unwrap(),
            ),
            (
                "another issuer",
                AccessClaims {
                    iss: "j".into(),
                    ..claims()
                }
                .sign("k", &signer.pair)
                .unwrap(),
            ),
            ("no token", "....".into()),
        ];
        assert!(outcome(&verifier, &good).await.is_ok());
        for (what, token) in cases {
            assert_eq!(
                outcome(&verifier, &token).await,
                Err("TOKEN_INVALID".into()),
                "{what}"
            );
        }
    }

    #[test]
    fn the_bearer_scheme_is_read_in_any_case() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bEARER  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer "), None);
        assert_eq!(bearer("Bearer"), None);
    }
}
