//! Challenges in Redis: shared by all replicas, each step one Lua script.
//!
//! Every key expires. The scripts go by the time that they are given; a key's
//! physical life is a little longer than its logical one, so that a clock that
//! is a little behind loses nothing.

use std::time::Duration;

use ::redis::{
    AsyncCommands as _, Client, ConnectionInfo, FromRedisValue, RedisError, Script,
    ScriptInvocation, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
    from_redis_value,
};
use async_trait::async_trait;
use kit::clock::{UnixMillis, millis};

use super::{
    id::ChallengeId,
    store::{
        AddressKey, ChallengeStore, CodeKind, FAILURE_WINDOW, Found, HOUR, MAX_INDEXED, MAX_TRIES,
        MISSES_KEPT, Matched, Mismatch, NewChallenge, PhoneKey, Reservation, Reserved, STARTS_KEPT,
        Start, Unavailable,
    },
};
use crate::{mac::Mac, phone::PhoneNumber};

/// How long a command may take before Redis counts as down.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Attempts at a connection before the waiting calls are told.
const CONNECT_RETRIES: usize = 2;
/// The longest pause between two attempts.
const MAX_CONNECT_DELAY: Duration = Duration::from_millis(300);
/// By how much a key outlives what it stands for.
const SLACK: Duration = Duration::from_secs(10);

/// A challenge store in Redis.
pub struct RedisChallenges {
    connection: ConnectionManager,
    scripts: Scripts,
}

struct Scripts {
    start: Script,
    withdraw: Script,
    replace_code: Script,
    compare: Script,
    reserve: Script,
    find: Script,
    release: Script,
}

impl RedisChallenges {
    /// A store on this server, which is connected to when it is needed and
    /// again whenever the connection was lost.
    ///
    /// # Errors
    /// When the connection's data cannot be used.
    pub fn open(info: &ConnectionInfo) -> anyhow::Result<Self> {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_number_of_retries(CONNECT_RETRIES)
            .set_max_delay(MAX_CONNECT_DELAY);
        let client = Client::open(info.clone())?;
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config)?,
            scripts: Scripts {
                start: Script::new(include_str!("start.lua")),
                withdraw: Script::new(include_str!("withdraw.lua")),
                replace_code: Script::new(include_str!("replace_code.lua")),
                compare: Script::new(include_str!("compare.lua")),
                reserve: Script::new(include_str!("reserve.lua")),
                find: Script::new(include_str!("find.lua")),
                release: Script::new(include_str!("release.lua")),
            },
        })
    }

    async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Unavailable> {
        let mut connection = self.connection.clone();
        Ok(script.invoke_async(&mut connection).await?)
    }
}

impl RedisChallenges {
    /// The script that finds or counts, but for the code's key.
    fn find_script(
        &self,
        address: &AddressKey,
        most_failures: u32,
        now: UnixMillis,
    ) -> ScriptInvocation<'_> {
        let mut script = self.scripts.find.key(address_key(address, "misses"));
        script
            .key(address_key(address, "failures"))
            .arg(now.0)
            .arg(MAX_TRIES)
            .arg(millis(MISSES_KEPT))
            .arg(most_failures)
            .arg(millis(FAILURE_WINDOW));
        script
    }
}

impl From<RedisError> for Unavailable {
    fn from(error: RedisError) -> Self {
        // The kind and the detail of the server's answer; never an argument.
        Self(error.to_string())
    }
}

fn challenge_key(id: ChallengeId) -> String {
    format!("customauth:{{p{}}}:challenge:{id}", id.slot())
}

fn starts_key(id: ChallengeId, phone: &PhoneKey) -> String {
    format!("customauth:{{p{}}}:starts:{}", id.slot(), phone.0.as_str())
}

fn hour_key(id: ChallengeId, phone: &PhoneKey) -> String {
    format!("customauth:{{p{}}}:hour:{}", id.slot(), phone.0.as_str())
}

fn pair_key(id: ChallengeId, phone: &PhoneKey, address: &AddressKey) -> String {
    format!("{}:{}", hour_key(id, phone), address.0.as_str())
}

/// The keys of a start, in the order of its scripts.
fn start_keys(new: &NewChallenge) -> [String; 4] {
    [
        challenge_key(new.id),
        starts_key(new.id, &new.phone_key),
        hour_key(new.id, &new.phone_key),
        pair_key(new.id, &new.phone_key, &new.address),
    ]
}

fn address_key(address: &AddressKey, what: &str) -> String {
    format!("customauth:{{a{}}}:{what}", address.0.as_str())
}

fn code_key(address: &AddressKey, code: &Mac) -> String {
    format!("{}:{}", address_key(address, "code"), code.as_str())
}

fn physical_life(now: UnixMillis, expires_at: UnixMillis) -> i64 {
    millis(now.until(expires_at) + SLACK)
}

#[async_trait]
impl ChallengeStore for RedisChallenges {
    async fn start(&self, new: &NewChallenge, now: UnixMillis) -> Result<Start, Unavailable> {
        let mut script = self.scripts.start.prepare_invoke();
        for key in start_keys(new) {
            script.key(key);
        }
        script
            .arg(now.0)
            .arg(new.expires_at.0)
            .arg(physical_life(now, new.expires_at))
            .arg(millis(STARTS_KEPT))
            .arg(new.short_in_a_row)
            .arg(new.short_code.as_str())
            .arg(new.long_code.as_str())
            .arg(new.phone.as_str())
            .arg(new.invited_by.as_deref().unwrap_or_default())
            .arg(new.address.0.as_str())
            .arg(millis(HOUR))
            .arg(new.limits.per_phone)
            .arg(new.limits.per_phone_and_address)
            .arg(millis(new.limits.gap));
        Ok(match self.run(&script).await? {
            (0, _) => Start::Started(CodeKind::Short),
            (1, _) => Start::Started(CodeKind::Long),
            (_, wait) => Start::TooMany {
                retry_after: Duration::from_millis(wait),
            },
        })
    }

    async fn withdraw(&self, new: &NewChallenge) -> Result<(), Unavailable> {
        let mut script = self.scripts.withdraw.prepare_invoke();
        for key in start_keys(new) {
            script.key(key);
        }
        self.run(&script).await
    }

    async fn replace_code(&self, id: ChallengeId, code: &Mac) -> Result<(), Unavailable> {
        let mut script = self.scripts.replace_code.key(challenge_key(id));
        script.arg(code.as_str());
        self.run(&script).await
    }

    async fn compare(
        &self,
        id: ChallengeId,
        code: &Mac,
        mismatch: Mismatch,
        now: UnixMillis,
    ) -> Result<Option<Matched>, Unavailable> {
        let most = match mismatch {
            Mismatch::CostsATry => MAX_TRIES.to_string(),
            Mismatch::IsFree => String::new(),
        };
        let mut script = self.scripts.compare.key(challenge_key(id));
        script.arg(now.0).arg(code.as_str()).arg(most);
        let known: Option<(String, String, String)> = self.run(&script).await?;
        Ok(known.map(|(phone, invited_by, address)| Matched {
            id,
            phone: PhoneNumber::from_stored(phone),
            invited_by: Some(invited_by).filter(|code| !code.is_empty()),
            address: AddressKey(Mac::from_stored(address)),
        }))
    }

    async fn forget(&self, id: ChallengeId, phone: &PhoneKey) -> Result<(), Unavailable> {
        let keys = [challenge_key(id), starts_key(id, phone)];
        let mut connection = self.connection.clone();
        let () = connection.del(&keys).await?;
        Ok(())
    }

    async fn reserve(
        &self,
        reservation: &Reservation<'_>,
        now: UnixMillis,
    ) -> Result<Reserved, Unavailable> {
        let address = reservation.address;
        let mut script = self.scripts.reserve.key(address_key(address, "live"));
        script
            .key(address_key(address, "misses"))
            .key(address_key(address, "starts"));
        for code in reservation.codes {
            script.key(code_key(address, code));
        }
        let most = reservation.counted.map(|most| most.to_string());
        script
            .arg(now.0)
            .arg(reservation.expires_at.0)
            .arg(physical_life(now, reservation.expires_at))
            .arg(millis(MISSES_KEPT))
            .arg(MAX_INDEXED)
            .arg(reservation.id.to_string())
            .arg(millis(HOUR))
            .arg(most.unwrap_or_default());
        let (number, wait): (isize, u64) = self.run(&script).await?;
        Ok(match number {
            -2 => Reserved::TooMany {
                retry_after: Duration::from_millis(wait),
            },
            -1 => Reserved::Full,
            0 => Reserved::AllTaken,
            number => Reserved::Code(number.unsigned_abs() - 1),
        })
    }

    async fn find(
        &self,
        address: &AddressKey,
        code: &Mac,
        most_failures: u32,
        now: UnixMillis,
    ) -> Result<Found, Unavailable> {
        let mut script = self.find_script(address, most_failures, now);
        script.key(code_key(address, code));
        Ok(match self.run(&script).await? {
            Value::Int(wait) => Found::TooMany {
                retry_after: Duration::from_millis(u64::try_from(wait).unwrap_or(0)),
            },
            found => {
                ChallengeId::parse(&from_redis_value::<String>(found).map_err(RedisError::from)?)
                    .map_or(Found::Nothing, Found::Challenge)
            }
        })
    }

    async fn count_miss(&self, address: &AddressKey, now: UnixMillis) -> Result<(), Unavailable> {
        let script = self.find_script(address, 0, now);
        self.run(&script).await
    }

    async fn release(
        &self,
        address: &AddressKey,
        code: &Mac,
        id: ChallengeId,
    ) -> Result<(), Unavailable> {
        let mut script = self.scripts.release.key(address_key(address, "live"));
        script.key(code_key(address, code)).arg(id.to_string());
        self.run(&script).await
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        let mut connection = self.connection.clone();
        let () = ::redis::cmd("PING").query_async(&mut connection).await?;
        Ok(())
    }
}
