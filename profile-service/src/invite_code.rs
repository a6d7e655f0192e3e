//! Invite codes.

use kit::random::{Random, text};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 6;

/// An invite code: six of `[0-9A-Za-z]`, 5.7 × 10¹⁰ of them. Upper and lower
/// case differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InviteCode(String);

impl InviteCode {
    /// Draws a code, every one as likely as the others.
    pub fn draw(random: &dyn Random) -> Self {
        Self(text(random, ALPHABET, LENGTH))
    }

    /// Reads what a person entered; `None` if nobody can have it.
    pub fn parse(input: &str) -> Option<Self> {
        let is_code =
            input.len() == LENGTH && input.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_code.then(|| Self(input.to_owned()))
    }

    /// The six characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_ascii_letters_and_digits_are_a_code() {
        for code in ["l87zwp", "HdGzEG", "000000", "zzzzzz"] {
            assert!(InviteCode::parse(code).is_some(), "{code}");
        }
        for other in [
            "",
            "2461",
            "l87zwp0",
            "l87zw ",
            "l87zw-",
            "l87zwé",
            "٣٦١٣٦١",
            "l87z\0p",
        ] {
            assert!(InviteCode::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn drawn_codes_are_codes_and_use_the_whole_alphabet() {
        let random = kit::random::SystemRandom::default();
        let mut seen = [false; 128];
        for _ in 0..2_000 {
            let code = InviteCode::draw(&random);
            assert_eq!(InviteCode::parse(code.as_str()), Some(code.clone()));
            for byte in code.as_str().bytes() {
                seen[usize::from(byte)] = true;
            }
        }
        assert_eq!(seen.iter().filter(|&&seen| seen).count(), ALPHABET.len());
    }
}
