//! What a challenge store does: atomic steps, each on one slot.
//!
//! A phone number has a slot, with its live challenges and its count of
//! starts; a client address has another, with an index from codes to
//! challenges. A step touches one slot only, so that a Redis Cluster serves.
//! The time comes in with every step: a test can hold it.

use std::time::Duration;

use async_trait::async_trait;
use kit::{clock::UnixMillis, metrics::Metrics};

use crate::{challenges::id::ChallengeId, mac::Mac, phone::PhoneNumber};

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
    /// The hashed code, should a short one do.
    pub short_code: Mac,
    /// The hashed code, should it have to be a long one.
    pub long_code: Mac,
    /// How many starts in a row get short codes.
    pub short_in_a_row: u32,
    /// When it stops being answered.
    pub expires_at: UnixMillis,
    /// How many starts are allowed.
    pub limits: PhoneLimits,
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
    /// A limit is used up; nothing was counted.
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

/// A place in an address's index, asked for a challenge.
#[derive(Clone, Debug)]
pub struct Reservation<'a> {
    /// The address.
    pub address: &'a AddressKey,
    /// The challenge that is to be found there.
    pub id: ChallengeId,
    /// Hashed codes; the first that no live challenge there has is taken.
    pub codes: &'a [Mac],
    /// How many challenges may be started there in an hour, counted from the
    /// first of them. `None` for a challenge that is counted already.
    pub counted: Option<u32>,
    /// Until when.
    pub expires_at: UnixMillis,
}

/// What came of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The code at this index is the challenge's.
    Code(usize),
    /// Every one of the codes is in use there.
    AllTaken,
    /// The index is full: the challenge is reachable only by its name.
    Full,
    /// The limit there is used up; nothing was counted.
    TooMany {
        /// When there is room again.
        retry_after: Duration,
    },
}

/// What came of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The challenge that has the code.
    Challenge(ChallengeId),
    /// None has; the miss is counted.
    Nothing,
    /// There were too many misses at the address; nothing was looked up.
    TooMany {
        /// When there is room again.
        retry_after: Duration,
    },
}

/// Whether a code that is not the challenge's costs it a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It does, and no code is taken once the tries are used up.
    CostsATry,
    /// It does not: the miss is counted elsewhere.
    IsFree,
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
    /// Starts a challenge, and counts the start: which of the two codes it got
    /// depends on how many there were in a row. (Slot of the phone.)
    async fn start(&self, new: &NewChallenge, now: UnixMillis) -> Result<Start, Unavailable>;

    /// Takes a start back: it was refused elsewhere. (Slot of the phone.)
    async fn withdraw(&self, new: &NewChallenge) -> Result<(), Unavailable>;

    /// Gives a live challenge another code. (Slot of the phone.)
    async fn replace_code(&self, id: ChallengeId, code: &Mac) -> Result<(), Unavailable>;

    /// Compares a code with a live challenge's and counts the try, in one
    /// step. (Slot of the phone.)
    async fn compare(
        &self,
        id: ChallengeId,
        code: &Mac,
        mismatch: Mismatch,
        now: UnixMillis,
    ) -> Result<Option<Matched>, Unavailable>;

    /// Forgets a challenge and its phone's starts. (Slot of the phone.)
    async fn forget(&self, id: ChallengeId, phone: &PhoneKey) -> Result<(), Unavailable>;

    /// Counts a start at the address and makes its challenge findable by its
    /// code. (Slot of the address.)
    async fn reserve(
        &self,
        reservation: &Reservation<'_>,
        now: UnixMillis,
    ) -> Result<Reserved, Unavailable>;

    /// Finds a challenge by its code; a look-up that finds nothing counts as a
    /// miss for every challenge that lives there, at a cost that does not grow
    /// with their number. After `most_failures` misses in ten minutes nothing
    /// is looked up any more. (Slot of the address.)
    async fn find(
        &self,
        address: &AddressKey,
        code: &Mac,
        most_failures: u32,
        now: UnixMillis,
    ) -> Result<Found, Unavailable>;

    /// Counts a miss there. (Slot of the address.)
    async fn count_miss(&self, address: &AddressKey, now: UnixMillis) -> Result<(), Unavailable>;

    /// Makes a challenge no longer findable by its code. (Slot of the address.)
    async fn release(
        &self,
        address: &AddressKey,
        code: &Mac,
        id: ChallengeId,
    ) -> Result<(), Unavailable>;

    /// Succeeds when the store can be used now.
    async fn ping(&self) -> Result<(), Unavailable>;

    /// Counts its questions from now on, if it asks somebody.
    fn count(&self, _: &Metrics) {}
}
