//! Counts as numbers to calculate with, and the middle of several.

use std::time::Duration;

/// A count as a number; exact up to 2⁵³.
#[expect(
    clippy::cast_precision_loss,
    reason = "nothing here counts as far as that"
)]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// A share in microseconds.
pub(crate) fn micros_each(span: Duration, count: u64) -> f64 {
    span.as_secs_f64() * 1e6 / number(count.max(1))
}

/// The middle of some values, and how far apart they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// The least and the greatest without the quarter of the least and the quarter of the
    /// greatest.
    pub(crate) middle_half: [f64; 2],
}

impl Spread {
    /// Of nothing, all of it is 0.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) else {
            return Self::default();
        };
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        let quarter = sorted.len() / 4;
        Self {
            median,
            least,
            most,
            middle_half: [sorted[quarter], sorted[sorted.len() - 1 - quarter]],
        }
    }

    /// Of what each of these tells.
    pub(crate) fn of_each<T>(all: &[T], tell: impl Fn(&T) -> f64) -> Self {
        Self::of(&all.iter().map(tell).collect::<Vec<_>>())
    }

    /// The same in another unit.
    pub(crate) fn scaled(self, by: f64) -> Self {
        Self {
            median: self.median * by,
            least: self.least * by,
            most: self.most * by,
            middle_half: self.middle_half.map(|end| end * by),
        }
    }
}

/// How many times as much as the others these tell, round by round.
pub(crate) fn ratios<T>(own: &[T], others: &[T], tell: impl Fn(&T) -> f64) -> Vec<f64> {
    quotients(own.iter().map(&tell), others.iter().map(&tell))
}

/// The same of what was told.
pub(crate) fn quotients(
    own: impl IntoIterator<Item = f64>,
    others: impl IntoIterator<Item = f64>,
) -> Vec<f64> {
    let rounds = own.into_iter().zip(others);
    rounds
        .map(|(own, other)| own / other.max(f64::MIN_POSITIVE))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        let of = |median, least, most, middle_half| Spread {
            median,
            least,
            most,
            middle_half,
        };
        assert_eq!(Spread::of(&[]), of(0.0, 0.0, 0.0, [0.0, 0.0]));
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), of(2.0, 1.0, 3.0, [1.0, 3.0]));
        let four = of(2.5, 1.0, 4.0, [2.0, 3.0]);
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]), four);
    }

    #[test]
    fn a_ratio_is_of_one_round() {
        let found = ratios(&[1.0, 9.0], &[2.0, 3.0], |told: &f64| *told);
        assert!((found[0] - 0.5).abs() < 1e-9 && (found[1] - 3.0).abs() < 1e-9);
    }

    #[test]
    fn the_middle_half_has_no_extremes() {
        let found = Spread::of(&[9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        let expected = Spread {
            median: 4.5,
            least: 1.0,
            most: 9.0,
            middle_half: [3.0, 6.0],
        };
        assert_eq!(found, expected);
    }
}
