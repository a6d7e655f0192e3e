//! Profiles, as they are kept.

mod followers;

use std::sync::Arc;

use database::{BatchStatement, Batcher, Database, DatabaseUrl, Error, Migrations, Row};
use kit::clock::UnixMillis;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{invite_code::InviteCode, page_token::Position};
use followers::{FOLLOWERS, PROFILE};

pub use followers::{Followers, LONGEST_PAGE, WITH_LONGEST_PAGE};

const MIGRATIONS: Migrations = Migrations(&[
    (
        1,
        "profiles",
        include_str!("../migrations/0001_profiles.sql"),
    ),
    (
        2,
        "followers",
        include_str!("../migrations/0002_followers.sql"),
    ),
]);

/// A profile to be made.
#[derive(Clone, Debug)]
pub struct NewProfile {
    /// Whose it is.
    pub user_id: Uuid,
    /// E.164.
    pub phone_number: String,
    /// Entered with it, if somebody has it.
    pub invited_by: Option<InviteCode>,
    /// Now.
    pub created_at: UnixMillis,
}

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// E.164.
    pub phone_number: String,
    /// The user's own code.
    pub invite_code: String,
    /// The code that the user entered.
    pub invited_by: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// What came of making a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is made.
    New,
    /// It was there.
    Known,
    /// Somebody has the invite code: draw another one.
    CodeTaken,
}

/// What came of erasing a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    /// It is a tombstone now, or was one.
    Done,
    /// There was none, and somebody has the tombstone's invite code: draw
    /// another one.
    CodeTaken,
}

/// Its rows go in one order, so that two of them do not wait for each other.
static CREATE: BatchStatement = BatchStatement::new(
    "WITH asked (user_id, phone_number, invite_code, created_at, invited_by)
     AS (VALUES ($1, $2, $3, $4, $5))
     INSERT INTO profiles (user_id, phone_number, invite_code, created_at,
                           inviter_id, invited_by, invited_at)
     SELECT asked.user_id, asked.phone_number, asked.invite_code, asked.created_at,
            inviter.user_id, inviter.invite_code,
            CASE WHEN inviter.user_id IS NULL THEN NULL ELSE asked.created_at END
     FROM asked LEFT JOIN profiles AS inviter
         ON inviter.invite_code = asked.invited_by AND inviter.erased_at IS NULL
     WHERE TRUE
     ORDER BY asked.user_id
     ON CONFLICT (user_id) DO NOTHING
     RETURNING user_id",
    "user_id",
);

/// Keeps profiles.
#[derive(Clone)]
pub struct ProfileStore {
    database: Arc<Database>,
    create: Batcher,
    longest: Batcher,
}

impl ProfileStore {
    /// Opens the store; see [`Database::open`].
    ///
    /// # Errors
    /// When a SQLite file cannot be opened.
    pub async fn open(url: &DatabaseUrl, stop: CancellationToken) -> anyhow::Result<Self> {
        let database = Database::open(url, &MIGRATIONS, stop).await?;
        Ok(Self {
            create: Batcher::writing(database.clone(), &CREATE),
            longest: Batcher::reading(database.clone(), &WITH_LONGEST_PAGE),
            database,
        })
    }

    /// The database, for the service's health.
    pub fn database(&self) -> Arc<Database> {
        self.database.clone()
    }

    /// Makes a profile with this invite code and enters the inviter's, in one
    /// statement. Run again when its answer was lost, it finds it there.
    pub async fn create(
        &self,
        new: &NewProfile,
        invite_code: &InviteCode,
    ) -> Result<Created, Error> {
        let invited_by = new.invited_by.as_ref().map(InviteCode::as_str);
        let values = [
            (&*new.phone_number).into(),
            invite_code.as_str().into(),
            new.created_at.0.into(),
            invited_by.into(),
        ];
        match self.create.run(new.user_id, &values).await {
            Ok(Some(_)) => Ok(Created::New),
            Ok(None) => Ok(Created::Known),
            // The other unique index: `ON CONFLICT` covers the user's id.
            Err(Error::UniqueViolation) => Ok(Created::CodeTaken),
            Err(error) => Err(error),
        }
    }

    /// A profile with its first followers, at most `page_size` (one at least) of them,
    /// in one statement. Those who ask for [`LONGEST_PAGE`] at once share one, but for
    /// profiles with still more followers.
    pub async fn profile(
        &self,
        user_id: Uuid,
        page_size: u32,
    ) -> Result<Option<(Profile, Followers)>, Error> {
        if page_size == LONGEST_PAGE {
            let Some(row) = self.longest.run(user_id, &[]).await? else {
                return Ok(None);
            };
            if let Some(followers) = Followers::all_from_row(&row)? {
                return Ok(Some((profile(&row)?, followers)));
            }
        }
        let values = [user_id.into(), i64::from(page_size).into()];
        let rows = self.database.read(PROFILE, &values).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        Ok(Some((profile(row)?, Followers::from_row(row)?)))
    }

    /// At most `page_size` (one at least) followers that come after a position; `None`
    /// if there is no such user, or not any more.
    pub async fn followers(
        &self,
        user_id: Uuid,
        after: Position,
        page_size: u32,
    ) -> Result<Option<Followers>, Error> {
        let values = [
            user_id.into(),
            i64::from(page_size).into(),
            after.invited_at.0.into(),
            after.user_id.into(),
        ];
        let rows = self.database.read(FOLLOWERS, &values).await?;
        rows.first().map(Followers::from_row).transpose()
    }

    /// Whose invite code this is.
    pub async fn owner(&self, code: &InviteCode) -> Result<Option<Uuid>, Error> {
        const SQL: &str = "\
            SELECT user_id FROM profiles WHERE invite_code = $1 AND erased_at IS NULL";
        let rows = self.database.read(SQL, &[code.as_str().into()]).await?;
        rows.first().map(|row| row.get("user_id")).transpose()
    }

    /// Sets a user's inviter, once; whether it was set by this call.
    pub async fn set_inviter(
        &self,
        user_id: Uuid,
        inviter_id: Uuid,
        code: &InviteCode,
        now: UnixMillis,
    ) -> Result<bool, Error> {
        const SQL: &str = "\
            UPDATE profiles SET inviter_id = $2, invited_by = $3, invited_at = $4
            WHERE user_id = $1 AND invited_by IS NULL AND erased_at IS NULL
            RETURNING user_id";
        let values = [
            user_id.into(),
            inviter_id.into(),
            code.as_str().into(),
            now.0.into(),
        ];
        Ok(!self.database.write(SQL, &values).await?.is_empty())
    }

    /// Erases a user's profile: what is left is a tombstone of id and invite
    /// code, made with `invite_code` if there was no profile. The user's own
    /// followers keep the code that they entered.
    pub async fn erase(
        &self,
        user_id: Uuid,
        invite_code: &InviteCode,
        now: UnixMillis,
    ) -> Result<Erased, Error> {
        const SQL: &str = "\
            INSERT INTO profiles (user_id, phone_number, invite_code, created_at, erased_at)
            VALUES ($1, '', $2, $3, $3)
            ON CONFLICT (user_id) DO UPDATE
            SET phone_number = '', inviter_id = NULL, invited_by = NULL, invited_at = NULL,
                erased_at = COALESCE(profiles.erased_at, $3)
            RETURNING user_id";
        let values = [user_id.into(), invite_code.as_str().into(), now.0.into()];
        match self.database.write_idempotent(SQL, &values).await {
            Ok(_) => Ok(Erased::Done),
            Err(Error::UniqueViolation) => Ok(Erased::CodeTaken),
            Err(error) => Err(error),
        }
    }

    /// Whether the user has a profile.
    pub async fn exists(&self, user_id: Uuid) -> Result<bool, Error> {
        const SQL: &str = "\
            SELECT user_id FROM profiles WHERE user_id = $1 AND erased_at IS NULL";
        Ok(!self.database.read(SQL, &[user_id.into()]).await?.is_empty())
    }
}

fn profile(row: &Row) -> Result<Profile, Error> {
    Ok(Profile {
        phone_number: row.get("phone_number")?,
        invite_code: row.get("invite_code")?,
        invited_by: row.get("invited_by")?,
        created_at: UnixMillis(row.get("created_at")?),
    })
}
