//! How long to wait before another attempt.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

/// A span drawn from `least` up to twice that. It keeps those who failed
/// together from coming back together; nothing secret hangs on it.
pub fn jittered(least: Duration) -> Duration {
    let parts = 1 << 16;
    let drawn = RandomState::new().hash_one(parts) % parts;
    // The remainder is below 2^16.
    let drawn = u32::try_from(drawn).unwrap_or(0);
    least + least * drawn / (1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_between_the_least_and_its_double() {
        let least = Duration::from_millis(100);
        let drawn: Vec<_> = (0..200).map(|_| jittered(least)).collect();
        assert!(
            drawn
                .iter()
                .all(|&pause| pause >= least && pause < 2 * least)
        );
        // Half of 200 are expected; fewer than 50 but for one run in 10^12.
        let late = drawn.iter().filter(|&&pause| pause > least * 3 / 2);
        assert!(late.count() > 50);
    }
}
