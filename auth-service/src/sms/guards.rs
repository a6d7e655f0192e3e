//! What keeps people from living off the messages.
//!
//! Whoever gets a share of what messages to a country cost asks for many codes
//! there and enters none. Three guards are in the way: the list of countries, the
//! budget of the day, and the breaker, which holds messages back where too few of
//! their codes are entered. This file asks them; [`rules`] says what they hold
//! to, and the stores in [`memory`] and [`redis`] count, all guards in one atomic
//! step.

pub mod dry_run;
pub mod memory;
mod meters;
pub mod money;
pub mod redis;
pub mod rules;
pub mod slots;
pub mod store;
mod watch;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kit::{clock::UnixMillis, metrics::Metrics};
use uuid::Uuid;

use super::{NotSent, message::Message};
use crate::{
    challenges::ChallengeId,
    mac::{Hasher, Label, Mac},
};
use meters::{Meters, Refusal};
use rules::GuardRules;
use store::{Admission, Exceeded, Fate, GuardStore, Mode, SentCode, end_of_day};

pub(crate) use watch::start;

/// When a number whose country is not allowed may be asked for again: settings
/// change, but not by the minute.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Messages of which it has to be told once more that their fate is known. More
/// than that are told as lost.
const MOST_UNSETTLED: usize = 10_000;

/// A message that a guard does not let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRefusal {
    /// Which guard.
    pub guard: Guard,
    /// When it may be otherwise.
    pub retry_after: Duration,
}

/// A guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// The number's country is not one that messages are sent to.
    Countries,
    /// The day's messages, or what they may cost, are used up.
    Budget,
    /// Too few of the codes that went there, or were asked for from there, were
    /// entered.
    Breaker,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Countries, Self::Budget, Self::Breaker];

    /// Its name in settings, metrics and the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Countries => "countries",
            Self::Budget => "budget",
            Self::Breaker => "breaker",
        }
    }
}

/// The guards, over what they count.
pub struct Guards {
    rules: GuardRules,
    store: Arc<dyn GuardStore>,
    hasher: Arc<Hasher>,
    meters: Meters,
    /// Their fate is known, and the store is still to be told.
    unsettled: Mutex<Vec<Uuid>>,
}

#[cfg(test)]
impl Default for Guards {
    /// Guards that let everything pass, for tests of what is behind them.
    fn default() -> Self {
        Self::new(
            GuardRules::default(),
            Arc::new(memory::MemoryGuards::default()),
            Arc::new(Hasher::new(&kit::settings::SecretKey::new([0; 32]))),
            &Metrics::default(),
        )
    }
}

impl Guards {
    /// Guards that hold to `rules`. The store sees hashes alone of addresses and
    /// challenges.
    pub fn new(
        rules: GuardRules,
        store: Arc<dyn GuardStore>,
        hasher: Arc<Hasher>,
        metrics: &Metrics,
    ) -> Self {
        let meters = Meters::new(metrics, &rules);
        Self {
            rules,
            store,
            hasher,
            meters,
            unsettled: Mutex::default(),
        }
    }

    /// Counts a message and says whether it may be sent. What is refused is not
    /// counted. From here on the message is known as under way, until
    /// [`Guards::settle`].
    ///
    /// # Errors
    /// When a guard refuses it, or the counts cannot be used now: then it is not
    /// to be sent either.
    pub async fn admit(&self, message: &Message, now: UnixMillis) -> Result<(), NotSent> {
        if !self.rules.allow(&message.phone) {
            let guard = Guard::Countries;
            let mode = self.rules.mode_of(guard);
            self.tell(message, guard, "country", mode);
            if mode == Mode::Enforce {
                return Err(NotSent::Guarded(GuardRefusal {
                    guard,
                    retry_after: DAY,
                }));
            }
        }
        let admission = self.admission(message);
        let exceeded = match self.store.admit(&admission, now).await {
            Ok(exceeded) => exceeded,
            Err(unavailable) => {
                // It may have been noted all the same, and is not under way.
                self.settle_later(&[message.id]);
                return Err(unavailable.into());
            }
        };
        let mut refusal: Option<GuardRefusal> = None;
        for limit in exceeded {
            let (guard, name, retry_after) = match limit {
                Exceeded::Amount(index) => {
                    let amount = admission.amounts.get(index);
                    let name = amount.map_or("messages", |it| it.counter.what.name());
                    (Guard::Budget, name, now.until(end_of_day(now)))
                }
                Exceeded::Prefix { wait } => (Guard::Breaker, "prefix", wait),
                Exceeded::Block { wait } => (Guard::Breaker, "address_block", wait),
            };
            let mode = admission.mode_of(limit);
            self.tell(message, guard, name, mode);
            // Of several, the one that lasts longest: before, it is no use.
            let longer = refusal.is_none_or(|before| before.retry_after < retry_after);
            if mode == Mode::Enforce && longer {
                refusal = Some(GuardRefusal { guard, retry_after });
            }
        }
        if let Some(refusal) = refusal {
            return Err(NotSent::Guarded(refusal));
        }
        self.meters.admitted(self.rules.name_of(&message.phone));
        Ok(())
    }

    /// What became of a message is known and told: it is not lost.
    pub async fn settle(&self, message: Uuid) {
        if let Err(error) = self.store.settle(&[message]).await {
            tracing::debug!(%error, "it is noted later that a message is under way no more");
            self.settle_later(&[message]);
        }
    }

    /// A message surely reached nobody: that its code is never entered says
    /// nothing of whoever asked for it. The budget stays spent. This settles it
    /// too.
    pub async fn not_sent(&self, message: &Message, now: UnixMillis) {
        self.resolve(message.challenge, Fate::NotSent, now).await;
        self.settle(message.id).await;
    }

    /// The code of this challenge was entered.
    pub async fn entered(&self, challenge: ChallengeId, now: UnixMillis) {
        if let Some(prefix) = self.resolve(challenge, Fate::Entered, now).await {
            self.meters.entered(&prefix);
        }
    }

    async fn resolve(&self, challenge: ChallengeId, fate: Fate, now: UnixMillis) -> Option<String> {
        self.rules.judge()?;
        let challenge = self.hashed(challenge);
        match self.store.resolve(&challenge, fate, now).await {
            Ok(prefix) => prefix,
            Err(error) => {
                tracing::warn!(%error, "a code counts as not entered");
                None
            }
        }
    }

    fn admission(&self, message: &Message) -> Admission {
        let block = rules::block(message.client).to_string();
        Admission {
            message: message.id,
            expires_at: message.expires_at,
            amounts: self.rules.amounts(message),
            budget: self.rules.mode_of(Guard::Budget),
            code: self.rules.judge().map(|judge| SentCode {
                challenge: self.hashed(message.challenge),
                prefix: self.rules.judged_with(&message.phone),
                block: self.hasher.mac(Label::AddressBlock, &[&block]),
                judge,
            }),
            breaker: self.rules.mode_of(Guard::Breaker),
        }
    }

    fn hashed(&self, challenge: ChallengeId) -> Mac {
        let name = challenge.to_string();
        self.hasher.mac(Label::ChallengeOfMessage, &[&name])
    }

    fn tell(&self, message: &Message, guard: Guard, limit: &'static str, mode: Mode) {
        self.meters.refused(&Refusal {
            message,
            guard,
            limit,
            mode,
            prefix: self.rules.name_of(&message.phone),
        });
    }

    fn unsettled(&self) -> MutexGuard<'_, Vec<Uuid>> {
        // It is whole at any time.
        self.unsettled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn settle_later(&self, messages: &[Uuid]) {
        let mut unsettled = self.unsettled();
        let room = MOST_UNSETTLED.saturating_sub(unsettled.len());
        unsettled.extend(messages.iter().take(room));
    }
}
