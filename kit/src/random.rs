//! Randomness, as a parameter: the only place that asks the operating system.

use ring::rand::SecureRandom as _;
use uuid::Uuid;

use crate::clock::Clock;

/// A source of unpredictable bytes.
pub trait Random: Send + Sync {
    /// Fills the whole of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's cryptographic generator.
#[derive(Clone, Debug)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl Default for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "randomness's one home")]
    fn default() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Random for SystemRandom {
    #[expect(clippy::expect_used, reason = "see the message")]
    fn fill(&self, bytes: &mut [u8]) {
        self.0
            .fill(bytes)
            .expect("getrandom fails only on kernels without it; no secret may be made then");
    }
}

/// `N` random bytes.
pub fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// A number drawn uniformly from `0..bound` (at most 2³²), by rejection: a plain
/// remainder would favour the small ones.
pub fn below(random: &dyn Random, bound: u64) -> u64 {
    let bound = bound.clamp(1, 1 << 32);
    let zone = u64::MAX - (u64::MAX % bound);
    loop {
        let drawn = u64::from_le_bytes(bytes(random));
        if drawn < zone {
            return drawn % bound;
        }
    }
}

/// `length` characters, each drawn uniformly from an ASCII `alphabet` of 1 to 256.
pub fn text(random: &dyn Random, alphabet: &[u8], length: usize) -> String {
    // A byte from here on is drawn again: it would favour the first characters.
    let even = 256 - 256 % alphabet.len().clamp(1, 256);
    let mut drawn = String::with_capacity(length);
    while drawn.len() < length {
        // A block at once, for each is a system call.
        let block: [u8; 32] = bytes(random);
        let even = block
            .into_iter()
            .map(usize::from)
            .filter(|&byte| byte < even);
        let characters = even.map(|byte| char::from(alphabet[byte % alphabet.len()]));
        drawn.extend(characters.take(length - drawn.len()));
    }
    drawn
}

/// A fresh UUIDv7 (RFC 9562): ordered by time, with 74 random bits.
pub fn uuid_v7(clock: &dyn Clock, random: &dyn Random) -> Uuid {
    let now = u64::try_from(clock.now().0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(now, &bytes(random)).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_drawn_evenly() {
        let random = SystemRandom::default();
        let drawn = text(&random, b"0123456789", 100_000);
        for digit in '0'..='9' {
            let count = drawn.chars().filter(|&drawn| drawn == digit).count();
            // 10,000 expected with a standard deviation of 95: ten of them
            // either way is a chance of one in 10^22.
            assert!((9_050..=10_950).contains(&count), "{digit}: {count}");
        }
    }

    #[test]
    fn every_value_below_the_bound_comes_up() {
        let random = SystemRandom::default();
        let mut seen = [false; 62];
        for _ in 0..10_000 {
            seen[usize::try_from(below(&random, 62)).unwrap()] = true;
        }
        assert!(seen.iter().all(|&seen| seen));
    }
}
