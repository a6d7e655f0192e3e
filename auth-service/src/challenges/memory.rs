//! Challenges in this process: for one process that starts with nothing
//! installed. They are lost when it ends; who was waiting asks again.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use kit::clock::UnixMillis;

use super::{
    BareCodes,
    expiring::Expiring,
    id::ChallengeId,
    store::{
        AddressKey, ChallengeStore, CodeHashes, CodeKind, FAILURE_WINDOW, Found, HOUR, MAX_INDEXED,
        MAX_TRIES, MISSES_KEPT, Matched, NewChallenge, PhoneKey, STARTS_KEPT, Start, Unavailable,
    },
    window::Window,
};
use crate::mac::Mac;

/// A challenge store in this process.
#[derive(Default)]
pub struct MemoryChallenges(Mutex<State>);

#[derive(Default)]
struct State {
    challenges: Expiring<ChallengeId, Challenge>,
    phones: Expiring<Mac, Phone>,
    pairs: Expiring<(Mac, Mac), Pair>,
    addresses: Expiring<Mac, Address>,
}

struct Challenge {
    matched: Matched,
    code: Mac,
    tries: u32,
}

/// What is known of a phone number.
#[derive(Default)]
struct Phone {
    /// Starts in a row.
    starts: u32,
    hour: Window,
}

/// What is known of a phone number at an address.
#[derive(Default)]
struct Pair {
    hour: Window,
    last: Option<UnixMillis>,
}

/// What is known of a client address.
#[derive(Default)]
struct Address {
    codes: Expiring<Mac, Indexed>,
    misses: u32,
    failures: Window,
    starts: Window,
}

struct Indexed {
    id: ChallengeId,
    /// How many misses there were when the challenge was started.
    misses_before: u32,
}

impl MemoryChallenges {
    fn state(&self) -> MutexGuard<'_, State> {
        // No step leaves the state half done, so a panic in one spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn purge(&mut self, now: UnixMillis) {
        self.challenges.purge(now);
        self.phones.purge(now);
        self.pairs.purge(now);
        self.addresses.purge(now);
    }

    /// An address's state, kept on for as long as misses are.
    fn address(&mut self, key: &AddressKey, now: UnixMillis) -> &mut Address {
        self.addresses.purge(now);
        let until = now.after(MISSES_KEPT);
        self.addresses.renewed(&key.0, now, until)
    }

    /// How long whoever wants to start this has to wait, if a limit is used up.
    fn refusal(&self, new: &NewChallenge, now: UnixMillis) -> Option<Duration> {
        let limits = new.limits;
        let of_phone = || {
            let phone = self.phones.get(&new.phone_key.0, now)?;
            phone.hour.full_for(limits.per_phone, HOUR, now)
        };
        let of_pair = || {
            let pair_key = (new.phone_key.0.clone(), new.address.0.clone());
            let pair = self.pairs.get(&pair_key, now)?;
            let most = limits.per_phone_and_address;
            let gap = || {
                let free = pair.last?.after(limits.gap);
                // Without a gap the clocks of two callers need not agree.
                let early = limits.gap > Duration::ZERO && free > now;
                early.then(|| now.until(free))
            };
            pair.hour.full_for(most, HOUR, now).or_else(gap)
        };
        let of_address = || {
            let address = self.addresses.get(&new.address.0, now)?;
            address.starts.full_for(new.per_address?, HOUR, now)
        };
        of_phone().or_else(of_pair).or_else(of_address)
    }

    /// Takes a challenge out, and its code out of the index.
    fn remove(&mut self, id: ChallengeId, address: &AddressKey, code: &Mac) {
        self.challenges.remove(&id);
        if let Some(address) = self.addresses.get_mut(&address.0, UnixMillis(0)) {
            address.release(code, id);
        }
    }
}

impl Address {
    fn miss(&mut self, now: UnixMillis) {
        self.misses += 1;
        self.failures.count(FAILURE_WINDOW, now);
    }

    /// Makes a challenge findable by the first of these codes that is free, and
    /// says which one that is.
    fn index<'a>(
        &mut self,
        new: &NewChallenge,
        codes: impl IntoIterator<Item = &'a CodeHashes>,
        now: UnixMillis,
    ) -> Indexing {
        self.codes.purge(now);
        if self.codes.len() >= MAX_INDEXED as usize {
            return Indexing::Full;
        }
        let free = |code: &CodeHashes| self.codes.get(&code.at_address, now).is_none();
        let mut codes = codes.into_iter().enumerate();
        let Some((index, code)) = codes.find(|(_, code)| free(code)) else {
            return Indexing::AllTaken;
        };
        let indexed = Indexed {
            id: new.id,
            misses_before: self.misses,
        };
        self.codes
            .insert(code.at_address.clone(), indexed, new.expires_at);
        Indexing::Done(index)
    }

    fn release(&mut self, code: &Mac, id: ChallengeId) {
        let indexed = self.codes.get(code, UnixMillis(0));
        if indexed.is_some_and(|indexed| indexed.id == id) {
            self.codes.remove(code);
        }
    }
}

/// What came of an attempt to make a challenge findable.
enum Indexing {
    Done(usize),
    AllTaken,
    Full,
}

#[async_trait]
impl ChallengeStore for MemoryChallenges {
    async fn start(&self, new: &NewChallenge, now: UnixMillis) -> Result<Start, Unavailable> {
        let mut state = self.state();
        state.purge(now);
        if let Some(retry_after) = state.refusal(new, now) {
            return Ok(Start::TooMany { retry_after });
        }
        let phone_key = &new.phone_key.0;
        let pair_key = (phone_key.clone(), new.address.0.clone());
        let pair = state.pairs.renewed(&pair_key, now, now.after(HOUR));
        pair.hour.count(HOUR, now);
        pair.last = Some(now);
        let kept = now.after(STARTS_KEPT);
        let phone = state.phones.renewed(phone_key, now, kept);
        phone.hour.count(HOUR, now);
        phone.starts += 1;
        let kind = if phone.starts > new.short_in_a_row {
            CodeKind::Long
        } else {
            CodeKind::Short
        };
        let challenge = Challenge {
            matched: Matched {
                id: new.id,
                phone: new.phone.clone(),
                invited_by: new.invited_by.clone(),
                address: new.address.clone(),
            },
            code: new.code(kind).of_challenge.clone(),
            tries: 0,
        };
        state.challenges.insert(new.id, challenge, new.expires_at);
        let address = state.address(&new.address, now);
        if new.per_address.is_some() {
            address.starts.count(HOUR, now);
        }
        if new.bare_codes == BareCodes::On
            && let Indexing::AllTaken = address.index(new, [new.code(kind)], now)
        {
            return Ok(Start::CodeTaken(kind));
        }
        Ok(Start::Started(kind))
    }

    async fn replace_code(
        &self,
        new: &NewChallenge,
        codes: &[CodeHashes],
        now: UnixMillis,
    ) -> Result<Option<usize>, Unavailable> {
        let mut state = self.state();
        let address = state.address(&new.address, now);
        let Indexing::Done(index) = address.index(new, codes, now) else {
            return Ok(None);
        };
        // Gone already is as good as replaced: no code answers it.
        if let Some(challenge) = state.challenges.get_mut(&new.id, UnixMillis(0)) {
            challenge.code = codes[index].of_challenge.clone();
        }
        Ok(Some(index))
    }

    async fn withdraw(&self, new: &NewChallenge, code: &CodeHashes) -> Result<(), Unavailable> {
        let mut state = self.state();
        let phone_key = &new.phone_key.0;
        if let Some(phone) = state.phones.get_mut(phone_key, UnixMillis(0)) {
            phone.hour.uncount();
            phone.starts = phone.starts.saturating_sub(1);
        }
        let pair_key = (phone_key.clone(), new.address.0.clone());
        if let Some(pair) = state.pairs.get_mut(&pair_key, UnixMillis(0)) {
            pair.hour.uncount();
            // Whoever may start has kept the gap.
            pair.last = None;
        }
        state.remove(new.id, &new.address, &code.at_address);
        Ok(())
    }

    async fn answer(
        &self,
        id: ChallengeId,
        of_challenge: &Mac,
        now: UnixMillis,
    ) -> Result<Option<Matched>, Unavailable> {
        let mut state = self.state();
        let challenge = state.challenges.get_mut(&id, now);
        let Some(challenge) = challenge.filter(|challenge| challenge.tries < MAX_TRIES) else {
            return Ok(None);
        };
        if challenge.code == *of_challenge {
            return Ok(Some(challenge.matched.clone()));
        }
        challenge.tries += 1;
        Ok(None)
    }

    async fn answer_bare(
        &self,
        address: &AddressKey,
        at_address: &Mac,
        most_failures: u32,
        now: UnixMillis,
    ) -> Result<Found, Unavailable> {
        let mut state = self.state();
        let address = state.address(address, now);
        let full = address
            .failures
            .full_for(most_failures, FAILURE_WINDOW, now);
        if let Some(retry_after) = full {
            return Ok(Found::TooMany { retry_after });
        }
        let indexed = address
            .codes
            .get(at_address, now)
            .filter(|indexed| address.misses - indexed.misses_before < MAX_TRIES);
        let Some(id) = indexed.map(|indexed| indexed.id) else {
            address.miss(now);
            return Ok(Found::Nothing);
        };
        // Nothing takes one out of the state without the other.
        let challenge = state.challenges.get(&id, now);
        Ok(challenge.map_or(Found::Nothing, |challenge| {
            Found::Challenge(challenge.matched.clone())
        }))
    }

    async fn spend(
        &self,
        matched: &Matched,
        phone: &PhoneKey,
        at_address: &Mac,
    ) -> Result<(), Unavailable> {
        let mut state = self.state();
        if let Some(phone) = state.phones.get_mut(&phone.0, UnixMillis(0)) {
            phone.starts = 0;
        }
        state.remove(matched.id, &matched.address, at_address);
        Ok(())
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}
