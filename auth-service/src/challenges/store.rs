//! What a challenge store does: the moments of a sign-in, each atomic in a slot.
//!
//! A phone number has a slot, with its live challenges and its count of
//! starts; a client address has another, with an index from codes to
//! challenges. An answer touches one slot. A start and what ends a challenge
//! touch both: in one step where they can, or in two, of which the second may
//! fail, so that a Redis Cluster serves. The time comes in with every moment: a
//! test can hold it.

use std::time::Duration;

use async_trait::async_trait;
use kit::{clock::UnixMillis, metrics::Metrics};

use crate::{
    challenges::{BareCodes, id::ChallengeId},
    mac::Mac,
    phone::PhoneNumber,
};

/// Tries at a challenge by its name, and apart from these, missed look-ups at
/// its address while it lives.
pub const MAX_TRIES: u32 = 5;
/// Live challenges at one address that can be found by their code. With four
/// digits half of all codes are in use then.
pub const MAX_INDEXED: u32 = 5_000;
/// How long a phone's starts are remembered after the last one.
pub const STARTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long an address's misses are remembered after the last one or the last
/// start there: longer than any challenge lives.
pub const MISSES_KEPT: Duration = Duration::from_secs(2 * 3600);

/// The time in which starts are limited.
pub const HOUR: Duration = Duration::from_secs(3600);
/// The time in which missed look-ups of an address are limited.
pub const FAILURE_WINDOW: Duration = Duration::from_secs(600);

/// The store cannot be used now.
#[derive(Debug, thiserror::Error)]
#[error("the challenge store cannot be used: {0}")]
pub struct Unavailable(pub String);

/// A client address, hashed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddressKey(pub Mac);

/// A phone number, hashed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PhoneKey(pub Mac);

/// A code, hashed for both ways to enter it.
#[derive(Clone, Debug)]
pub struct CodeHashes {
    /// With the challenge's name.
    pub of_challenge: Mac,
    /// Alone, at the address where the challenge was started.
    pub at_address: Mac,
}

/// A challenge to be started.
#[derive(Clone, Debug)]
pub struct NewChallenge {
    /// Its name.
    pub id: ChallengeId,
    /// Who asked.
    pub phone_key: PhoneKey,
    /// The number that the code goes to.
    pub phone: PhoneNumber,
    /// An invite code for a first sign-in.
    pub invited_by: Option<String>,
    /// Where it was started.
    pub address: AddressKey,
    /// The code, should a short one do.
    pub short_code: CodeHashes,
    /// The code, should it have to be a long one.
    pub long_code: CodeHashes,
    /// How many starts in a row get short codes.
    pub short_in_a_row: u32,
    /// Whether it is to be found by its code alone.
    pub bare_codes: BareCodes,
    /// When it stops being answered.
    pub expires_at: UnixMillis,
    /// How many starts are allowed for the phone.
    pub limits: PhoneLimits,
    /// How many are allowed at the address in an hour, counted from the first
    /// of them. `None` for one that is not counted there.
    pub per_address: Option<u32>,
}

impl NewChallenge {
    /// The code of this kind.
    pub fn code(&self, kind: CodeKind) -> &CodeHashes {
        match kind {
            CodeKind::Short => &self.short_code,
            CodeKind::Long => &self.long_code,
        }
    }
}

/// How many challenges may be started for a phone number in an hour, counted
/// from the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneLimits {
    /// From everywhere.
    pub per_phone: u32,
    /// From one address.
    pub per_phone_and_address: u32,
    /// The least time between two from one address.
    pub gap: Duration,
}

/// What came of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It is started, with this one of its two codes.
    Started(CodeKind),
    /// The same, but a live challenge at the address has that code: this one is
    /// reachable by its name alone.
    CodeTaken(CodeKind),
    /// A limit is used up, the phone's or else the address's; nothing was
    /// counted.
    TooMany {
        /// When there is room again.
        retry_after: Duration,
    },
}

/// Which of its two codes a challenge got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeKind {
    /// The usual length.
    Short,
    /// The phone asked too often in a row.
    Long,
}

/// What came of a code that was entered alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The challenge that has the code.
    Challenge(Matched),
    /// None has; the miss is counted.
    Nothing,
    /// There were too many misses at the address; nothing was looked up.
    TooMany {
        /// When there is room again.
        retry_after: Duration,
    },
}

/// A challenge whose code was entered. It is not spent by this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Its name.
    pub id: ChallengeId,
    /// The number that the code went to.
    pub phone: PhoneNumber,
    /// An invite code for a first sign-in.
    pub invited_by: Option<String>,
    /// Where it was started.
    pub address: AddressKey,
}

/// Keeps challenges, for as long as each lives and no longer.
#[async_trait]
pub trait ChallengeStore: Send + Sync {
    /// Starts a challenge, counts the start, and makes the challenge findable
    /// by its code if no live one at its address has that, and if there is room
    /// in the address's index. Which of the two codes it got depends on how many
    /// starts there were in a row.
    async fn start(&self, new: &NewChallenge, now: UnixMillis) -> Result<Start, Unavailable>;

    /// Gives a challenge the first of these codes that no live one at its
    /// address has. `None` when each is in use there, or the index is full.
    async fn replace_code(
        &self,
        new: &NewChallenge,
        codes: &[CodeHashes],
        now: UnixMillis,
    ) -> Result<Option<usize>, Unavailable>;

    /// Takes a start back, with the code by which it may be found. The address
    /// has asked all the same.
    async fn withdraw(&self, new: &NewChallenge, code: &CodeHashes) -> Result<(), Unavailable>;

    /// The challenge of this name, if the code is its; else the try is counted,
    /// in the same step. No code is taken once the tries are used up.
    async fn answer(
        &self,
        id: ChallengeId,
        of_challenge: &Mac,
        now: UnixMillis,
    ) -> Result<Option<Matched>, Unavailable>;

    /// Finds a challenge by its code; a look-up that finds nothing counts as a
    /// miss for every challenge that lives there, at a cost that does not grow
    /// with their number. After `most_failures` misses in ten minutes nothing
    /// is looked up any more.
    async fn answer_bare(
        &self,
        address: &AddressKey,
        at_address: &Mac,
        most_failures: u32,
        now: UnixMillis,
    ) -> Result<Found, Unavailable>;

    /// Forgets a challenge, and its phone's starts in a row.
    async fn spend(
        &self,
        matched: &Matched,
        phone: &PhoneKey,
        at_address: &Mac,
    ) -> Result<(), Unavailable>;

    /// Succeeds when the store can be used now.
    async fn ping(&self) -> Result<(), Unavailable>;

    /// Counts its questions from now on, if it asks somebody.
    fn count(&self, _: &Metrics) {}
}
