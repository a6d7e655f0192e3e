//! Challenges in Redis: shared by all replicas, each step one Lua script on one
//! slot, so that a single server and a Redis Cluster serve alike.
//!
//! Every key expires. The scripts go by the time that they are given; a key's
//! physical life is a little longer than its logical one, so that a clock that
//! is a little behind loses nothing.

use std::{sync::Arc, time::Duration};

use ::redis::{Value, cmd, from_redis_value};
use async_trait::async_trait;
use kit::{
    clock::{UnixMillis, millis},
    metrics::Metrics,
};

use super::{
    id::ChallengeId,
    store::{
        AddressKey, ChallengeStore, CodeKind, FAILURE_WINDOW, Found, HOUR, MAX_INDEXED, MAX_TRIES,
        MISSES_KEPT, Matched, Mismatch, NewChallenge, PhoneKey, Reservation, Reserved, STARTS_KEPT,
        Start, Unavailable,
    },
};
use crate::{
    mac::Mac,
    phone::PhoneNumber,
    redis::{Call, Connection, OneSlotScript, Twice},
};

/// By how much a key outlives what it stands for.
const SLACK: Duration = Duration::from_secs(10);

/// A challenge store in Redis.
pub struct RedisChallenges {
    connection: Arc<Connection>,
    scripts: Scripts,
}

struct Scripts {
    start: OneSlotScript,
    withdraw: OneSlotScript,
    replace_code: OneSlotScript,
    compare: OneSlotScript,
    reserve: OneSlotScript,
    find: OneSlotScript,
    release: OneSlotScript,
}

impl RedisChallenges {
    /// A store on a connection that others use too.
    pub(crate) fn over(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            scripts: Scripts {
                start: OneSlotScript::new(include_str!("redis/start.lua")),
                withdraw: OneSlotScript::new(include_str!("redis/withdraw.lua")),
                replace_code: OneSlotScript::new(include_str!("redis/replace_code.lua")),
                compare: OneSlotScript::new(include_str!("redis/compare.lua")),
                reserve: OneSlotScript::new(include_str!("redis/reserve.lua")),
                find: OneSlotScript::new(include_str!("redis/find.lua")),
                release: OneSlotScript::new(include_str!("redis/release.lua")),
            },
        }
    }

    /// The script that finds or counts: without a code it counts.
    fn find_call(
        &self,
        address: &AddressKey,
        code: Option<&Mac>,
        most_failures: u32,
        now: UnixMillis,
    ) -> Call<'_> {
        let counts = ["misses", "failures"].map(|what| address_key(address, what));
        let code = code.map(|code| code_key(address, code));
        self.scripts
            .find
            .call(counts.into_iter().chain(code))
            .arg(now.0)
            .arg(MAX_TRIES)
            .arg(millis(MISSES_KEPT))
            .arg(most_failures)
            .arg(millis(FAILURE_WINDOW))
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

/// Which steps may be done twice: those that only read, that set what is set
/// already, or that delete what has this one name. The others count, and one
/// that found no match does too: whether it will is not known before.
#[async_trait]
impl ChallengeStore for RedisChallenges {
    async fn start(&self, new: &NewChallenge, now: UnixMillis) -> Result<Start, Unavailable> {
        let call = self
            .scripts
            .start
            .call(start_keys(new))
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
        Ok(match self.connection.ask(&call, Twice::Counts).await? {
            (0, _) => Start::Started(CodeKind::Short),
            (1, _) => Start::Started(CodeKind::Long),
            (_, wait) => Start::TooMany {
                retry_after: Duration::from_millis(wait),
            },
        })
    }

    async fn withdraw(&self, new: &NewChallenge) -> Result<(), Unavailable> {
        let call = self.scripts.withdraw.call(start_keys(new));
        self.connection.ask(&call, Twice::Counts).await
    }

    async fn replace_code(&self, id: ChallengeId, code: &Mac) -> Result<(), Unavailable> {
        let script = &self.scripts.replace_code;
        let call = script.call([challenge_key(id)]).arg(code.as_str());
        self.connection.ask(&call, Twice::IsTheSame).await
    }

    async fn compare(
        &self,
        id: ChallengeId,
        code: &Mac,
        mismatch: Mismatch,
        now: UnixMillis,
    ) -> Result<Option<Matched>, Unavailable> {
        let (most, twice) = match mismatch {
            Mismatch::CostsATry => (MAX_TRIES.to_string(), Twice::Counts),
            Mismatch::IsFree => (String::new(), Twice::IsTheSame),
        };
        let script = &self.scripts.compare;
        let call = script
            .call([challenge_key(id)])
            .arg(now.0)
            .arg(code.as_str())
            .arg(most);
        let known: Option<(String, String, String)> = self.connection.ask(&call, twice).await?;
        Ok(known.map(|(phone, invited_by, address)| Matched {
            id,
            phone: PhoneNumber::from_stored(phone),
            invited_by: Some(invited_by).filter(|code| !code.is_empty()),
            address: AddressKey(Mac::from_stored(address)),
        }))
    }

    async fn forget(&self, id: ChallengeId, phone: &PhoneKey) -> Result<(), Unavailable> {
        let mut delete = cmd("DEL");
        delete.arg(challenge_key(id)).arg(starts_key(id, phone));
        // A start in the moment between may go uncounted.
        self.connection.ask(&delete, Twice::IsTheSame).await
    }

    async fn reserve(
        &self,
        reservation: &Reservation<'_>,
        now: UnixMillis,
    ) -> Result<Reserved, Unavailable> {
        let address = reservation.address;
        let counts = ["live", "misses", "starts"].map(|what| address_key(address, what));
        let codes = reservation.codes.iter().map(|code| code_key(address, code));
        let most = reservation.counted.map(|most| most.to_string());
        let call = self
            .scripts
            .reserve
            .call(counts.into_iter().chain(codes))
            .arg(now.0)
            .arg(reservation.expires_at.0)
            .arg(physical_life(now, reservation.expires_at))
            .arg(millis(MISSES_KEPT))
            .arg(MAX_INDEXED)
            .arg(reservation.id.to_string())
            .arg(millis(HOUR))
            .arg(most.unwrap_or_default());
        let (number, wait): (isize, u64) = self.connection.ask(&call, Twice::Counts).await?;
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
        let call = self.find_call(address, Some(code), most_failures, now);
        Ok(match self.connection.ask(&call, Twice::Counts).await? {
            Value::Int(wait) => Found::TooMany {
                retry_after: Duration::from_millis(u64::try_from(wait).unwrap_or(0)),
            },
            found => ChallengeId::parse(
                &from_redis_value::<String>(found).map_err(::redis::RedisError::from)?,
            )
            .map_or(Found::Nothing, Found::Challenge),
        })
    }

    async fn count_miss(&self, address: &AddressKey, now: UnixMillis) -> Result<(), Unavailable> {
        let call = self.find_call(address, None, 0, now);
        self.connection.ask(&call, Twice::Counts).await
    }

    async fn release(
        &self,
        address: &AddressKey,
        code: &Mac,
        id: ChallengeId,
    ) -> Result<(), Unavailable> {
        let keys = [address_key(address, "live"), code_key(address, code)];
        let call = self.scripts.release.call(keys).arg(id.to_string());
        self.connection.ask(&call, Twice::IsTheSame).await
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        self.connection.ping().await
    }

    fn count(&self, metrics: &Metrics) {
        self.connection.count(metrics);
    }
}
