//! The statements by the driver alone: sqlx's connections, without its pool and
//! without the product's `database/` above it.

use std::str::FromStr as _;

use anyhow::{Context as _, ensure};
use auth_service::users::{BEGIN_SESSION, NewSession};
use profile_service::store::WITH_LONGEST_PAGE;
use sqlx::{Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};
use tokio::sync::Mutex;
use uuid::Uuid;

/// Connections to each database: as many as the product's pools have.
const CONNECTIONS: u32 = 16;

/// Connections to one database; each client has its own, or shares it with one
/// other.
pub(super) struct Bare(Vec<Mutex<PgConnection>>);

/// A new user.
pub(super) struct NewUser<'a> {
    pub(super) user_id: Uuid,
    pub(super) phone: &'a str,
    pub(super) session: &'a NewSession,
    pub(super) invite_code: &'a str,
}

impl Bare {
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(url)?;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Mutex::new(PgConnection::connect_with(&options).await?));
        }
        Ok(Self(connections))
    }

    fn of(&self, client: u32) -> anyhow::Result<&Mutex<PgConnection>> {
        let place = usize::try_from(client % CONNECTIONS)?;
        self.0.get(place).context("there is a connection")
    }

    /// A known user's sign-in.
    pub(super) async fn returning(
        &self,
        client: u32,
        phone: &str,
        session: &NewSession,
    ) -> anyhow::Result<()> {
        let mut connection = self.of(client)?.lock().await;
        let rows = sqlx::query(BEGIN_SESSION.sql())
            .bind(session.session_id)
            .bind(&session.challenge_id)
            .bind(&session.refresh_token_hash[..])
            .bind(&session.user_agent)
            .bind(&session.client_address)
            .bind(session.created_at.0)
            .bind(phone)
            .fetch_all(&mut *connection)
            .await?;
        let user_id: Uuid = rows.first().context("nobody has it")?.try_get("user_id")?;
        ensure!(!user_id.is_nil(), "a user has an id");
        Ok(())
    }

    /// Somebody's profile: all of it is read.
    pub(super) async fn profile(
        &self,
        client: u32,
        user_id: Uuid,
        followers: usize,
    ) -> anyhow::Result<()> {
        let mut connection = self.of(client)?.lock().await;
        let row = sqlx::query(WITH_LONGEST_PAGE.sql())
            .bind(user_id)
            .fetch_optional(&mut *connection)
            .await?
            .context("there is no such profile")?;
        let code: String = row.try_get("invite_code")?;
        let numbers: Option<String> = row.try_get("phone_numbers")?;
        let numbers = numbers.unwrap_or_default();
        let found: Vec<String> = numbers.split_terminator(',').map(str::to_owned).collect();
        ensure!(code.len() == 6 && found.len() == followers, "another one");
        Ok(())
    }

    /// A user, a session and a profile in one transaction.
    pub(super) async fn three_rows(&self, client: u32, new: &NewUser<'_>) -> anyhow::Result<()> {
        const USER: &str = "\
            INSERT INTO users (user_id, phone_number, profile_created, created_at)
            VALUES ($1, $2, TRUE, $3)";
        const SESSION: &str = "\
            INSERT INTO sessions (session_id, user_id, challenge_id, refresh_token_hash,
                                  user_agent, client_address, created_at, last_used_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7)";
        const PROFILE: &str = "\
            INSERT INTO profiles (user_id, phone_number, invite_code, created_at)
            VALUES ($1, $2, $3, $4) ON CONFLICT (invite_code) DO NOTHING";
        let mut connection = self.of(client)?.lock().await;
        let mut transaction = connection.begin().await?;
        let session = new.session;
        sqlx::query(USER)
            .bind(new.user_id)
            .bind(new.phone)
            .bind(session.created_at.0)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(SESSION)
            .bind(session.session_id)
            .bind(new.user_id)
            .bind(&session.challenge_id)
            .bind(&session.refresh_token_hash[..])
            .bind(&session.user_agent)
            .bind(&session.client_address)
            .bind(session.created_at.0)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(PROFILE)
            .bind(new.user_id)
            .bind(new.phone)
            .bind(new.invite_code)
            .bind(session.created_at.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}
