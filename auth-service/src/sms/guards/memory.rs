//! The guards' counts in this process: for one process that starts with nothing
//! installed. They are lost when it ends, and so is what was under way.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use kit::clock::UnixMillis;
use uuid::Uuid;

use super::{
    slots::{Slots, slot},
    store::{
        Admission, Amount, COUNTS_KEPT, Exceeded, Fate, GuardStore, Mode, NOTE_KEPT,
        OVERDUE_AT_ONCE, Round, SentCode, day, end_of_day,
    },
};
use crate::{
    challenges::{expiring::Expiring, store::Unavailable},
    mac::Mac,
};

/// A store of the guards' counts in this process.
#[derive(Default)]
pub struct MemoryGuards(Mutex<State>);

#[derive(Default)]
struct State {
    days: Expiring<i64, BTreeMap<String, u64>>,
    under_way: HashMap<Uuid, UnixMillis>,
    codes: Expiring<Mac, Counted>,
    prefixes: Expiring<String, Slots>,
    blocks: Expiring<Mac, Slots>,
}

/// Where a code is counted.
struct Counted {
    prefix: String,
    block: Mac,
    slot: i64,
}

impl MemoryGuards {
    fn state(&self) -> MutexGuard<'_, State> {
        // No step leaves the state half done, so a panic in one spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn purge(&mut self, now: UnixMillis) {
        self.days.purge(now);
        self.codes.purge(now);
        self.prefixes.purge(now);
        self.blocks.purge(now);
    }

    fn exceeded(&self, admission: &Admission, now: UnixMillis) -> Vec<Exceeded> {
        let today = self.days.get(&day(now), now);
        let too_many = |amount: &Amount| {
            let counted = today.and_then(|counts| counts.get(&amount.counter.to_string()));
            let after = counted.unwrap_or(&0).saturating_add(amount.amount);
            amount.most.is_some_and(|most| after > most)
        };
        let amounts = admission.amounts.iter().enumerate();
        let mut exceeded: Vec<Exceeded> = amounts
            .filter(|(_, amount)| too_many(amount))
            .map(|(index, _)| Exceeded::Amount(index))
            .collect();
        if let Some(code) = &admission.code {
            let tripped = |slots: Option<&Slots>| slots?.tripped(code.judge, now);
            let prefix = tripped(self.prefixes.get(&code.prefix, now));
            let block = tripped(self.blocks.get(&code.block, now));
            exceeded.extend(prefix.map(|wait| Exceeded::Prefix { wait }));
            exceeded.extend(block.map(|wait| Exceeded::Block { wait }));
        }
        exceeded
    }

    fn count_code(&mut self, code: &SentCode, expires_at: UnixMillis, now: UnixMillis) {
        let (ends_in, kept) = (slot(expires_at), now.after(COUNTS_KEPT));
        for slots in [
            self.prefixes.renewed(&code.prefix, now, kept),
            self.blocks.renewed(&code.block, now, kept),
        ] {
            slots.purge(now);
            slots.sent(ends_in, 1);
        }
        let counted = Counted {
            prefix: code.prefix.clone(),
            block: code.block.clone(),
            slot: ends_in,
        };
        let noted_until = expires_at.after(NOTE_KEPT);
        self.codes
            .insert(code.challenge.clone(), counted, noted_until);
    }
}

#[async_trait]
impl GuardStore for MemoryGuards {
    async fn admit(
        &self,
        admission: &Admission,
        now: UnixMillis,
    ) -> Result<Vec<Exceeded>, Unavailable> {
        let mut state = self.state();
        state.purge(now);
        let exceeded = state.exceeded(admission, now);
        let refuses = |&it: &Exceeded| admission.mode_of(it) == Mode::Enforce;
        if exceeded.iter().any(refuses) {
            return Ok(exceeded);
        }
        let today = state.days.renewed(&day(now), now, end_of_day(now));
        for amount in &admission.amounts {
            *today.entry(amount.counter.to_string()).or_default() += amount.amount;
        }
        state
            .under_way
            .insert(admission.message, admission.expires_at);
        if let Some(code) = &admission.code {
            state.count_code(code, admission.expires_at, now);
        }
        Ok(exceeded)
    }

    async fn settle(&self, messages: &[Uuid]) -> Result<(), Unavailable> {
        let mut state = self.state();
        for message in messages {
            state.under_way.remove(message);
        }
        Ok(())
    }

    async fn resolve(
        &self,
        challenge: &Mac,
        fate: Fate,
        now: UnixMillis,
    ) -> Result<Option<String>, Unavailable> {
        let mut state = self.state();
        state.purge(now);
        let Some(code) = state.codes.remove(challenge) else {
            return Ok(None);
        };
        let State {
            prefixes, blocks, ..
        } = &mut *state;
        let counts = [
            prefixes.get_mut(&code.prefix, now),
            blocks.get_mut(&code.block, now),
        ];
        for slots in counts.into_iter().flatten() {
            match fate {
                Fate::Entered => slots.entered(code.slot),
                Fate::NotSent => slots.sent(code.slot, -1),
            }
        }
        Ok(Some(code.prefix))
    }

    async fn look_round(&self, overdue: UnixMillis, now: UnixMillis) -> Result<Round, Unavailable> {
        let mut state = self.state();
        let late = state.under_way.iter().filter(|(_, ends)| **ends <= overdue);
        let mut late: Vec<(UnixMillis, Uuid)> = late.map(|(id, ends)| (*ends, *id)).collect();
        late.sort_unstable();
        late.truncate(OVERDUE_AT_ONCE as usize);
        for (_, id) in &late {
            state.under_way.remove(id);
        }
        let counts = state.days.get(&day(now), now);
        let counts = counts.into_iter().flatten();
        Ok(Round {
            overdue: late.into_iter().map(|(_, id)| id).collect(),
            under_way: state.under_way.len() as u64,
            counts: counts.map(|(name, count)| (name.clone(), *count)).collect(),
        })
    }
}
