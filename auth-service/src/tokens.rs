//! The tokens that a sign-in buys.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::{
    access_token::AccessClaims,
    clock::UnixMillis,
    random::{Random, bytes},
};
use ring::digest;
use uuid::Uuid;

use crate::{phone::PhoneNumber, signing_keys::SigningKeys};

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

/// A refresh token: 256 random bits. Only its hash is stored; a plain one is
/// enough, since nobody guesses 256 bits.
pub(crate) struct RefreshToken {
    /// What the client gets.
    pub(crate) text: String,
    /// SHA-256 of the text.
    pub(crate) hash: [u8; 32],
}

/// A signed access token.
pub(crate) struct AccessToken {
    pub(crate) text: String,
    pub(crate) expires_at: UnixMillis,
}

/// Makes tokens.
pub(crate) struct Tokens {
    keys: Arc<SigningKeys>,
    rules: TokenRules,
    random: Arc<dyn Random>,
}

impl Tokens {
    pub(crate) fn new(keys: Arc<SigningKeys>, rules: TokenRules, random: Arc<dyn Random>) -> Self {
        Self {
            keys,
            rules,
            random,
        }
    }

    pub(crate) fn draw_refresh(&self) -> RefreshToken {
        let text = URL_SAFE_NO_PAD.encode(bytes::<32>(&*self.random));
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        RefreshToken { text, hash }
    }

    pub(crate) fn sign_access(
        &self,
        user_id: Uuid,
        session_id: Uuid,
        phone: &PhoneNumber,
        now: UnixMillis,
    ) -> Result<AccessToken, jsonwebtoken::errors::Error> {
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
        let (kid, key) = self.keys.signing();
        Ok(AccessToken {
            text: claims.sign(kid, key)?,
            expires_at: UnixMillis(exp.saturating_mul(1000)),
        })
    }
}
