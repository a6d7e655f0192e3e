//! Inputs that are nearly right: seeds, changed a little.

/// What means something to many parsers.
const WORDS: [&str; 28] = [
    "\0",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\"",
    "\\",
    "%00",
    "%",
    "&",
    "=",
    ",",
    ".",
    ":",
    "/",
    "@",
    "-1",
    "0",
    "00000000",
    "2147483648",
    "9223372036854775807",
    "18446744073709551616",
    "1e999",
    "\u{661}",
    "\u{ff11}",
    "\u{202e}",
    "\u{feff}",
    "\u{10ffff}",
];

/// The longest input that is made.
const LONGEST: usize = 4096;

/// A generator of numbers (SplitMix64): the same ones for the same seed.
pub(crate) struct Generator(u64);

impl Generator {
    /// Starts from a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`; 0 if there is none. Its slight unevenness does
    /// not matter here.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap();
        usize::try_from(self.next() % bound).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A range within `length`, mostly a short one.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = if self.below(4) == 0 { length } else { 8 };
        let end = length.min(start + self.below(most) + 1);
        start..end
    }
}

/// A member of `pool`, changed in one to six places.
pub(crate) fn mutant(random: &mut Generator, pool: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut input = random.pick(pool).clone();
    for _ in 0..=random.below(6) {
        change(random, &mut input, pool, words);
    }
    input.truncate(LONGEST);
    input
}

fn change(random: &mut Generator, input: &mut Vec<u8>, pool: &[Vec<u8>], words: &[&str]) {
    let place = random.below(input.len() + 1);
    let range = random.range(input.len());
    match random.below(10) {
        0 => {
            if let Some(byte) = input.get_mut(place) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(place) {
                *byte = random.byte();
            }
        }
        // A digit for a digit, a letter for a letter: still right, to the eye.
        2 => {
            if let Some(byte) = input.get_mut(place) {
                *byte = match byte {
                    b'0'..=b'9' => *random.pick(b"0123456789"),
                    b'a'..=b'z' | b'A'..=b'Z' => *random.pick(b"abefxzABEFXZ"),
                    _ => *random.pick(b" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
                }
            }
        }
        3 => input.insert(place, random.byte()),
        4 => {
            input.drain(range);
        }
        5 => {
            let copy = input[range].to_vec();
            input.splice(place..place, copy);
        }
        6 => {
            let other = random.pick(pool);
            let from = random.below(other.len() + 1);
            input.truncate(place);
            input.extend_from_slice(&other[from..]);
        }
        7 => {
            let other = random.pick(pool);
            let piece = other[random.range(other.len())].to_vec();
            input.splice(range, piece);
        }
        8 if !words.is_empty() => {
            let word = random.pick(words).bytes();
            input.splice(range, word);
        }
        _ => {
            let list = if random.below(2) == 0 || words.is_empty() {
                &WORDS[..]
            } else {
                words
            };
            let word = random.pick(list).bytes();
            input.splice(place..place, word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        let pool = [b"+7 777 777 77 66".to_vec(), Vec::new()];
        let made = |seed| {
            let mut random = Generator::new(seed);
            let make = |_| mutant(&mut random, &pool, &["+44"]);
            (0..200).map(make).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
    }
}
