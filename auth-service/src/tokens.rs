//! Access tokens, as this service signs them.

use std::{sync::Arc, time::Duration};

use kit::{
    access_token::AccessClaims,
    clock::UnixMillis,
    random::{Random, bytes},
};
use uuid::Uuid;

use crate::{key_ring::KeyRing, phone::PhoneNumber};

/// What the settings say of tokens.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// `iss` (`AUTH_ISSUER`).
    pub issuer: String,
    /// `aud` (`AUTH_AUDIENCE`).
    pub audience: String,
    /// How long an access token is good (`AUTH_ACCESS_TTL_SECS`).
    pub access_lifetime: Duration,
}

/// A signed access token.
pub(crate) struct AccessToken {
    pub(crate) text: String,
    pub(crate) expires_at: UnixMillis,
}

/// Signs access tokens.
pub(crate) struct Tokens {
    keys: Arc<KeyRing>,
    rules: TokenRules,
    random: Arc<dyn Random>,
}

impl Tokens {
    pub(crate) fn new(keys: Arc<KeyRing>, rules: TokenRules, random: Arc<dyn Random>) -> Self {
        Self {
            keys,
            rules,
            random,
        }
    }

    pub(crate) fn sign_access(
        &self,
        user_id: Uuid,
        session_id: Uuid,
        phone: &PhoneNumber,
        now: UnixMillis,
    ) -> Result<AccessToken, serde_json::Error> {
        let iat = now.seconds();
        let lifetime = self.rules.access_lifetime.as_secs();
        let exp = iat.saturating_add_unsigned(lifetime);
        let claims = AccessClaims {
            iss: self.rules.issuer.clone(),
            aud: self.rules.audience.clone(),
            sub: user_id,
            sid: session_id,
            phone_number: phone.as_str().to_owned(),
            iat,
            exp,
            jti: Uuid::from_bytes(bytes(&*self.random)),
        };
        let keys = self.keys.current();
        let (kid, key) = keys.signing();
        Ok(AccessToken {
            text: claims.sign(kid, key)?,
            expires_at: UnixMillis(exp.saturating_mul(1000)),
        })
    }
}
