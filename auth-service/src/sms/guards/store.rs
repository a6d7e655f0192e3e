//! What a store of the guards' counts does: atomic steps, all on one slot.
//!
//! Limits come in with every step, so that nothing is stored but counts, and
//! replicas that are being given other settings agree on what was counted. The
//! time comes in too: a test can hold it.

use std::{collections::HashMap, fmt, time::Duration};

use async_trait::async_trait;
use kit::clock::UnixMillis;
use uuid::Uuid;

use super::slots::Judge;
use crate::{challenges::store::Unavailable, mac::Mac, sms::prefixes::Prefix};

/// Overdue messages that are taken out at once.
pub const OVERDUE_AT_ONCE: u32 = 100;

/// How long the note of a code outlives it: that it was never sent may become
/// known late.
pub const NOTE_KEPT: Duration = Duration::from_secs(60);

/// How long the counts of codes are kept after the last of them was sent: the
/// longest life that a code can have, and the hour in which it is judged.
pub const COUNTS_KEPT: Duration = Duration::from_secs(2 * 3600 + 120);

/// Whether a guard refuses, or only says what it would refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It refuses.
    #[default]
    Enforce,
    /// It lets everything pass.
    DryRun,
}

/// What is counted in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Messages.
    Messages,
    /// What they cost, in millionths of the currency's unit.
    Cost,
}

/// A count of a day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counter {
    /// What is counted.
    pub what: What,
    /// Which numbers' messages; `None` for all.
    pub prefix: Option<Prefix>,
}

/// Its name in a store: `messages:*`, `cost:+225`.
impl fmt::Display for Counter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Messages => "messages",
            What::Cost => "cost",
        };
        let prefix = self.prefix.as_ref().map_or("*", Prefix::as_str);
        write!(formatter, "{what}:{prefix}")
    }
}

/// What a message adds to a count of the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Which count.
    pub counter: Counter,
    /// How much.
    pub amount: u64,
    /// The most that the count may come to.
    pub most: Option<u64>,
}

/// What is noted of a code for the breaker.
#[derive(Clone, Debug)]
pub struct SentCode {
    /// Its challenge, hashed: the name itself is a capability.
    pub challenge: Mac,
    /// The numbers that it is counted with.
    pub prefix: String,
    /// The address block that it is counted with, hashed.
    pub block: Mac,
    /// When the breaker trips.
    pub judge: Judge,
}

/// A message that asks to be sent.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Its name.
    pub message: Uuid,
    /// When its code stops being accepted; by then its fate is known.
    pub expires_at: UnixMillis,
    /// What it adds to the counts of the day.
    pub amounts: Vec<Amount>,
    /// Whether too large a count refuses.
    pub budget: Mode,
    /// What the breaker looks at, if there is one.
    pub code: Option<SentCode>,
    /// Whether a breaker that tripped refuses.
    pub breaker: Mode,
}

/// A limit that a message would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// The one of the amount at this index, until the day ends.
    Amount(usize),
    /// Too few codes of the prefix were entered.
    Prefix {
        /// When that may be otherwise.
        wait: Duration,
    },
    /// Too few codes of the address block were entered.
    Block {
        /// When that may be otherwise.
        wait: Duration,
    },
}

impl Admission {
    /// Whether this refuses the message.
    pub fn mode_of(&self, exceeded: Exceeded) -> Mode {
        match exceeded {
            Exceeded::Amount(_) => self.budget,
            Exceeded::Prefix { .. } | Exceeded::Block { .. } => self.breaker,
        }
    }
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was entered.
    Entered,
    /// It surely never left: nobody could enter it.
    NotSent,
}

/// What a look at everything finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Messages whose fate nobody told in time, taken out by this; at most
    /// [`OVERDUE_AT_ONCE`].
    pub overdue: Vec<Uuid>,
    /// Messages under way.
    pub under_way: u64,
    /// The counts of the day, by [`Counter`]'s name.
    pub counts: HashMap<String, u64>,
}

/// Keeps the guards' counts, each for as long as it matters and no longer.
#[async_trait]
pub trait GuardStore: Send + Sync {
    /// Counts a message and notes it as under way, unless it exceeds a limit
    /// that refuses; then nothing is counted. Returns the limits that it
    /// exceeds.
    async fn admit(
        &self,
        admission: &Admission,
        now: UnixMillis,
    ) -> Result<Vec<Exceeded>, Unavailable>;

    /// Notes messages as no longer under way.
    async fn settle(&self, messages: &[Uuid]) -> Result<(), Unavailable>;

    /// Counts what became of a code, once; returns the prefix that it was
    /// counted with. `None` if nothing is known of it (any more).
    async fn resolve(
        &self,
        challenge: &Mac,
        fate: Fate,
        now: UnixMillis,
    ) -> Result<Option<String>, Unavailable>;

    /// Takes out what was to end before `overdue`, and reads what there is.
    async fn look_round(&self, overdue: UnixMillis, now: UnixMillis) -> Result<Round, Unavailable>;
}

/// Milliseconds of a day.
const DAY_MILLIS: i64 = 24 * 3600 * 1000;

/// The number of the UTC day since the Unix epoch.
pub fn day(now: UnixMillis) -> i64 {
    now.0.div_euclid(DAY_MILLIS)
}

/// The midnight (UTC) that ends the day.
pub fn end_of_day(now: UnixMillis) -> UnixMillis {
    UnixMillis((day(now) + 1) * DAY_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_utc() {
        // 2027-01-15T08:00:00Z
        let now = UnixMillis(1_800_000_000_000);
        assert_eq!(now.until(end_of_day(now)), Duration::from_secs(16 * 3600));
        let midnight = end_of_day(now);
        assert_eq!(day(midnight), day(now) + 1);
        assert_eq!(day(UnixMillis(midnight.0 - 1)), day(now));
        assert_eq!(midnight.until(end_of_day(midnight)).as_secs(), 86_400);
    }
}
