//! Keyed hashes: what the challenge store holds in place of codes, phone
//! numbers and addresses.
//!
//! Four digits can be tried out in no time by whoever has a plain hash, so the
//! hash is keyed (HMAC-SHA-256) with a pepper that the store never sees. Each
//! use has its own label, so that no hash means anything in another place.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::settings::SecretKey;
use ring::hmac;

/// How many bytes of a hash are kept: 128 bits, far beyond a collision among
/// what lives two minutes, and a forgery.
pub const TAG_BYTES: usize = 16;

/// A keyed hash, in base64url. It reveals nothing without the pepper, but it
/// still has no place in a log: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(String);

impl Mac {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A hash that a store gives back.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Mac")
    }
}

/// What is hashed, and for which use.
#[derive(Clone, Copy)]
pub enum Label {
    /// A phone number.
    Phone,
    /// A client address.
    Address,
    /// A code, bound to its challenge.
    CodeOfChallenge,
    /// A code, bound to the address where its challenge was started.
    CodeAtAddress,
    /// A refresh token that was issued.
    RefreshToken,
    /// A block of client addresses, for the guards of messages.
    AddressBlock,
    /// A challenge, for the guards of messages.
    ChallengeOfMessage,
}

/// Makes keyed hashes.
pub struct Hasher(hmac::Key);

impl Hasher {
    /// With the pepper (`AUTH_CODE_PEPPER`).
    pub fn new(pepper: &SecretKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, pepper.bytes()))
    }

    /// Hashes `parts`.
    pub fn mac(&self, label: Label, parts: &[&str]) -> Mac {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        Mac(URL_SAFE_NO_PAD.encode(self.tag(label, &parts)))
    }

    /// The same as bytes.
    pub fn tag(&self, label: Label, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&self.full(label, parts).as_ref()[..TAG_BYTES]);
        tag
    }

    /// Whether a tag is the one of `parts`, in a time that does not tell how
    /// nearly it is.
    pub fn verify_tag(&self, label: Label, parts: &[&[u8]], tag: &[u8]) -> bool {
        // Both are hashed once more with a key that nobody has: the comparison
        // may then take what time it likes.
        let once_more = |bytes: &[u8]| hmac::sign(&self.0, bytes);
        once_more(&self.tag(label, parts)).as_ref() == once_more(tag).as_ref()
    }

    /// Each part has its length before it: no two lists of parts run together
    /// into the same bytes.
    fn full(&self, label: Label, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&[label as u8]);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        context.sign()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_depends_on_the_key_the_label_and_how_the_parts_are_cut() {
        let hasher = Hasher::new(&SecretKey::new([1; 32]));
        let other = Hasher::new(&SecretKey::new([2; 32]));
        let mac = hasher.mac(Label::CodeOfChallenge, &["ab", "c"]);
        assert_eq!(mac, hasher.mac(Label::CodeOfChallenge, &["ab", "c"]));
        assert_ne!(mac, other.mac(Label::CodeOfChallenge, &["ab", "c"]));
        assert_ne!(mac, hasher.mac(Label::CodeAtAddress, &["ab", "c"]));
        assert_ne!(mac, hasher.mac(Label::CodeOfChallenge, &["a", "bc"]));
        assert_ne!(mac, hasher.mac(Label::CodeOfChallenge, &["abc"]));
    }
}
