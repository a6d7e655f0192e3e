//! Tables by the first digits of a number: `*=10000,+225=50`. The longest
//! prefix that a number begins with counts, and `*` where none does.

use std::{borrow::Borrow, collections::BTreeMap, fmt, str::FromStr};

/// How many digits a number in E.164 can have.
const MAX_DIGITS: usize = 15;

/// The beginning of phone numbers: a plus and digits, such as `+225`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

impl Prefix {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// For looking up the beginning of a number without a copy of it.
impl Borrow<str> for Prefix {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Prefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let sound = (1..=MAX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|each| each.is_ascii_digit())
            && !digits.starts_with('0');
        if !sound {
            return Err("expected a plus and the first digits of phone numbers, such as +225");
        }
        Ok(Self(text.to_owned()))
    }
}

/// What is said of numbers by their prefix, and of all by `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefixes<T> {
    by_prefix: BTreeMap<Prefix, T>,
    of_all: Option<T>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self {
            by_prefix: BTreeMap::new(),
            of_all: None,
        }
    }
}

impl<T> Prefixes<T> {
    /// Reads `*=…,+225=…`; a value alone is the one of `*`. An empty text is an
    /// empty table.
    ///
    /// # Errors
    /// With the entry that cannot be read, or that is there twice.
    pub fn parse(
        text: &str,
        value: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Result<Self, String> {
        // Among others, `04` is more likely to be the end of `0,04`.
        let alone = !text.contains(',');
        Self::read(text, |entry| {
            let named = entry.split_once('=');
            let named = named.or_else(|| alone.then_some(("*", entry)));
            let (prefix, of_it) = named.ok_or("expected a prefix, =, and a value")?;
            Ok((prefix.trim(), value(of_it.trim())?))
        })
    }

    fn read<'a>(
        text: &'a str,
        split: impl Fn(&'a str) -> Result<(&'a str, T), &'static str>,
    ) -> Result<Self, String> {
        let mut table = Self::default();
        let entries = text.split(',').map(str::trim);
        for entry in entries.filter(|_| !text.trim().is_empty()) {
            let wrong = |problem: &str| format!("`{entry}`: {problem}");
            let (prefix, of_it) = split(entry).map_err(wrong)?;
            let before = if prefix == "*" {
                table.of_all.replace(of_it)
            } else {
                let prefix = prefix.parse().map_err(wrong)?;
                table.by_prefix.insert(prefix, of_it)
            };
            if before.is_some() {
                return Err(wrong("there is another entry of this prefix"));
            }
        }
        Ok(table)
    }

    /// What is said of the longest prefix that `number` begins with; not what
    /// is said of all.
    pub fn of(&self, number: &str) -> Option<(&Prefix, &T)> {
        (2..=number.len())
            .rev()
            .filter_map(|end| number.get(..end))
            .find_map(|start| self.by_prefix.get_key_value(start))
    }

    /// What is said of all.
    pub fn of_all(&self) -> Option<&T> {
        self.of_all.as_ref()
    }

    /// What counts for `number`: what is said of its prefix, or else of all.
    pub fn counts_for(&self, number: &str) -> Option<&T> {
        let own = self.of(number).map(|(_, of_it)| of_it);
        own.or(self.of_all())
    }

    /// The prefixes, in order.
    pub fn named(&self) -> impl Iterator<Item = &Prefix> {
        self.by_prefix.keys()
    }

    /// What is said of each prefix, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&Prefix, &T)> {
        self.by_prefix.iter()
    }

    /// Whether nothing is said of anybody.
    pub fn is_empty(&self) -> bool {
        self.by_prefix.is_empty() && self.of_all.is_none()
    }

    /// The table with another entry of `*`.
    #[must_use]
    pub fn with_all(self, of_all: Option<T>) -> Self {
        Self { of_all, ..self }
    }
}

impl Prefixes<()> {
    /// These prefixes.
    pub fn list(prefixes: impl IntoIterator<Item = Prefix>) -> Self {
        Self {
            by_prefix: prefixes.into_iter().map(|prefix| (prefix, ())).collect(),
            of_all: None,
        }
    }
}

impl FromStr for Prefixes<()> {
    type Err = String;

    /// Reads prefixes alone: `+7,+49`.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text, |entry| match entry {
            "*" => Err("leave the list empty for all"),
            prefix => Ok((prefix, ())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Prefixes<u32>, String> {
        Prefixes::parse(text, |value| value.parse().map_err(|_| "expected a number"))
    }

    #[test]
    fn the_longest_prefix_counts() {
        let table = table("*=1, +7=2,+77 = 3,+225=4").unwrap();
        for (number, expected) in [
            ("+77010000001", 3),
            ("+79161234567", 2),
            ("+2250102030405", 4),
            ("+2265", 1),
            ("+7", 2),
            ("+1", 1),
            ("", 1),
        ] {
            assert_eq!(table.counts_for(number), Some(&expected), "{number}");
        }
        let own = table.of("+77010000001").map(|(prefix, _)| prefix.as_str());
        assert_eq!(own, Some("+77"));
        assert_eq!(table.of("+1"), None, "`*` is no prefix");
        let named: Vec<_> = table.named().map(Prefix::as_str).collect();
        assert_eq!(named, ["+225", "+7", "+77"]);
    }

    #[test]
    fn a_value_alone_is_of_all_and_an_empty_text_is_of_nobody() {
        assert_eq!(table("5").unwrap().of_all(), Some(&5));
        assert_eq!(table("5").unwrap(), table("*=5").unwrap());
        for empty in ["", "  "] {
            assert_eq!(table(empty).unwrap(), Prefixes::default());
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, named) in [
            ("*=1,225=2", "225=2"),
            ("+=1", "+=1"),
            ("+22x=1", "+22x=1"),
            ("+0225=1", "+0225=1"),
            ("+٧=1", "+٧=1"),
            ("+1234567890123456=1", "+1234567890123456=1"),
            ("+7=,+8=1", "+7="),
            ("+7=1,+7=2", "+7=2"),
            ("1,2", "1"),
            ("+7=0,04", "04"),
            ("*=1,*=2", "*=2"),
            ("+7=1,", ""),
            ("+7=1=2", "+7=1=2"),
        ] {
            let problem = table(text).unwrap_err();
            assert!(problem.starts_with(&format!("`{named}`: ")), "{problem}");
        }
    }

    #[test]
    fn a_list_has_prefixes_alone() {
        let list: Prefixes<()> = "+7, +49".parse().unwrap();
        assert!(list.counts_for("+4915112345678").is_some());
        assert!(list.counts_for("+33612345678").is_none());
        for bad in ["7", "*", "+7=1", "+7,,+49"] {
            assert!(bad.parse::<Prefixes<()>>().is_err(), "{bad}");
        }
    }
}
