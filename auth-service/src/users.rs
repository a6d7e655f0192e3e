//! Users and the sessions that their sign-ins begin.
//!
//! That a user has a profile is said by there being a session: none begins
//! before. The column `profile_created` says it where sessions cannot, when they
//! are purged and when the profile is still to be erased. So a first sign-in
//! writes each row once.

use std::sync::Arc;

use async_trait::async_trait;
use database::{
    BatchStatement, Batcher, Database, DatabaseUrl, Error, Migrations, Repeat, Row, Transaction,
    Value, Work,
};
use kit::clock::UnixMillis;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::phone::PhoneNumber;

const MIGRATIONS: Migrations = Migrations(&[
    (
        1,
        "users and sessions",
        include_str!("../migrations/0001_users_and_sessions.sql"),
    ),
    (
        2,
        "sessions by id",
        include_str!("../migrations/0002_sessions_by_id.sql"),
    ),
]);

/// A statement that begins sessions: of the user whose column of this name is the last
/// parameter, if the condition holds.
///
/// As the one below, it keeps to one order, so that two of them do not wait for each
/// other.
macro_rules! begin_session {
    ($whose:literal if $condition:literal) => {
        BatchStatement::new(
            concat!(
                "WITH asked (session_id, challenge_id, refresh_token_hash, user_agent,
                             client_address, created_at, ",
                $whose,
                ") AS (VALUES ($1, $2, $3, $4, $5, $6, $7))
                 INSERT INTO sessions (session_id, user_id, challenge_id, refresh_token_hash,
                                       user_agent, client_address, created_at, last_used_at)
                 SELECT asked.session_id, users.user_id, asked.challenge_id,
                        asked.refresh_token_hash, asked.user_agent, asked.client_address,
                        asked.created_at, asked.created_at
                 FROM asked JOIN users ON users.",
                $whose,
                " = asked.",
                $whose,
                " WHERE ",
                $condition,
                " ORDER BY asked.challenge_id
                 ON CONFLICT (challenge_id) DO UPDATE SET created_at = sessions.created_at
                     WHERE sessions.session_id = EXCLUDED.session_id
                 RETURNING session_id, user_id"
            ),
            "session_id",
        )
    };
}

/// The statement of [`Users::begin_session`], on which also a benchmark runs.
pub static BEGIN_SESSION: BatchStatement = begin_session!(
    "phone_number" if "(profile_created
        OR EXISTS (SELECT 1 FROM sessions WHERE sessions.user_id = users.user_id))"
);

static BEGIN_FIRST_SESSION: BatchStatement = begin_session!("user_id" if "erased_at IS NULL");

static CREATE: BatchStatement = BatchStatement::new(
    "WITH asked (user_id, phone_number, created_at) AS (VALUES ($1, $2, $3))
     INSERT INTO users (user_id, phone_number, created_at)
     SELECT user_id, phone_number, created_at FROM asked WHERE TRUE ORDER BY phone_number
     ON CONFLICT (phone_number) DO NOTHING
     RETURNING user_id, profile_created AS has_profile",
    "user_id",
);

/// A session to be begun by a sign-in.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id: a UUIDv7 of when it began, for old sessions are found by it.
    pub session_id: Uuid,
    /// The challenge that was answered: a second session for it is refused.
    pub challenge_id: String,
    /// SHA-256 of the first refresh token.
    pub refresh_token_hash: [u8; 32],
    /// The client's User-Agent; empty if it told none.
    pub user_agent: String,
    /// The client's IP address.
    pub client_address: String,
    /// Now.
    pub created_at: UnixMillis,
}

/// A user, as far as a sign-in needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The id (UUIDv7).
    pub user_id: Uuid,
    /// Whether profile-service is known to have the profile.
    pub has_profile: bool,
}

/// How far a user's erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// The user is one.
    NotBegun,
    /// Erased here; profile-service does not know yet.
    ProfileIsLeft,
    /// Erased in both services.
    Done,
}

/// Keeps users and begins their sessions.
#[derive(Clone)]
pub struct Users {
    database: Arc<Database>,
    begin: Batcher,
    begin_first: Batcher,
    create: Batcher,
}

impl Users {
    /// Opens the store; see [`Database::open`].
    ///
    /// # Errors
    /// When a SQLite file cannot be opened.
    pub async fn open(url: &DatabaseUrl, stop: CancellationToken) -> anyhow::Result<Self> {
        let database = Database::open(url, &MIGRATIONS, stop).await?;
        let batcher = |statement| Batcher::writing(database.clone(), statement);
        Ok(Self {
            begin: batcher(&BEGIN_SESSION),
            begin_first: batcher(&BEGIN_FIRST_SESSION),
            create: batcher(&CREATE),
            database,
        })
    }

    /// The database, for the service's health.
    pub fn database(&self) -> Arc<Database> {
        self.database.clone()
    }

    /// Begins a session for the user of this phone, in one statement: one
    /// round trip and one commit for everybody who was here before. `None` if
    /// there is no such user (with a profile) or the challenge is spent.
    ///
    /// A challenge that was spent by this very session is no conflict: so the
    /// statement may be run again when its answer was lost.
    pub async fn begin_session(
        &self,
        phone: &PhoneNumber,
        session: &NewSession,
    ) -> Result<Option<Uuid>, Error> {
        let begun = begin(&self.begin, session, phone.as_str().into()).await?;
        begun.map(|row| row.get("user_id")).transpose()
    }

    /// The user of this phone, made with `user_id` if there is none.
    pub async fn find_or_create(
        &self,
        phone: &PhoneNumber,
        user_id: Uuid,
        now: UnixMillis,
    ) -> Result<User, Error> {
        const SELECT: &str = "\
            SELECT user_id,
                   profile_created
                   OR EXISTS (SELECT 1 FROM sessions WHERE sessions.user_id = users.user_id)
                   AS has_profile
            FROM users WHERE phone_number = $1";
        loop {
            let values = [phone.as_str().into(), now.0.into()];
            let mut row = self.create.run(user_id, &values).await?;
            if row.is_none() {
                let found = self.database.read(SELECT, &[phone.as_str().into()]).await?;
                row = found.into_iter().next();
            }
            if let Some(row) = row {
                return Ok(User {
                    user_id: row.get("user_id")?,
                    has_profile: row.get("has_profile")?,
                });
            }
            // The row that was in the way went away in between: once more.
        }
    }

    /// Erases a user here: frees the phone, ends the sessions and forgets where
    /// they were; whether there was one. Doing it again changes nothing.
    pub async fn erase(&self, user_id: Uuid, now: UnixMillis) -> Result<bool, Error> {
        self.database.transaction(&Erase { user_id, now }).await
    }

    /// What is known of a user's erasure; `None` if there is no such user.
    pub async fn erasure(&self, user_id: Uuid) -> Result<Option<Erasure>, Error> {
        const SQL: &str = "\
            SELECT erased_at IS NOT NULL AS erased, profile_created
            FROM users WHERE user_id = $1";
        let rows = self.database.read(SQL, &[user_id.into()]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let (erased, profile): (bool, bool) = (row.get("erased")?, row.get("profile_created")?);
        Ok(Some(match (erased, profile) {
            (false, _) => Erasure::NotBegun,
            (true, true) => Erasure::ProfileIsLeft,
            (true, false) => Erasure::Done,
        }))
    }

    /// Some users whose erasure is not done, the longest waiting first.
    pub async fn erasures_to_finish(&self, count: i64) -> Result<Vec<Uuid>, Error> {
        const SQL: &str = "\
            SELECT user_id FROM users WHERE erased_at IS NOT NULL AND profile_created
            ORDER BY erased_at LIMIT $1";
        let rows = self.database.read(SQL, &[count.into()]).await?;
        rows.iter().map(|row| row.get("user_id")).collect()
    }

    /// Marks an erased user's profile as gone. A sign-in that was under way
    /// during the erasure may have written its session after it: what that
    /// holds is forgotten now.
    pub async fn finish_erasure(&self, user_id: Uuid) -> Result<(), Error> {
        const SESSIONS: &str = "\
            UPDATE sessions
            SET ended_at = COALESCE(ended_at, created_at), user_agent = '', client_address = ''
            WHERE user_id = $1
              AND EXISTS (SELECT 1 FROM users WHERE user_id = $1 AND erased_at IS NOT NULL)";
        const USER: &str = "\
            UPDATE users SET profile_created = FALSE
            WHERE user_id = $1 AND erased_at IS NOT NULL";
        self.database
            .write_idempotent(SESSIONS, &[user_id.into()])
            .await?;
        self.database
            .write_idempotent(USER, &[user_id.into()])
            .await?;
        Ok(())
    }

    /// Begins the first session of a user, after the profile was made; whether
    /// it was begun. It was not if the challenge is spent, or the user erased.
    ///
    /// One statement and one commit: that there is a session says that there is
    /// a profile, and nothing is written into the user's row. As
    /// [`Users::begin_session`], it may be run again.
    pub async fn begin_first_session(
        &self,
        user_id: Uuid,
        session: &NewSession,
    ) -> Result<bool, Error> {
        let whose = user_id.into();
        let begun = begin(&self.begin_first, session, whose).await?;
        Ok(begun.is_some())
    }
}

async fn begin(by: &Batcher, session: &NewSession, whose: Value) -> Result<Option<Row>, Error> {
    let values = [
        (&*session.challenge_id).into(),
        (&session.refresh_token_hash[..]).into(),
        (&*session.user_agent).into(),
        (&*session.client_address).into(),
        session.created_at.0.into(),
        whose,
    ];
    by.run(session.session_id, &values).await
}

struct Erase {
    user_id: Uuid,
    now: UnixMillis,
}

#[async_trait]
impl Work for Erase {
    type Output = bool;

    const REPEAT: Repeat = Repeat::Idempotent;

    async fn run(&self, transaction: &mut Transaction) -> Result<bool, Error> {
        const USER: &str = "\
            UPDATE users SET phone_number = NULL, erased_at = $2, profile_created = TRUE
            WHERE user_id = $1 AND erased_at IS NULL
            RETURNING user_id";
        const SESSIONS: &str = "\
            UPDATE sessions
            SET ended_at = COALESCE(ended_at, $2), user_agent = '', client_address = ''
            WHERE user_id = $1";
        let values = [self.user_id.into(), self.now.0.into()];
        let erased = transaction.run(USER, &values).await?;
        transaction.run(SESSIONS, &values).await?;
        Ok(!erased.is_empty())
    }
}
