//! What the journeys are about: numbers, users who are known already, their
//! tokens, and challenges that wait for wrong codes.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use kit::random::{Random as _, SystemRandom};
use testkit::PrivatePostgres;

use crate::machine::Machine;

/// Users who signed in before.
pub(crate) const KNOWN: u64 = 50_000;
/// Users whose profile has 20 followers, and those with 1,000.
pub(crate) const WITH_20: u64 = 100;
pub(crate) const WITH_1000: u64 = 10;
/// Wrong codes that a challenge takes.
pub(crate) const TRIES: u64 = 5;

/// Where the numbers of each kind begin; all are possible ones.
const NEW: u64 = 77_010_000_000;
const WRONG: u64 = 77_020_000_000;
const FLOOR: u64 = 77_030_000_000;
const CROWD: u64 = 77_040_000_000;
pub(crate) const FIRST_KNOWN: u64 = 77_050_000_000;
pub(crate) const FIRST_WITH_20: u64 = 77_060_000_000;
pub(crate) const FIRST_WITH_1000: u64 = 77_070_000_000;
pub(crate) const FOLLOWERS: u64 = 77_080_000_000;

/// What the journeys share.
#[derive(Default)]
pub(crate) struct World {
    new: AtomicU64,
    known: AtomicU64,
    wrong: AtomicU64,
    profile: AtomicU64,
    /// Challenges, each with a code that is not its own.
    challenges: Mutex<Vec<(String, String)>>,
    taken: AtomicU64,
    tokens_20: Vec<String>,
    tokens_1000: Vec<String>,
}

fn phone(first: u64, number: u64) -> String {
    format!("+{}", first + number)
}

impl World {
    /// A world in which these users are signed in.
    pub(crate) fn new(tokens_20: Vec<String>, tokens_1000: Vec<String>) -> Self {
        Self {
            tokens_20,
            tokens_1000,
            ..Self::default()
        }
    }

    /// A number that nobody had so far.
    pub(crate) fn new_phone(&self) -> String {
        phone(NEW, self.new.fetch_add(1, Ordering::Relaxed))
    }

    /// The number of somebody who was here before, in turn.
    pub(crate) fn known_phone(&self) -> String {
        known_phone(self.known.fetch_add(1, Ordering::Relaxed))
    }

    /// A number that only gets wrong codes.
    pub(crate) fn wrong_phone(&self) -> String {
        phone(WRONG, self.wrong.fetch_add(1, Ordering::Relaxed))
    }

    /// The token of somebody with 20 followers, in turn.
    pub(crate) fn token_20(&self) -> &str {
        self.turn(&self.tokens_20)
    }

    /// The same with 1,000.
    pub(crate) fn token_1000(&self) -> &str {
        self.turn(&self.tokens_1000)
    }

    fn turn<'a>(&self, tokens: &'a [String]) -> &'a str {
        let next = self.profile.fetch_add(1, Ordering::Relaxed);
        let place = usize::try_from(next).unwrap_or(0) % tokens.len().max(1);
        tokens.get(place).map_or("", |token| token)
    }

    /// Puts challenges in the place of those that are left.
    pub(crate) fn put_challenges(&self, fresh: Vec<(String, String)>) {
        let mut kept = self
            .challenges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *kept = fresh;
        self.taken.store(0, Ordering::Relaxed);
    }

    /// A challenge that has tries left, and a code that is not its own.
    pub(crate) fn challenge(&self) -> Option<(String, String)> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed) / TRIES;
        let kept = self
            .challenges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        kept.get(usize::try_from(taken).ok()?).cloned()
    }
}

/// The numbers of those with 20 followers, and of those with 1,000.
pub(crate) fn followed_phones() -> [Vec<String>; 2] {
    let phones = |first, count| (0..count).map(|each| phone(first, each)).collect();
    [
        phones(FIRST_WITH_20, WITH_20),
        phones(FIRST_WITH_1000, WITH_1000),
    ]
}

/// The number of a user who was here before.
pub(crate) fn known_phone(number: u64) -> String {
    phone(FIRST_KNOWN, number % KNOWN)
}

/// Numbers for the parts that are done alone.
pub(crate) fn floor_phone(number: u64) -> String {
    phone(FLOOR, number)
}

/// The numbers of a crowd.
pub(crate) fn crowd_phone(number: u64) -> String {
    phone(CROWD, number)
}

/// Writes all who were here before into the databases.
pub(crate) fn fill(machine: &Machine) {
    let salt = {
        let mut bytes = [0; 4];
        SystemRandom::default().fill(&mut bytes);
        u32::from_le_bytes(bytes)
    };
    let users = |first: u64, count: u64| {
        format!(
            "INSERT INTO users (user_id, phone_number, profile_created, created_at)
             SELECT md5('{salt} ' || ({first} + n))::uuid, '+' || ({first} + n), TRUE, n
             FROM generate_series(0, {count} - 1) AS n;"
        )
    };
    // Codes of digits alone: one in sixty thousand that the product draws later
    // is among them, and is then drawn again.
    let profiles = |first: u64, count: u64, code: u64| {
        format!(
            "INSERT INTO profiles (user_id, phone_number, invite_code, created_at)
             SELECT md5('{salt} ' || ({first} + n))::uuid, '+' || ({first} + n),
                    lpad(({code} + n)::text, 6, '0'), n
             FROM generate_series(0, {count} - 1) AS n;"
        )
    };
    let followers = |of: u64, count: u64, each: u64, code: u64| {
        let all = count * each;
        format!(
            "INSERT INTO profiles (user_id, phone_number, invite_code, created_at,
                                   inviter_id, invited_by, invited_at)
             SELECT md5('{salt} f ' || ({code} + n))::uuid, '+' || ({FOLLOWERS} + {code} + n),
                    lpad(({code} + n)::text, 6, '0'), n,
                    md5('{salt} ' || ({of} + n % {count}))::uuid, 'abcdef', n
             FROM generate_series(0, {all} - 1) AS n;"
        )
    };
    let run = |postgres: &PrivatePostgres, url: &str, statements: &[String]| {
        for statement in statements {
            postgres.psql(url, statement);
        }
        postgres.psql(url, "VACUUM ANALYZE");
    };
    run(
        &machine.postgres,
        &machine.auth_database,
        &[
            users(FIRST_KNOWN, KNOWN),
            users(FIRST_WITH_20, WITH_20),
            users(FIRST_WITH_1000, WITH_1000),
        ],
    );
    run(
        &machine.postgres,
        &machine.profile_database,
        &[
            profiles(FIRST_KNOWN, KNOWN, 0),
            profiles(FIRST_WITH_20, WITH_20, 100_000),
            profiles(FIRST_WITH_1000, WITH_1000, 110_000),
            followers(FIRST_WITH_20, WITH_20, 20, 200_000),
            followers(FIRST_WITH_1000, WITH_1000, 1_000, 300_000),
        ],
    );
}
