//! Page tokens: where a list of followers goes on.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::clock::UnixMillis;
use uuid::Uuid;

/// A place in the order of followers: after whoever came at this time with
/// this id. It says nothing of whose followers they are: that is always the
/// caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the follower entered the code.
    pub invited_at: UnixMillis,
    /// The follower's id: decides between those of one millisecond.
    pub user_id: Uuid,
}

impl Position {
    /// Before everybody.
    pub const START: Self = Self {
        invited_at: UnixMillis(i64::MIN),
        user_id: Uuid::nil(),
    };

    /// As a page token: opaque to the caller.
    pub fn to_token(self) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.invited_at.0.to_be_bytes());
        bytes[8..].copy_from_slice(self.user_id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a page token; the empty one is the start. `None` if it is none.
    pub fn from_token(token: &str) -> Option<Self> {
        if token.is_empty() {
            return Some(Self::START);
        }
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let (time, id) = bytes.split_at(8);
        Some(Self {
            invited_at: UnixMillis(i64::from_be_bytes(time.try_into().ok()?)),
            user_id: Uuid::from_slice(id).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_from_its_token() {
        let position = Position {
            invited_at: UnixMillis(1_764_000_000_123),
            user_id: Uuid::from_u128(7),
        };
        assert_eq!(Position::from_token(&position.to_token()), Some(position));
        assert_eq!(Position::from_token(""), Some(Position::START));
    }

    #[test]
    fn nothing_else_is_a_token() {
        for token in ["x", "AAAA", "!!!!", &"A".repeat(33), &"A".repeat(10_000)] {
            assert_eq!(Position::from_token(token), None, "{token}");
        }
    }
}
