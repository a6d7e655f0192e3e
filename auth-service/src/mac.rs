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
/// what lives two minutes.
const KEPT: usize = 16;

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
}

/// Makes keyed hashes.
pub struct Hasher(hmac::Key);

impl Hasher {
    /// With the pepper (`AUTH_CODE_PEPPER`).
    pub fn new(pepper: &SecretKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, pepper.bytes()))
    }

    /// Hashes `parts`, each with its length before it: no two lists of parts
    /// run together into the same bytes.
    pub fn mac(&self, label: Label, parts: &[&str]) -> Mac {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&[label as u8]);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        Mac(URL_SAFE_NO_PAD.encode(&context.sign().as_ref()[..KEPT]))
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
