//! One-time codes.

use std::fmt;

use kit::random::{Random, text};

/// The fewest and the most digits that a code has.
pub const LENGTHS: std::ops::RangeInclusive<usize> = 4..=10;
/// How many digits the codes of a phone have that asked for many in a row.
pub const LONG: usize = 6;

/// A one-time code: 4 to 10 ASCII digits. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Code(String);

impl Code {
    /// Draws a code, every one as likely as the others.
    pub fn draw(random: &dyn Random, length: usize) -> Self {
        Self(text(random, b"0123456789", length))
    }

    /// Reads what a person entered; `None` if it is no code at all. No other
    /// script's digits: what looks the same must be the same.
    pub fn parse(input: &str) -> Option<Self> {
        let is_code =
            LENGTHS.contains(&input.len()) && input.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| Self(input.to_owned()))
    }

    /// The digits.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Code")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ascii_digits_are_a_code() {
        for code in ["0000", "3613", "123456", "1234567890"] {
            assert!(Code::parse(code).is_some(), "{code}");
        }
        for other in [
            "",
            "361",
            "12345678901",
            "361a",
            " 3613",
            "3613\n",
            "٣٦١٣",
            "３６１３",
            "+361",
            "3 613",
            "-3613",
        ] {
            assert!(Code::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn drawn_codes_have_their_length_and_are_codes() {
        let random = kit::random::SystemRandom::default();
        for length in LENGTHS {
            let code = Code::draw(&random, length);
            assert_eq!(Code::parse(code.digits()), Some(code));
        }
    }
}
