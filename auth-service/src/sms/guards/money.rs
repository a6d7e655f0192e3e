//! Amounts of money, without a currency: that of the price list.

use std::str::FromStr;

/// Digits behind the point: vendors' prices have up to five.
const DECIMALS: usize = 6;
/// Millionths in one.
const ONE: u64 = 1_000_000;
/// The most that an amount may be: a thousand million. Millionths of it are far
/// within what Lua's numbers hold exactly (2⁵³).
const MOST: u64 = 1_000_000_000;

/// An amount of money, exact to a millionth of the currency's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u64);

impl Money {
    /// In millionths of the unit.
    pub fn millionths(self) -> u64 {
        self.0
    }

    /// So many times as much, but no more than any amount may be.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(count.into()).min(MOST * ONE))
    }
}

impl FromStr for Money {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str =
            "expected an amount such as 0.045, with at most 6 digits behind the point";
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > DECIMALS {
            return Err(WANTED);
        }
        let number = |text: &str| text.parse::<u64>().map_err(|_| WANTED);
        let part = number(&format!("{part:0<DECIMALS$}"))?;
        let whole = number(whole)?;
        if whole >= MOST {
            return Err("expected less than a thousand million");
        }
        Ok(Self(whole * ONE + part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (text, millionths) in [
            ("0", 0),
            ("200", 200_000_000),
            ("10.50", 10_500_000),
            ("0.0079", 7_900),
            ("0.000001", 1),
            ("999999999.999999", 999_999_999_999_999),
        ] {
            assert_eq!(text.parse(), Ok(Money(millionths)), "{text}");
        }
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1,5",
            "1e3",
            "0.0000001",
            "1000000000",
            "1.2.3",
            "99999999999999999999",
        ] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_product_has_an_end() {
        let price: Money = "0.07".parse().unwrap();
        assert_eq!(price.times(3), "0.21".parse().unwrap());
        assert_eq!(price.times(0), Money::default());
        let dear: Money = "999999999".parse().unwrap();
        assert_eq!(dear.times(u32::MAX).millionths(), MOST * ONE);
    }
}
