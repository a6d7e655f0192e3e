//! The product's own scripts and statements, run by its own store code with
//! nothing around it.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use auth_service::{
    challenges::{
        BareCodes, Carrier, ChallengeId, ChallengeRules, Challenges, Slot, Started,
        store::{Matched, PhoneLimits},
    },
    code::Code,
    mac::{Hasher, Label},
    phone::PhoneNumber,
    users::{NewSession, Users},
};
use database::{Database, Migrations};
use kit::{
    clock::{Clock as _, SystemClock},
    random::{SystemRandom, bytes, uuid_v7},
    settings::SecretKey,
};
use profile_service::{
    invite_code::InviteCode,
    store::{Created, NewProfile, ProfileStore},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    bare::{Bare, NewUser},
    worker::Stores,
};
use crate::{
    load::{
        address_of,
        world::{TRIES, floor_phone, followed_phones, known_phone},
    },
    rounds::PLAYERS,
};

/// Both services' tables in one database: the floor has no reason for two.
const BOTH: Migrations = Migrations(&[
    (
        1,
        "users and sessions",
        include_str!("../../../auth-service/migrations/0001_users_and_sessions.sql"),
    ),
    (
        2,
        "sessions by id",
        include_str!("../../../auth-service/migrations/0002_sessions_by_id.sql"),
    ),
    (
        3,
        "profiles",
        include_str!("../../../profile-service/migrations/0001_profiles.sql"),
    ),
    (
        4,
        "followers",
        include_str!("../../../profile-service/migrations/0002_followers.sql"),
    ),
]);

/// As the settings are by default.
const RULES: ChallengeRules = ChallengeRules {
    code_length: 4,
    lifetime: Duration::from_secs(120),
    short_in_a_row: 20,
    bare_codes: BareCodes::On,
    phone_limits: PhoneLimits {
        per_phone: 1_000,
        per_phone_and_address: 1_000,
        gap: Duration::ZERO,
    },
    starts_per_client: 100_000,
    failures_per_client: 30,
};

/// Where the worker's clients come from: nobody else does.
const FIRST_CLIENT: u32 = 0x0001_0000;
/// How many wrong codes a second are prepared for.
const WRONG_A_SECOND: u64 = 8_000;

/// The stores.
pub(super) struct Alone {
    challenges: Challenges,
    users: Users,
    profiles: ProfileStore,
    bare_auth: Bare,
    bare_profile: Bare,
    bare_one: Bare,
    hasher: Arc<Hasher>,
    random: Arc<SystemRandom>,
    phones: AtomicU64,
    turns: AtomicU64,
    followed: [Vec<Uuid>; 3],
    wrong: Mutex<Vec<(ChallengeId, Code)>>,
    taken: AtomicU64,
}

impl Alone {
    pub(super) async fn open(stores: &Stores) -> anyhow::Result<Self> {
        let url = |text: &str| text.parse().map_err(anyhow::Error::msg);
        let stop = CancellationToken::new;
        let users = Users::open(&url(&stores.auth_database)?, stop()).await?;
        let profiles = ProfileStore::open(&url(&stores.profile_database)?, stop()).await?;
        let both = Database::open(&url(&stores.one_database)?, &BOTH, stop()).await?;
        for database in [&users.database(), &profiles.database(), &both] {
            database.ready().await;
        }
        both.close().await;
        let hasher = Arc::new(Hasher::new(&SecretKey::new([4; 32])));
        let random = Arc::new(SystemRandom::default());
        let store =
            auth_service::stores::Stores::open(&stores.redis.parse().map_err(anyhow::Error::msg)?)?
                .challenges;
        let [with_20, with_1000] = followed_phones();
        let mut followed = [Vec::new(), Vec::new(), Vec::new()];
        let known = (0..1_000).map(known_phone).collect();
        for (ids, phones) in followed.iter_mut().zip([known, with_20, with_1000]) {
            *ids = user_ids(&users.database(), &phones).await?;
        }
        Ok(Self {
            challenges: Challenges::new(store, hasher.clone(), RULES, random.clone()),
            users,
            profiles,
            bare_auth: Bare::open(&stores.auth_database).await?,
            bare_profile: Bare::open(&stores.profile_database).await?,
            bare_one: Bare::open(&stores.one_database).await?,
            hasher,
            random,
            phones: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            followed,
            wrong: Mutex::default(),
            taken: AtomicU64::new(0),
        })
    }

    fn new_phone(&self) -> PhoneNumber {
        PhoneNumber::from_stored(floor_phone(self.phones.fetch_add(1, Ordering::Relaxed)))
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    async fn start(&self, phone: &PhoneNumber, client: u32) -> anyhow::Result<Started> {
        let now = SystemClock.now();
        let client = IpAddr::V4(address_of(FIRST_CLIENT + client));
        let started = self
            .challenges
            .start(phone, None, client, Duration::ZERO, now);
        Ok(started.await?)
    }

    /// Starts a challenge.
    pub(super) async fn start_one(&self, client: IpAddr) -> anyhow::Result<Started> {
        let (phone, now) = (self.new_phone(), SystemClock.now());
        let started = self
            .challenges
            .start(&phone, None, client, Duration::ZERO, now);
        Ok(started.await?)
    }

    /// Compares a code.
    pub(super) async fn match_one(
        &self,
        carrier: Carrier,
        code: &Code,
        client: IpAddr,
    ) -> anyhow::Result<Option<Matched>> {
        let now = SystemClock.now();
        Ok(self.challenges.answer(carrier, code, client, now).await?)
    }

    /// Forgets a challenge.
    pub(super) async fn spend(&self, matched: &Matched, code: &Code) {
        self.challenges.spend(matched, code).await;
    }

    /// A code is asked for, comes bare, and is spent.
    pub(super) async fn challenge_bare(&self, client: u32) -> anyhow::Result<()> {
        let started = self.start(&self.new_phone(), client).await?;
        self.answer(Carrier::Bare, &started.code, client).await
    }

    /// The same with the challenge's name.
    pub(super) async fn challenge_named(&self, client: u32) -> anyhow::Result<()> {
        let started = self.start(&self.new_phone(), client).await?;
        let carrier = Carrier::Id(started.id);
        self.answer(carrier, &started.code, client).await
    }

    async fn answer(&self, carrier: Carrier, code: &Code, client: u32) -> anyhow::Result<()> {
        let now = SystemClock.now();
        let address = IpAddr::V4(address_of(FIRST_CLIENT + client));
        let matched = self.challenges.answer(carrier, code, address, now).await?;
        let matched = matched.context("the right code is taken")?;
        self.challenges.spend(&matched, code).await;
        Ok(())
    }

    /// Starts as many challenges as so long will need.
    pub(super) async fn prepare_wrong(&self, span: Duration) -> anyhow::Result<()> {
        let millis = u64::try_from(span.as_millis())?;
        let count = WRONG_A_SECOND * millis / 1_000 / TRIES + 1;
        let mut fresh = Vec::new();
        for number in 0..count {
            let client = u32::try_from(number)? % PLAYERS;
            let started = self.start(&self.new_phone(), client).await?;
            let wrong = crate::load::another(started.code.digits());
            fresh.push((started.id, Code::parse(&wrong).context("it is a code")?));
        }
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        self.taken.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Enters a wrong code; whether there was a challenge left.
    pub(super) async fn wrong_code(&self) -> anyhow::Result<bool> {
        let taken = usize::try_from(self.taken.fetch_add(1, Ordering::Relaxed) / TRIES)?;
        let next = {
            let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
            wrong.get(taken).cloned()
        };
        let Some((id, code)) = next else {
            return Ok(false);
        };
        let (now, client) = (SystemClock.now(), IpAddr::V4(address_of(FIRST_CLIENT)));
        let answered = self.challenges.answer(Carrier::Id(id), &code, client, now);
        ensure!(answered.await?.is_none(), "a wrong code was taken");
        Ok(true)
    }

    fn session(&self, phone: &PhoneNumber) -> NewSession {
        let slot = Slot::of(&self.hasher.mac(Label::Phone, &[phone.as_str()]));
        NewSession {
            session_id: uuid_v7(&SystemClock, &*self.random),
            challenge_id: ChallengeId::draw(slot, &*self.random).to_string(),
            refresh_token_hash: bytes(&*self.random),
            user_agent: "bench/1 (Linux)".to_owned(),
            client_address: "127.0.0.1".to_owned(),
            created_at: SystemClock.now(),
        }
    }

    /// A known user's sign-in.
    pub(super) async fn returning(&self) -> anyhow::Result<()> {
        let phone = PhoneNumber::from_stored(known_phone(self.turn()));
        let session = self.session(&phone);
        let begun = self.users.begin_session(&phone, &session).await?;
        ensure!(begun.is_some(), "nobody has {}", phone.as_str());
        Ok(())
    }

    /// A new user's sign-in, but for the statement that finds nobody.
    pub(super) async fn new_user(&self) -> anyhow::Result<()> {
        let phone = self.new_phone();
        let session = self.session(&phone);
        let fresh = uuid_v7(&SystemClock, &*self.random);
        let user = self
            .users
            .find_or_create(&phone, fresh, session.created_at)
            .await?;
        let code = InviteCode::draw(&*self.random);
        let profile = NewProfile {
            user_id: user.user_id,
            phone_number: phone.as_str().to_owned(),
            invited_by: None,
            created_at: SystemClock.now(),
        };
        let created = self.profiles.create(&profile, &code).await?;
        // One in many draws a code that somebody has; the product draws again.
        ensure!(created != Created::Known, "the profile was there");
        let begun = self
            .users
            .begin_first_session(user.user_id, &session)
            .await?;
        ensure!(begun, "the first session is not begun");
        Ok(())
    }

    /// A user, a session and a profile in one transaction.
    pub(super) async fn three_rows(&self, client: u32) -> anyhow::Result<()> {
        let phone = self.new_phone();
        let invite_code = InviteCode::draw(&*self.random);
        let new = NewUser {
            user_id: uuid_v7(&SystemClock, &*self.random),
            session: &self.session(&phone),
            invite_code: invite_code.as_str(),
            phone: phone.as_str(),
        };
        self.bare_one.three_rows(client, &new).await
    }

    /// A known user's sign-in, by the driver alone.
    pub(super) async fn bare_returning(&self, client: u32) -> anyhow::Result<()> {
        let phone = PhoneNumber::from_stored(known_phone(self.turn()));
        let session = self.session(&phone);
        let phone = phone.as_str();
        self.bare_auth.returning(client, phone, &session).await
    }

    fn somebody(&self, followers: usize) -> anyhow::Result<Uuid> {
        let users = match followers {
            0 => &self.followed[0],
            20 => &self.followed[1],
            _ => &self.followed[2],
        };
        let place = usize::try_from(self.turn())? % users.len().max(1);
        users.get(place).copied().context("there are users")
    }

    /// Somebody's profile.
    pub(super) async fn profile(&self, followers: usize) -> anyhow::Result<()> {
        let user_id = self.somebody(followers)?;
        let found = self.profiles.profile(user_id, 1_000).await?;
        let (_, page) = found.context("there is no such profile")?;
        let found: Vec<String> = page.phone_numbers().map(str::to_owned).collect();
        ensure!(found.len() == followers, "{} followers", found.len());
        Ok(())
    }

    /// The same, by the driver alone.
    pub(super) async fn bare_profile(&self, client: u32, followers: usize) -> anyhow::Result<()> {
        let user_id = self.somebody(followers)?;
        self.bare_profile.profile(client, user_id, followers).await
    }
}

async fn user_ids(database: &Database, phones: &Vec<String>) -> anyhow::Result<Vec<Uuid>> {
    const SQL: &str = "SELECT user_id FROM users WHERE phone_number = $1";
    let mut ids = Vec::new();
    for phone in phones {
        let rows = database.read(SQL, &[(&**phone).into()]).await?;
        let row = rows.first().context("the users are there")?;
        ids.push(row.get("user_id")?);
    }
    Ok(ids)
}
