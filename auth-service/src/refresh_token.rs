//! Refresh tokens: opaque to the client, stored only as a hash.
//!
//! A token is the id of its session, a secret of 256 bits, and a tag that only
//! this service can make. The tag tells a token that was really issued once
//! from a made-up one: a replay of the first ends the session, the second
//! cannot, though session ids are no secret.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::random::{Random, bytes};
use ring::{digest, hmac};
use uuid::Uuid;

use crate::mac::{Hasher, Label, TAG_BYTES};

const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
const LENGTH: usize = ID_BYTES + SECRET_BYTES + TAG_BYTES;

/// What a token's successor is derived with, drawn at each rotation.
pub type Nonce = [u8; 32];

/// A refresh token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken([u8; LENGTH]);

impl RefreshToken {
    /// The first token of a session.
    pub fn draw(session_id: Uuid, hasher: &Hasher, random: &dyn Random) -> Self {
        Self::of(session_id, bytes(random), hasher)
    }

    /// The token that comes after this one. It takes both the token and the
    /// nonce to know it: the store, which has the nonce, does not.
    #[must_use]
    pub fn successor(&self, nonce: &Nonce, hasher: &Hasher) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut secret = [0; SECRET_BYTES];
        secret.copy_from_slice(hmac::sign(&key, nonce).as_ref());
        Self::of(self.session_id(), secret, hasher)
    }

    fn of(session_id: Uuid, secret: [u8; SECRET_BYTES], hasher: &Hasher) -> Self {
        let id = session_id.as_bytes();
        let tag = hasher.tag(Label::RefreshToken, &[id, &secret]);
        let mut token = [0; LENGTH];
        token[..ID_BYTES].copy_from_slice(id);
        token[ID_BYTES..LENGTH - TAG_BYTES].copy_from_slice(&secret);
        token[LENGTH - TAG_BYTES..].copy_from_slice(&tag);
        Self(token)
    }

    /// Reads what a client sent; `None` if it was never issued here.
    pub fn parse(text: &str, hasher: &Hasher) -> Option<Self> {
        let token = Self(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?);
        let (body, tag) = token.0.split_at(LENGTH - TAG_BYTES);
        let (id, secret) = body.split_at(ID_BYTES);
        let genuine = hasher.verify_tag(Label::RefreshToken, &[id, secret], tag);
        genuine.then_some(token)
    }

    /// The session that it belongs to.
    pub fn session_id(&self) -> Uuid {
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&self.0[..ID_BYTES]);
        Uuid::from_bytes(id)
    }

    /// What the client gets, in base64url.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What is stored: its SHA-256. A plain hash is enough, since nobody
    /// guesses 256 bits.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, &self.0).as_ref());
        hash
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RefreshToken")
    }
}

#[cfg(test)]
mod tests {
    use kit::{random::SystemRandom, settings::SecretKey};

    use super::*;

    #[test]
    fn only_an_issued_token_is_read_back() {
        let random = SystemRandom::default();
        let hasher = Hasher::new(&SecretKey::new([1; 32]));
        let id = Uuid::from_u128(7);
        let token = RefreshToken::draw(id, &hasher, &random);
        let text = token.to_text();
        assert_eq!(RefreshToken::parse(&text, &hasher), Some(token.clone()));
        assert_eq!(token.session_id(), id);

        let others = Hasher::new(&SecretKey::new([2; 32]));
        let foreign = RefreshToken::draw(id, &others, &random).to_text();
        let mut changed = token.0;
        changed[20] ^= 1;
        let changed = URL_SAFE_NO_PAD.encode(changed);
        for text in ["", "x", &text[1..], &foreign, &changed] {
            assert_eq!(RefreshToken::parse(text, &hasher), None);
        }
    }

    #[test]
    fn a_successor_depends_on_the_token_and_the_nonce() {
        let random = SystemRandom::default();
        let hasher = Hasher::new(&SecretKey::new([1; 32]));
        let token = RefreshToken::draw(Uuid::from_u128(7), &hasher, &random);
        let next = token.successor(&[1; 32], &hasher);
        assert_eq!(next, token.successor(&[1; 32], &hasher));
        assert_ne!(next, token.successor(&[2; 32], &hasher));
        let other = RefreshToken::draw(Uuid::from_u128(7), &hasher, &random);
        assert_ne!(next, other.successor(&[1; 32], &hasher));
        assert_eq!(RefreshToken::parse(&next.to_text(), &hasher), Some(next));
    }
}
