//! A text message.

use std::{fmt, net::IpAddr};

use kit::clock::UnixMillis;
use uuid::Uuid;

use crate::{challenges::ChallengeId, phone::PhoneNumber};

/// A message that is to be sent. `Debug` shows neither the text, which has the
/// code in it, nor the number.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Names it, in the log and to the provider, whom it also tells what is a
    /// repetition. A UUIDv7; it has nothing to do with the challenge's id, which
    /// is nobody's business but the person's.
    pub id: Uuid,
    /// To whom.
    pub phone: PhoneNumber,
    /// What it says.
    pub text: String,
    /// How many segments it is sent in: each is paid.
    pub segments: u32,
    /// The challenge that its code answers.
    pub challenge: ChallengeId,
    /// From where it was asked for.
    pub client: IpAddr,
    /// When the code stops being accepted: of no use to anybody after it.
    pub expires_at: UnixMillis,
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Message({} to {:?})", self.id, self.phone)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use kit::random::SystemRandom;

    use super::*;
    use crate::{challenges::Slot, mac::Mac, phone::PhoneCheck};

    /// A message of the epoch's first second.
    pub(crate) fn message() -> Message {
        Message {
            id: Uuid::from_u128(7),
            phone: PhoneNumber::parse("+77777777766", PhoneCheck::Valid).unwrap(),
            text: "Your code: 3613".to_owned(),
            segments: 1,
            challenge: ChallengeId::draw(
                Slot::of(&Mac::from_stored(String::new())),
                &SystemRandom::default(),
            ),
            client: [127, 0, 0, 1].into(),
            expires_at: UnixMillis(120_000),
        }
    }

    #[test]
    fn debug_shows_neither_text_nor_number() {
        let shown = format!("{:?}", message());
        assert!(shown.ends_with("to +77*******66)"), "{shown}");
        assert!(!shown.contains("3613"), "{shown}");
    }
}
