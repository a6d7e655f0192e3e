//! Ids for requests that bring none.

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;

use crate::random::Random;

/// How long an id is, in bytes before it is written.
const LENGTH: usize = 16;
/// How much is drawn at once, in bytes: each time is a system call.
const BLOCK: usize = 64 * LENGTH;

/// Draws ids. Clones draw from the same block.
#[derive(Clone)]
pub(super) struct Ids {
    random: Arc<dyn Random>,
    block: Arc<Mutex<Block>>,
}

struct Block {
    bytes: [u8; BLOCK],
    used: usize,
}

impl Ids {
    pub(super) fn new(random: Arc<dyn Random>) -> Self {
        let block = Block {
            bytes: [0; BLOCK],
            used: BLOCK,
        };
        Self {
            random,
            block: Arc::new(Mutex::new(block)),
        }
    }

    /// A fresh id: 128 random bits in hexadecimal.
    pub(super) fn next(&self) -> HeaderValue {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 2 * LENGTH];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.draw()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }

    fn draw(&self) -> [u8; LENGTH] {
        // A panic while it is filled leaves `used` as it was: it is filled again.
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        if block.used == BLOCK {
            self.random.fill(&mut block.bytes);
            block.used = 0;
        }
        let mut drawn = [0; LENGTH];
        drawn.copy_from_slice(&block.bytes[block.used..block.used + LENGTH]);
        block.used += LENGTH;
        drawn
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn no_two_ids_are_the_same_over_several_blocks() {
        let ids = Ids::new(Arc::new(SystemRandom::default()));
        let others = ids.clone();
        let drawn: HashSet<_> = (0..1_000)
            .flat_map(|_| [ids.next(), others.next()])
            .collect();
        assert_eq!(drawn.len(), 2_000);
        let is_hexadecimal =
            |id: &HeaderValue| id.len() == 32 && id.as_bytes().iter().all(u8::is_ascii_hexdigit);
        assert!(drawn.iter().all(is_hexadecimal));
    }
}
