//! Numbers with a fixed code, for an app store's reviewers and for tests: to them
//! nothing is ever sent.
//!
//! A fixed code is a standing password to an account, and one that more than one
//! person knows. So it ends on a day, which is never far off.

use std::{collections::HashMap, fmt};

use kit::clock::UnixMillis;

use crate::{
    code::{self, Code},
    phone::{PhoneCheck, PhoneNumber},
};

/// How many there may be. Their codes are drawn for nobody else, and of four
/// digits there are not so many.
const MOST: usize = 100;
/// How many days off the last one may be: a year, even a leap year.
const FURTHEST: i64 = 366;
const DAY: i64 = 24 * 3600 * 1000;

/// The test numbers and their codes, until a moment. `Debug` shows how many there
/// are.
#[derive(Clone, Default)]
pub struct TestNumbers {
    codes: HashMap<PhoneNumber, Code>,
    /// When they have become numbers like any other.
    end: UnixMillis,
}

impl fmt::Debug for TestNumbers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TestNumbers({})", self.codes.len())
    }
}

impl TestNumbers {
    /// Reads numbers with their codes (`+77000000001=1234,…`), which are good to
    /// the end of a day (`2026-12-31`, in UTC).
    ///
    /// # Errors
    /// In words that name the setting and no number or code, when something is
    /// wrong with them or the day is too far off. A day that is over is no error.
    pub fn read(numbers: &str, until: &str, now: UnixMillis) -> Result<Self, String> {
        let last = day(until.trim())
            .ok_or("AUTH_TEST_NUMBERS_UNTIL: expected the last day (UTC) in the form 2026-12-31")?;
        if last - now.0.div_euclid(DAY) > FURTHEST {
            return Err(format!(
                "AUTH_TEST_NUMBERS_UNTIL: it is more than {FURTHEST} days off: a fixed code is a \
                 password that several people know, and has to be renewed once in a year"
            ));
        }
        let mut codes = HashMap::new();
        for (position, entry) in (1..).zip(numbers.split(',')) {
            // Neither the number nor the code is shown: both are secrets.
            let wrong =
                |what: &str| format!("AUTH_TEST_NUMBERS: number {position} in the list {what}");
            let (phone, code) = entry
                .split_once('=')
                .ok_or_else(|| wrong("is not as in +77000000001=1234"))?;
            let phone = PhoneNumber::parse(phone.trim(), PhoneCheck::Possible)
                .map_err(|_| wrong("is no phone number in E.164"))?;
            let code = Code::parse(code.trim()).ok_or_else(|| {
                let (least, most) = (code::LENGTHS.start(), code::LENGTHS.end());
                wrong(&format!("has no code of {least} to {most} digits"))
            })?;
            if codes.insert(phone, code).is_some() {
                return Err(wrong("is there before"));
            }
            if codes.len() > MOST {
                return Err(format!("AUTH_TEST_NUMBERS: there are more than {MOST}"));
            }
        }
        let end = UnixMillis((last + 1) * DAY);
        Ok(Self { codes, end })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The code of a number, if it is one of these and their time is not over.
    pub fn code_of(&self, phone: &PhoneNumber, now: UnixMillis) -> Option<&Code> {
        self.codes.get(phone).filter(|_| now < self.end)
    }

    /// Their codes, which are to be nobody else's.
    pub fn codes(&self) -> impl Iterator<Item = &Code> {
        self.codes.values()
    }

    /// Tells the log how many there are, or that their time is over.
    pub fn log(&self, now: UnixMillis) {
        if self.is_empty() {
            return;
        }
        let count = self.codes.len();
        if now < self.end {
            let days = (self.end.0 - now.0 + DAY - 1).div_euclid(DAY);
            tracing::info!(count, days, "there are test numbers, with fixed codes");
        } else {
            tracing::warn!(
                count,
                "AUTH_TEST_NUMBERS_UNTIL is over: the test numbers are numbers like any other"
            );
        }
    }
}

/// A day such as 2026-12-31, as a count of days since 1970-01-01.
fn day(text: &str) -> Option<i64> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = text.split('-');
    let mut number = |length: usize| -> Option<i64> {
        let part = parts.next().filter(|part| part.len() == length)?;
        digits(part).then(|| part.parse().ok())?
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month).ok()?.checked_sub(1)?;
    let fits = (1..=*months.get(before)?).contains(&day);
    if parts.next().is_some() || !fits || year < 1970 {
        return None;
    }
    // Leap days of the years before this one, and those before 1970.
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    Some(years + months[..before].iter().sum::<i64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kit::clock::{Clock as _, HeldClock};

    use super::*;

    /// 2026-11-25, at noon.
    const NOW: UnixMillis = UnixMillis(1_795_608_000_000);

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text, PhoneCheck::Possible).unwrap()
    }

    #[test]
    fn days_are_counted() {
        for (text, expected) in [
            ("1970-01-01", 0),
            ("1970-12-31", 364),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2026-11-25", NOW.0 / DAY),
            ("2027-01-01", 20_819),
            ("2028-02-29", 21_243),
            ("9999-12-31", 2_932_896),
        ] {
            assert_eq!(day(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-12",
            "2026-12-31-1",
            "2026-1-1",
            "26-12-31",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "2100-02-29",
            "2026-04-31",
            "2026-12-00",
            "1969-12-31",
            "+026-12-31",
            "2026/12/31",
            "31-12-2026",
            "2026-12-31T00:00",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_have_their_codes_until_the_end_of_the_last_day() {
        let list = "+77000000001=1234, +7 700 000-00-02 = 567890";
        let clock = HeldClock::new(NOW);
        let numbers = TestNumbers::read(list, "2026-11-26", clock.now()).unwrap();
        let code = |phone: &str, clock: &HeldClock| {
            let code = numbers.code_of(&number(phone), clock.now());
            code.map(|code| code.digits().to_owned())
        };
        assert_eq!(code("+77000000001", &clock).as_deref(), Some("1234"));
        assert_eq!(code("+77000000002", &clock).as_deref(), Some("567890"));
        assert_eq!(code("+77000000003", &clock), None);
        // To the last millisecond of the day.
        clock.advance(Duration::from_hours(36) - Duration::from_millis(1));
        assert_eq!(code("+77000000001", &clock).as_deref(), Some("1234"));
        clock.advance(Duration::from_millis(1));
        assert_eq!(code("+77000000001", &clock), None);
        assert_eq!(code("+77000000002", &clock), None);
    }

    #[test]
    fn a_day_that_is_over_makes_ordinary_numbers() {
        let numbers = TestNumbers::read("+77000000001=1234", "2026-11-24", NOW).unwrap();
        assert_eq!(numbers.code_of(&number("+77000000001"), NOW), None);
    }

    #[test]
    fn what_is_wrong_is_told_without_a_number_or_code() {
        let many: Vec<_> = (0..=MOST)
            .map(|each| format!("+7700{each:07}=1234"))
            .collect();
        for (list, until, told) in [
            (
                "+77000000001=1234",
                "2027-11-27",
                "UNTIL: it is more than 366 days off",
            ),
            ("+77000000001=1234", "soon", "UNTIL: expected"),
            ("+77000000001=1234", "", "UNTIL: expected"),
            ("", "2026-12-31", "number 1 in the list is not as in"),
            (
                "+77000000001=1234,",
                "2026-12-31",
                "number 2 in the list is not",
            ),
            (
                "+77000000009",
                "2026-12-31",
                "number 1 in the list is not as in",
            ),
            (
                "+7=1234",
                "2026-12-31",
                "number 1 in the list is no phone number",
            ),
            (
                "+77000000009=123",
                "2026-12-31",
                "no code of 4 to 10 digits",
            ),
            ("+77000000009=987654321098", "2026-12-31", "no code"),
            ("+77000000009=98x6", "2026-12-31", "no code"),
            (
                "+77000000009=9876,+7 700 000 00 09=9875",
                "2026-12-31",
                "number 2 in the list is there before",
            ),
            (&many.join(","), "2026-12-31", "more than 100"),
        ] {
            let error = TestNumbers::read(list, until, NOW).unwrap_err();
            assert!(error.contains(told), "{list}: {error}");
            assert!(!error.contains("00009") && !error.contains("98"), "{error}");
        }
        assert!(TestNumbers::read("+77000000001=1234", "2027-11-26", NOW).is_ok());
        assert_eq!(
            format!(
                "{:?}",
                TestNumbers::read("+77000000001=1234", "2026-12-31", NOW)
            ),
            "Ok(TestNumbers(1))"
        );
    }
}
