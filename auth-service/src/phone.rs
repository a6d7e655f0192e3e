//! Phone numbers.

use std::fmt;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat};

/// The longest input that is looked at.
const MAX_INPUT: usize = 64;

/// How much of a number is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneCheck {
    /// Its country code is assigned and its length is possible there: enough
    /// where nothing is sent.
    Possible,
    /// It also lies in a range that its country gives out.
    Valid,
}

/// A phone number in E.164: a plus and up to 15 digits, the first no zero.
///
/// `Debug` masks it: it is personal data and has no place in a log.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

/// It is no phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPhoneNumber;

impl PhoneNumber {
    /// Reads an international number. Spaces, hyphens, dots and brackets
    /// between the digits are dropped; only ASCII digits count (a library
    /// would take other scripts' digits too, and one phone would have many
    /// spellings). The numbering plans are those of libphonenumber.
    ///
    /// # Errors
    /// When it is none, or fails the `check`.
    pub fn parse(input: &str, check: PhoneCheck) -> Result<Self, NotAPhoneNumber> {
        let asked = format!("+{}", digits(input).ok_or(NotAPhoneNumber)?);
        let number = PHONE_NUMBER_UTIL
            .parse(&asked, None)
            .map_err(|_| NotAPhoneNumber)?;
        let fits = match check {
            // A length that is possible only without an area code is none in
            // an international number.
            PhoneCheck::Possible => matches!(
                PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number),
                Ok(NumberLengthType::IsPossible)
            ),
            PhoneCheck::Valid => PHONE_NUMBER_UTIL.is_valid_number(&number),
        };
        if !fits {
            return Err(NotAPhoneNumber);
        }
        // A national prefix in the middle, as in +44 (0)20…, is gone here.
        let e164 = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164);
        // One phone, one spelling, one user: what would be read as yet another
        // number is none. What was spelt so already has just been read.
        if e164 != asked {
            let again = PHONE_NUMBER_UTIL.parse(&e164, None);
            if again.ok().as_ref() != Some(&number) {
                return Err(NotAPhoneNumber);
            }
        }
        Ok(Self(e164.into_owned()))
    }

    /// A number that was parsed before, as a store of ours gives it back.
    pub fn from_stored(e164: String) -> Self {
        Self(e164)
    }

    /// The country calling code with its plus, such as `+225`. Several countries
    /// may share one. `None` for a text that is no number.
    pub fn calling_code(&self) -> Option<String> {
        let number = PHONE_NUMBER_UTIL.parse(&self.0, None).ok()?;
        Some(format!("+{}", number.country_code))
    }

    /// In E.164.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ASCII, by construction.
        let (shown, hidden) = self.0.split_at(self.0.len().min(3));
        let (hidden, last) = hidden.split_at(hidden.len().saturating_sub(2));
        write!(formatter, "{shown}{}{last}", "*".repeat(hidden.len()))
    }
}

/// The digits after the plus, without what people write between them.
fn digits(input: &str) -> Option<String> {
    let rest = input
        .strip_prefix('+')
        .filter(|_| input.len() <= MAX_INPUT)?;
    let ends_in_digits = rest.starts_with(|first: char| first.is_ascii_digit())
        && rest.ends_with(|last: char| last.is_ascii_digit());
    let known = |each: char| each.is_ascii_digit() || " -.()".contains(each);
    if !ends_in_digits || !rest.chars().all(known) {
        return None;
    }
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    // E.164: no country code begins with zero, and 15 digits are the most.
    (digits.len() <= 15 && !digits.starts_with('0')).then_some(digits)
}

/// Loads the numbering plans, which takes some tens of milliseconds that the
/// first caller would otherwise wait for.
pub fn warm_up() {
    let _ = PhoneNumber::parse("+77777777766", PhoneCheck::Valid);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn possible(input: &str) -> Option<String> {
        let number = PhoneNumber::parse(input, PhoneCheck::Possible).ok()?;
        Some(number.as_str().to_owned())
    }

    #[test]
    fn numbers_are_brought_into_one_spelling() {
        for (input, expected) in [
            ("+77777777766", "+77777777766"),
            ("+7 (777) 777-77.66", "+77777777766"),
            ("+7 777 777 77 66", "+77777777766"),
            ("+44 (0)20 7946 0958", "+442079460958"),
            ("+442079460958", "+442079460958"),
            // An Italian zero belongs to the number.
            ("+39 06 6982 4471", "+390669824471"),
        ] {
            assert_eq!(possible(input).as_deref(), Some(expected), "{input}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for input in [
            "",
            "+",
            "77777777766",
            "87777777766",
            "007777777766",
            " +77777777766",
            "+77777777766 ",
            "++77777777766",
            "+7777777776٦",
            "+٧٧٧٧٧٧٧٧٧٦٦",
            "+7777777776a",
            "+7\u{a0}7777777766",
            "+7777777\u{0}766",
            "tel:+77777777766",
            "+77777777766;ext=1",
            // No such country code.
            "+999123456789",
            "+210123456789",
            "+0123456789",
            // Too short and too long for the country, and for anybody.
            "+7777777",
            "+777777777661",
            "+7123",
            "+12530000",
            // Without its national prefix it would begin with another one.
            "+44 (0)0012312344",
            "+4915112345678901",
            "+1",
            &"+7".repeat(100),
        ] {
            assert_eq!(possible(input), None, "{input}");
        }
    }

    #[test]
    fn a_possible_number_may_still_be_no_valid_one() {
        let valid = |input| PhoneNumber::parse(input, PhoneCheck::Valid).is_ok();
        for number in [
            "+77777777766",
            "+79161234567",
            "+12025550173",
            "+442079460958",
        ] {
            assert!(valid(number), "{number}");
        }
        for number in ["+71234567890", "+76001234567"] {
            assert!(possible(number).is_some(), "{number}");
            assert!(!valid(number), "{number}");
        }
    }

    #[test]
    fn a_number_is_masked_in_debug() {
        let number = PhoneNumber::parse("+77777777766", PhoneCheck::Possible).unwrap();
        assert_eq!(format!("{number:?}"), "+77*******66");
        assert_eq!(format!("{:?}", PhoneNumber::from_stored(String::new())), "");
    }
}
