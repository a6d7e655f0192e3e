//! Users and the sessions that their sign-ins begin.

use std::sync::Arc;

use async_trait::async_trait;
use database::{Database, DatabaseUrl, Error, Migrations, Repeat, Transaction, Work};
use kit::clock::UnixMillis;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::phone::PhoneNumber;

const MIGRATIONS: Migrations = Migrations(&[(
    1,
    "users and sessions",
    include_str!("../migrations/0001_users_and_sessions.sql"),
)]);

/// The statement of [`Users::begin_session`], on which also a benchmark runs.
pub const BEGIN_SESSION: &str = "\
    INSERT INTO sessions (session_id, user_id, challenge_id, refresh_token_hash,
                          user_agent, client_address, created_at, last_used_at)
    SELECT $1, user_id, $2, $3, $4, $5, $6, $6
    FROM users WHERE phone_number = $7 AND profile_created
    ON CONFLICT (challenge_id) DO UPDATE SET created_at = sessions.created_at
        WHERE sessions.session_id = EXCLUDED.session_id
    RETURNING user_id";

/// A session to be begun by a sign-in.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id (UUIDv7).
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
    pub profile_created: bool,
}

/// What came of the end of a first sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSignIn {
    /// The session is begun, and the user is a user from now on.
    NewUser,
    /// The session is begun; another sign-in came first.
    KnownUser,
    /// The challenge was spent by another call: there is no session.
    Spent,
    /// The user was erased in between: there is no session.
    Erased,
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
pub struct Users(Arc<Database>);

impl Users {
    /// Opens the store; see [`Database::open`].
    ///
    /// # Errors
    /// When a SQLite file cannot be opened.
    pub async fn open(url: &DatabaseUrl, stop: CancellationToken) -> anyhow::Result<Self> {
        Database::open(url, &MIGRATIONS, stop).await.map(Self)
    }

    /// The database, for the service's health.
    pub fn database(&self) -> Arc<Database> {
        self.0.clone()
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
        let rows = self
            .0
            .write_idempotent(
                BEGIN_SESSION,
                &[
                    session.session_id.into(),
                    (&*session.challenge_id).into(),
                    (&session.refresh_token_hash[..]).into(),
                    (&*session.user_agent).into(),
                    (&*session.client_address).into(),
                    session.created_at.0.into(),
                    phone.as_str().into(),
                ],
            )
            .await?;
        rows.first().map(|row| row.get("user_id")).transpose()
    }

    /// The user of this phone, made with `user_id` if there is none.
    pub async fn find_or_create(
        &self,
        phone: &PhoneNumber,
        user_id: Uuid,
        now: UnixMillis,
    ) -> Result<User, Error> {
        const INSERT: &str = "\
            INSERT INTO users (user_id, phone_number, created_at) VALUES ($1, $2, $3)
            ON CONFLICT (phone_number) DO NOTHING
            RETURNING user_id, profile_created";
        const SELECT: &str = "\
            SELECT user_id, profile_created FROM users WHERE phone_number = $1";
        loop {
            let values = [user_id.into(), phone.as_str().into(), now.0.into()];
            let mut rows = self.0.write_idempotent(INSERT, &values).await?;
            if rows.is_empty() {
                rows = self.0.read(SELECT, &[phone.as_str().into()]).await?;
            }
            if let Some(row) = rows.first() {
                return Ok(User {
                    user_id: row.get("user_id")?,
                    profile_created: row.get("profile_created")?,
                });
            }
            // The row that was in the way went away in between: once more.
        }
    }

    /// Erases a user here: frees the phone, ends the sessions and forgets where
    /// they were. Doing it again changes nothing.
    pub async fn erase(&self, user_id: Uuid, now: UnixMillis) -> Result<(), Error> {
        self.0.transaction(&Erase { user_id, now }).await
    }

    /// What is known of a user's erasure; `None` if there is no such user.
    pub async fn erasure(&self, user_id: Uuid) -> Result<Option<Erasure>, Error> {
        const SQL: &str = "\
            SELECT erased_at IS NOT NULL AS erased, profile_created
            FROM users WHERE user_id = $1";
        let rows = self.0.read(SQL, &[user_id.into()]).await?;
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
        let rows = self.0.read(SQL, &[count.into()]).await?;
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
        self.0.write_idempotent(SESSIONS, &[user_id.into()]).await?;
        self.0.write_idempotent(USER, &[user_id.into()]).await?;
        Ok(())
    }

    /// Ends a first sign-in, after the profile was made: begins the session
    /// and marks the user as having a profile, both or neither.
    pub async fn complete_first_sign_in(
        &self,
        user_id: Uuid,
        session: &NewSession,
    ) -> Result<FirstSignIn, Error> {
        self.0
            .transaction(&CompleteFirstSignIn { user_id, session })
            .await
    }
}

struct CompleteFirstSignIn<'a> {
    user_id: Uuid,
    session: &'a NewSession,
}

#[async_trait]
impl Work for CompleteFirstSignIn<'_> {
    type Output = FirstSignIn;

    const REPEAT: Repeat = Repeat::Idempotent;

    async fn run(&self, transaction: &mut Transaction) -> Result<FirstSignIn, Error> {
        // An erasure in between would leave a session without a user.
        const LOCK: &str = "\
            UPDATE users SET created_at = created_at
            WHERE user_id = $1 AND erased_at IS NULL
            RETURNING user_id";
        const INSERT: &str = "\
            INSERT INTO sessions (session_id, user_id, challenge_id, refresh_token_hash,
                                  user_agent, client_address, created_at, last_used_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
            ON CONFLICT (challenge_id) DO UPDATE SET created_at = sessions.created_at
                WHERE sessions.session_id = EXCLUDED.session_id
            RETURNING session_id";
        // Whoever has no other session is new: so it is told again when the
        // transaction is run again.
        const MARK: &str = "\
            UPDATE users SET profile_created = TRUE WHERE user_id = $1
            RETURNING NOT EXISTS (SELECT 1 FROM sessions
                                  WHERE user_id = $1 AND session_id <> $2) AS new_user";
        let session = self.session;
        let locked = transaction.run(LOCK, &[self.user_id.into()]).await?;
        if locked.is_empty() {
            return Ok(FirstSignIn::Erased);
        }
        let begun = transaction
            .run(
                INSERT,
                &[
                    session.session_id.into(),
                    self.user_id.into(),
                    (&*session.challenge_id).into(),
                    (&session.refresh_token_hash[..]).into(),
                    (&*session.user_agent).into(),
                    (&*session.client_address).into(),
                    session.created_at.0.into(),
                ],
            )
            .await?;
        if begun.is_empty() {
            return Ok(FirstSignIn::Spent);
        }
        let values = [self.user_id.into(), session.session_id.into()];
        let marked = transaction.run(MARK, &values).await?;
        let new = marked.first().map(|row| row.get("new_user")).transpose()?;
        Ok(if new == Some(true) {
            FirstSignIn::NewUser
        } else {
            FirstSignIn::KnownUser
        })
    }
}

struct Erase {
    user_id: Uuid,
    now: UnixMillis,
}

#[async_trait]
impl Work for Erase {
    type Output = ();

    const REPEAT: Repeat = Repeat::Idempotent;

    async fn run(&self, transaction: &mut Transaction) -> Result<(), Error> {
        const USER: &str = "\
            UPDATE users SET phone_number = NULL, erased_at = $2
            WHERE user_id = $1 AND erased_at IS NULL";
        const SESSIONS: &str = "\
            UPDATE sessions
            SET ended_at = COALESCE(ended_at, $2), user_agent = '', client_address = ''
            WHERE user_id = $1";
        let values = [self.user_id.into(), self.now.0.into()];
        transaction.run(USER, &values).await?;
        transaction.run(SESSIONS, &values).await?;
        Ok(())
    }
}
