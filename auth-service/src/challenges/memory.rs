//! Challenges in this process: for one process that starts with nothing
//! installed. They are lost when it ends; who was waiting asks again.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use kit::clock::UnixMillis;

use super::{
    expiring::Expiring,
    id::ChallengeId,
    store::{
        AddressKey, ChallengeStore, CodeKind, FAILURE_WINDOW, Found, HOUR, MAX_INDEXED, MAX_TRIES,
        MISSES_KEPT, Matched, Mismatch, NewChallenge, PhoneKey, Reservation, Reserved, STARTS_KEPT,
        Start, Unavailable,
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
}

impl Address {
    fn miss(&mut self, now: UnixMillis) {
        self.misses += 1;
        self.failures.count(FAILURE_WINDOW, now);
    }
}

#[async_trait]
impl ChallengeStore for MemoryChallenges {
    async fn start(&self, new: &NewChallenge, now: UnixMillis) -> Result<Start, Unavailable> {
        let mut state = self.state();
        state.purge(now);
        let limits = new.limits;
        let phone_key = &new.phone_key.0;
        let pair_key = (phone_key.clone(), new.address.0.clone());
        let phone_hour = state.phones.get(phone_key, now).map(|phone| phone.hour);
        let refused = phone_hour.and_then(|hour| hour.full_for(limits.per_phone, HOUR, now));
        let refused = refused.or_else(|| {
            let pair = state.pairs.get(&pair_key, now)?;
            let most = limits.per_phone_and_address;
            let gap = || {
                let free = pair.last?.after(limits.gap);
                // Without a gap the clocks of two callers need not agree.
                let early = limits.gap > Duration::ZERO && free > now;
                early.then(|| now.until(free))
            };
            pair.hour.full_for(most, HOUR, now).or_else(gap)
        });
        if let Some(retry_after) = refused {
            return Ok(Start::TooMany { retry_after });
        }
        let pair = state.pairs.renewed(&pair_key, now, now.after(HOUR));
        pair.hour.count(HOUR, now);
        pair.last = Some(now);
        let kept = now.after(STARTS_KEPT);
        let phone = state.phones.renewed(phone_key, now, kept);
        phone.hour.count(HOUR, now);
        phone.starts += 1;
        let (kind, code) = if phone.starts > new.short_in_a_row {
            (CodeKind::Long, &new.long_code)
        } else {
            (CodeKind::Short, &new.short_code)
        };
        let challenge = Challenge {
            matched: Matched {
                id: new.id,
                phone: new.phone.clone(),
                invited_by: new.invited_by.clone(),
                address: new.address.clone(),
            },
            code: code.clone(),
            tries: 0,
        };
        state.challenges.insert(new.id, challenge, new.expires_at);
        Ok(Start::Started(kind))
    }

    async fn withdraw(&self, new: &NewChallenge) -> Result<(), Unavailable> {
        let mut state = self.state();
        state.challenges.remove(&new.id);
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
        Ok(())
    }

    async fn replace_code(&self, id: ChallengeId, code: &Mac) -> Result<(), Unavailable> {
        // Gone already is as good as replaced: no code answers it.
        if let Some(challenge) = self.state().challenges.get_mut(&id, UnixMillis(0)) {
            challenge.code = code.clone();
        }
        Ok(())
    }

    async fn compare(
        &self,
        id: ChallengeId,
        code: &Mac,
        mismatch: Mismatch,
        now: UnixMillis,
    ) -> Result<Option<Matched>, Unavailable> {
        let mut state = self.state();
        let Some(challenge) = state.challenges.get_mut(&id, now) else {
            return Ok(None);
        };
        let counted = mismatch == Mismatch::CostsATry;
        if counted && challenge.tries >= MAX_TRIES {
            return Ok(None);
        }
        if challenge.code == *code {
            return Ok(Some(challenge.matched.clone()));
        }
        if counted {
            challenge.tries += 1;
        }
        Ok(None)
    }

    async fn forget(&self, id: ChallengeId, phone: &PhoneKey) -> Result<(), Unavailable> {
        let mut state = self.state();
        state.challenges.remove(&id);
        if let Some(phone) = state.phones.get_mut(&phone.0, UnixMillis(0)) {
            phone.starts = 0;
        }
        Ok(())
    }

    async fn reserve(
        &self,
        reservation: &Reservation<'_>,
        now: UnixMillis,
    ) -> Result<Reserved, Unavailable> {
        let mut state = self.state();
        let address = state.address(reservation.address, now);
        if let Some(most) = reservation.counted {
            if let Some(retry_after) = address.starts.full_for(most, HOUR, now) {
                return Ok(Reserved::TooMany { retry_after });
            }
            address.starts.count(HOUR, now);
        }
        address.codes.purge(now);
        if address.codes.len() >= MAX_INDEXED as usize {
            return Ok(Reserved::Full);
        }
        let free = |code: &Mac| address.codes.get(code, now).is_none();
        let Some(index) = reservation.codes.iter().position(free) else {
            return Ok(Reserved::AllTaken);
        };
        let indexed = Indexed {
            id: reservation.id,
            misses_before: address.misses,
        };
        let code = reservation.codes[index].clone();
        address.codes.insert(code, indexed, reservation.expires_at);
        Ok(Reserved::Code(index))
    }

    async fn find(
        &self,
        address: &AddressKey,
        code: &Mac,
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
        if let Some(indexed) = address.codes.get(code, now)
            && address.misses - indexed.misses_before < MAX_TRIES
        {
            return Ok(Found::Challenge(indexed.id));
        }
        address.miss(now);
        Ok(Found::Nothing)
    }

    async fn count_miss(&self, address: &AddressKey, now: UnixMillis) -> Result<(), Unavailable> {
        self.state().address(address, now).miss(now);
        Ok(())
    }

    async fn release(
        &self,
        address: &AddressKey,
        code: &Mac,
        id: ChallengeId,
    ) -> Result<(), Unavailable> {
        let mut state = self.state();
        if let Some(address) = state.addresses.get_mut(&address.0, UnixMillis(0))
            && let Some(indexed) = address.codes.get(code, UnixMillis(0))
            && indexed.id == id
        {
            address.codes.remove(code);
        }
        Ok(())
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}
