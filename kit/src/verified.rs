//! Tokens whose signatures were found good, so that each is checked once.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
};

use ring::digest::{Context, SHA256};

/// How many are kept, at the most twice over: some 500 bytes each.
const MOST: usize = 5_000;

type Digest = [u8; 32];

/// What tokens say, under the hash of the whole token and of the key that
/// verified it: when that key is gone, or is another one, nothing is found.
///
/// Whether a token is good still, by its times, is for the caller to ask.
pub(crate) struct Verified<C>(Mutex<Generations<C>>);

/// When the young ones are many they become the old ones, and those are
/// forgotten that were not asked for meanwhile.
struct Generations<C> {
    young: HashMap<Digest, C>,
    old: HashMap<Digest, C>,
}

impl<C> Default for Verified<C> {
    fn default() -> Self {
        Self(Mutex::new(Generations {
            young: HashMap::new(),
            old: HashMap::new(),
        }))
    }
}

impl<C: Clone> Verified<C> {
    /// What the token says; `check` finds it out if it was not seen before.
    pub(crate) fn or_check<E>(
        &self,
        token: &str,
        key: &[u8],
        check: impl FnOnce() -> Result<C, E>,
    ) -> Result<C, E> {
        let digest = digest(token, key);
        if let Some(claims) = self.find(&digest) {
            return Ok(claims);
        }
        let claims = check()?;
        self.with(|known| known.insert(digest, claims.clone()));
        Ok(claims)
    }

    fn find(&self, digest: &Digest) -> Option<C> {
        self.with(|known| {
            if let Some(claims) = known.young.get(digest) {
                return Some(claims.clone());
            }
            let claims = known.old.remove(digest)?;
            known.insert(*digest, claims.clone());
            Some(claims)
        })
    }

    fn with<T>(&self, step: impl FnOnce(&mut Generations<C>) -> T) -> T {
        // No step leaves it half done, so a panic in one spoils nothing.
        step(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<C> Generations<C> {
    fn insert(&mut self, digest: Digest, claims: C) {
        if self.young.len() >= MOST {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(digest, claims);
    }
}

fn digest(token: &str, key: &[u8]) -> Digest {
    let mut hash = Context::new(&SHA256);
    // Its length is fixed for each kind of key, so that the two cannot run into
    // each other.
    hash.update(key);
    hash.update(token.as_bytes());
    let mut digest = Digest::default();
    digest.copy_from_slice(hash.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(verified: &Verified<u32>, token: &str, key: &[u8], says: Result<u32, ()>) -> u32 {
        verified.or_check(token, key, || says).unwrap_or(0)
    }

    #[test]
    fn a_good_token_is_checked_once_with_a_key_and_a_bad_one_each_time() {
        let verified = Verified::default();
        assert_eq!(ask(&verified, "a", b"k", Err(())), 0);
        assert_eq!(ask(&verified, "a", b"k", Ok(1)), 1);
        assert_eq!(ask(&verified, "a", b"k", Err(())), 1);
        assert_eq!(ask(&verified, "a", b"l", Err(())), 0);
        assert_eq!(ask(&verified, "b", b"k", Err(())), 0);
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_makes_room() {
        let verified = Verified::default();
        assert_eq!(ask(&verified, "kept", b"k", Ok(1)), 1);
        assert_eq!(ask(&verified, "left", b"k", Ok(1)), 1);
        for each in 0..4 * MOST {
            assert_eq!(ask(&verified, &each.to_string(), b"k", Ok(2)), 2);
            assert_eq!(ask(&verified, "kept", b"k", Err(())), 1);
        }
        assert_eq!(ask(&verified, "left", b"k", Err(())), 0);
        let held = verified.with(|known| known.young.len() + known.old.len());
        assert!(held <= 2 * MOST, "{held}");
    }
}
