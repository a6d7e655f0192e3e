//! Sessions, as they are kept after the sign-in that began them.

use std::sync::Arc;

use database::{Database, Error, Row, Value};
use kit::clock::UnixMillis;
use uuid::Uuid;

use crate::{phone::PhoneNumber, refresh_token::Nonce};

/// Since when a session has to have been used, and begun, to live: the idle and
/// the absolute end.
#[derive(Clone, Copy, Debug)]
pub struct Cutoffs {
    /// Last used later than this.
    pub used_after: UnixMillis,
    /// Begun later than this.
    pub begun_after: UnixMillis,
}

/// A refresh token's rotation.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// The session.
    pub session_id: Uuid,
    /// SHA-256 of the token that was presented.
    pub presented: [u8; 32],
    /// SHA-256 of its successor.
    pub successor: [u8; 32],
    /// What the successor was derived with.
    pub nonce: Nonce,
    /// Now.
    pub now: UnixMillis,
}

/// Whose a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user_id: Uuid,
    /// The user's number.
    pub phone: PhoneNumber,
}

/// A live session's last rotation.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// Whose it is.
    pub owner: Owner,
    /// SHA-256 of the token that is good now.
    pub current: [u8; 32],
    /// SHA-256 of the one before it, and how and when that was rotated.
    pub previous: Option<([u8; 32], Nonce, UnixMillis)>,
}

/// A live session, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub session_id: Uuid,
    /// When it began.
    pub created_at: UnixMillis,
    /// When its refresh token was last used.
    pub last_used_at: UnixMillis,
    /// The client's User-Agent at the sign-in.
    pub user_agent: String,
    /// The client's address at the sign-in.
    pub client_address: String,
}

/// Sessions at once that are listed.
const MOST_LISTED: i64 = 1_000;
/// Sessions that are purged by one statement: so few that their users are looked up
/// one by one, also where there are not many users.
const PURGED_AT_ONCE: i64 = 100;

/// Keeps sessions.
#[derive(Clone)]
pub struct Sessions(Arc<Database>);

impl Sessions {
    /// In this database, which [`crate::users::Users`] opened.
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    /// Rotates the refresh token of a live session, if the one presented is
    /// good: one statement, so one of many parallel calls does. It may be run
    /// again when its answer was lost: it finds a token then that has just been
    /// rotated, as any call does whose answer was lost.
    pub async fn rotate(&self, rotation: &Rotation, live: Cutoffs) -> Result<Option<Owner>, Error> {
        const SQL: &str = "\
            UPDATE sessions
            SET previous_token_hash = refresh_token_hash, refresh_token_hash = $3,
                rotation_nonce = $4, rotated_at = $5, last_used_at = $5
            WHERE session_id = $1 AND refresh_token_hash = $2 AND ended_at IS NULL
              AND last_used_at > $6 AND created_at > $7
              AND EXISTS (SELECT 1 FROM users
                          WHERE users.user_id = sessions.user_id AND erased_at IS NULL)
            RETURNING user_id, (SELECT phone_number FROM users
                                WHERE users.user_id = sessions.user_id) AS phone_number";
        let values = [
            rotation.session_id.into(),
            (&rotation.presented[..]).into(),
            (&rotation.successor[..]).into(),
            (&rotation.nonce[..]).into(),
            rotation.now.0.into(),
            live.used_after.0.into(),
            live.begun_after.0.into(),
        ];
        let rows = self.0.write_idempotent(SQL, &values).await?;
        rows.first().map(owner).transpose()
    }

    /// A live session and its last rotation.
    pub async fn rotated(&self, session_id: Uuid, live: Cutoffs) -> Result<Option<Rotated>, Error> {
        const SQL: &str = "\
            SELECT sessions.user_id, phone_number, refresh_token_hash, previous_token_hash,
                   rotation_nonce, rotated_at
            FROM sessions JOIN users ON users.user_id = sessions.user_id
            WHERE session_id = $1 AND ended_at IS NULL
              AND last_used_at > $2 AND sessions.created_at > $3 AND erased_at IS NULL";
        let values = [
            session_id.into(),
            live.used_after.0.into(),
            live.begun_after.0.into(),
        ];
        let rows = self.0.read(SQL, &values).await?;
        rows.first().map(rotated).transpose()
    }

    /// Whether the user's session lives.
    pub async fn lives(
        &self,
        session_id: Uuid,
        user_id: Uuid,
        live: Cutoffs,
    ) -> Result<bool, Error> {
        const SQL: &str = "\
            SELECT session_id
            FROM sessions JOIN users ON users.user_id = sessions.user_id
            WHERE session_id = $1 AND sessions.user_id = $2 AND ended_at IS NULL
              AND last_used_at > $3 AND sessions.created_at > $4 AND erased_at IS NULL";
        let values = [
            session_id.into(),
            user_id.into(),
            live.used_after.0.into(),
            live.begun_after.0.into(),
        ];
        Ok(!self.0.read(SQL, &values).await?.is_empty())
    }

    /// The user's live sessions, newest first.
    pub async fn list(&self, user_id: Uuid, live: Cutoffs) -> Result<Vec<Session>, Error> {
        const SQL: &str = "\
            SELECT session_id, created_at, last_used_at, user_agent, client_address
            FROM sessions
            WHERE user_id = $1 AND ended_at IS NULL AND last_used_at > $2 AND created_at > $3
            ORDER BY created_at DESC, session_id DESC LIMIT $4";
        let values = [
            user_id.into(),
            live.used_after.0.into(),
            live.begun_after.0.into(),
            MOST_LISTED.into(),
        ];
        let rows = self.0.read(SQL, &values).await?;
        rows.iter().map(session).collect()
    }

    /// Ends a live session of the user's; whether there was one.
    pub async fn end(
        &self,
        session_id: Uuid,
        user_id: Uuid,
        live: Cutoffs,
        now: UnixMillis,
    ) -> Result<bool, Error> {
        const SQL: &str = "\
            UPDATE sessions SET ended_at = $3
            WHERE session_id = $1 AND user_id = $2 AND ended_at IS NULL
              AND last_used_at > $4 AND created_at > $5
            RETURNING session_id";
        let values = [
            session_id.into(),
            user_id.into(),
            now.0.into(),
            live.used_after.0.into(),
            live.begun_after.0.into(),
        ];
        Ok(!self.0.write(SQL, &values).await?.is_empty())
    }

    /// Ends all of the user's sessions; how many.
    pub async fn end_all(&self, user_id: Uuid, now: UnixMillis) -> Result<u64, Error> {
        const SQL: &str = "\
            UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL
            RETURNING session_id";
        let values = [user_id.into(), now.0.into()];
        let ended = self.0.write_idempotent(SQL, &values).await?;
        Ok(ended.len() as u64)
    }

    /// Deletes sessions that ended, or began, before these times, some at a
    /// time; how many.
    pub async fn purge(
        &self,
        ended_before: UnixMillis,
        begun_before: UnixMillis,
    ) -> Result<usize, Error> {
        // A user's sessions say that there is a profile: before they go, the
        // user's row is made to say it.
        const MARK_ENDED: &str = "\
            UPDATE users SET profile_created = TRUE
            WHERE NOT profile_created AND erased_at IS NULL AND user_id IN
                (SELECT user_id FROM sessions WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)";
        const ENDED: &str = "\
            DELETE FROM sessions WHERE session_id IN
                (SELECT session_id FROM sessions
                 JOIN users ON users.user_id = sessions.user_id
                 WHERE ended_at < $1 AND (profile_created OR erased_at IS NOT NULL)
                 ORDER BY ended_at LIMIT $2)
            RETURNING session_id";
        const MARK_OLD: &str = "\
            UPDATE users SET profile_created = TRUE
            WHERE NOT profile_created AND erased_at IS NULL AND user_id IN
                (SELECT user_id FROM sessions WHERE session_id < $1 ORDER BY session_id LIMIT $2)";
        const OLD: &str = "\
            DELETE FROM sessions
            WHERE session_id IN
                (SELECT session_id FROM sessions WHERE session_id < $1 ORDER BY session_id LIMIT $2)
              AND EXISTS (SELECT 1 FROM users WHERE users.user_id = sessions.user_id
                          AND (profile_created OR erased_at IS NOT NULL))
            RETURNING session_id";
        let mut purged = 0;
        let (ended, old): (Value, Value) = (ended_before.0.into(), first_id(begun_before).into());
        for (mark, delete, before) in [(MARK_ENDED, ENDED, ended), (MARK_OLD, OLD, old)] {
            let values = [before, PURGED_AT_ONCE.into()];
            self.0.write_idempotent(mark, &values).await?;
            purged += self.0.write(delete, &values).await?.len();
        }
        Ok(purged)
    }
}

/// The least id of a session that began at this time or later. Both engines compare
/// ids byte by byte, and a UUIDv7 begins with its time.
fn first_id(time: UnixMillis) -> Uuid {
    let time = u64::try_from(time.0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(time, &[0; 10]).into_uuid()
}

fn owner(row: &Row) -> Result<Owner, Error> {
    Ok(Owner {
        user_id: row.get("user_id")?,
        phone: PhoneNumber::from_stored(row.get("phone_number")?),
    })
}

fn rotated(row: &Row) -> Result<Rotated, Error> {
    let previous: Option<Vec<u8>> = row.get("previous_token_hash")?;
    let nonce: Option<Vec<u8>> = row.get("rotation_nonce")?;
    let rotated_at: Option<i64> = row.get("rotated_at")?;
    let current: Vec<u8> = row.get("refresh_token_hash")?;
    let previous = previous.zip(nonce).zip(rotated_at);
    Ok(Rotated {
        owner: owner(row)?,
        current: fixed(&current),
        previous: previous.map(|((hash, nonce), at)| (fixed(&hash), fixed(&nonce), UnixMillis(at))),
    })
}

/// 32 bytes, as they were written. A value that was not is nobody's hash.
fn fixed(stored: &[u8]) -> [u8; 32] {
    stored.try_into().unwrap_or_default()
}

fn session(row: &Row) -> Result<Session, Error> {
    Ok(Session {
        session_id: row.get("session_id")?,
        created_at: UnixMillis(row.get("created_at")?),
        last_used_at: UnixMillis(row.get("last_used_at")?),
        user_agent: row.get("user_agent")?,
        client_address: row.get("client_address")?,
    })
}
