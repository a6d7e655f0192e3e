//! The name of a challenge.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::random::{Random, bytes};

use crate::mac::Mac;

const SLOT_BYTES: usize = 2;
const RANDOM_BYTES: usize = 16;
const LENGTH: usize = SLOT_BYTES + RANDOM_BYTES;

/// Which of 65,536 slots the keys of a phone number are in. It comes from a
/// keyed hash of the number and tells nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot([u8; SLOT_BYTES]);

impl Slot {
    /// The slot of a phone number, by its keyed hash.
    pub fn of(phone: &Mac) -> Self {
        let mac = URL_SAFE_NO_PAD.decode(phone.as_str()).unwrap_or_default();
        let mut slot = [0; SLOT_BYTES];
        for (byte, of_mac) in slot.iter_mut().zip(mac) {
            *byte = of_mac;
        }
        Self(slot)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([high, low]) = self;
        write!(formatter, "{high:02x}{low:02x}")
    }
}

/// The name of a challenge: 128 random bits, and before them the slot of its
/// phone number, so that whoever has the name finds all keys of that phone on
/// one node of a Redis Cluster. 24 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChallengeId([u8; LENGTH]);

impl ChallengeId {
    /// A fresh one.
    pub fn draw(slot: Slot, random: &dyn Random) -> Self {
        let mut id = [0; LENGTH];
        id[..SLOT_BYTES].copy_from_slice(&slot.0);
        id[SLOT_BYTES..].copy_from_slice(&bytes::<RANDOM_BYTES>(random));
        Self(id)
    }

    /// Reads what a client sent; `None` if no challenge can have this name.
    pub fn parse(text: &str) -> Option<Self> {
        let decoded = URL_SAFE_NO_PAD.decode(text).ok()?;
        decoded.try_into().ok().map(Self)
    }

    /// The slot of the phone number.
    pub fn slot(&self) -> Slot {
        let [high, low, ..] = self.0;
        Slot([high, low])
    }
}

impl fmt::Display for ChallengeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Whoever knows a live challenge's name may guess at it: not for logs.
impl fmt::Debug for ChallengeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ChallengeId")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_with_its_slot() {
        let slot = Slot([0xab, 0x12]);
        let id = ChallengeId::draw(slot, &kit::random::SystemRandom::default());
        let text = id.to_string();
        assert_eq!(text.len(), 24);
        assert_eq!(ChallengeId::parse(&text), Some(id));
        assert_eq!(id.slot().to_string(), "ab12");
    }

    #[test]
    fn nothing_else_is_a_name() {
        for text in [
            "",
            "x",
            "AAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAAAAA",
            "{}",
        ] {
            assert_eq!(ChallengeId::parse(text), None, "{text}");
        }
    }
}
