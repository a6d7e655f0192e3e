//! Challenges in Redis: shared by all replicas, each step one Lua script on one
//! slot, so that a single server and a Redis Cluster serve alike. What has a step at
//! the phone and one at the address is one script for a single server.
//!
//! Every key expires. The scripts go by the time that they are given; a key's
//! physical life is a little longer than its logical one, so that a clock that
//! is a little behind loses nothing.

mod keys;
mod known;
mod scripts;
mod start;

use std::{sync::Arc, time::Duration};

use ::redis::{RedisError, Value, from_redis_value};
use async_trait::async_trait;
use kit::{clock::UnixMillis, metrics::Metrics};

use self::{
    keys::{address_key, bare_key, named_key, row_key},
    scripts::Scripts,
    start::{code_kind, reserve_call, reserve_keys},
};
use super::{
    id::ChallengeId,
    store::{
        AddressKey, ChallengeStore, CodeHashes, Found, Matched, NewChallenge, PhoneKey, Start,
        Unavailable,
    },
};
use crate::{
    mac::Mac,
    redis::{Connection, Servers, Twice},
};

/// A challenge store in Redis.
pub struct RedisChallenges {
    connection: Arc<Connection>,
    scripts: Scripts,
}

impl RedisChallenges {
    /// A store on a connection that others use too.
    pub(crate) fn over(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            scripts: Scripts::default(),
        }
    }

    async fn forget(&self, keys: [String; 2]) -> Result<(), Unavailable> {
        let call = self.scripts.forget.call(keys);
        self.connection.ask(&call, Twice::IsTheSame).await
    }

    async fn release(
        &self,
        address: &AddressKey,
        code: &Mac,
        id: ChallengeId,
    ) -> Result<(), Unavailable> {
        let call = self.scripts.release.call(release_keys(address, code));
        let call = call.arg(id.to_string());
        self.connection.ask(&call, Twice::IsTheSame).await
    }
}

fn release_keys(address: &AddressKey, code: &Mac) -> [String; 2] {
    [address_key(address, "live"), bare_key(address, code)]
}

fn wait(millis: i64) -> Duration {
    Duration::from_millis(millis.try_into().unwrap_or(0))
}

/// Which steps may be done twice: those that only read, that set what is set
/// already, or that delete what has this one name. The others count, and one
/// that found no match does too: whether it will is not known before. (Of a spent
/// challenge's phone, a start between the two times may go uncounted.)
#[async_trait]
impl ChallengeStore for RedisChallenges {
    async fn start(&self, new: &NewChallenge, now: UnixMillis) -> Result<Start, Unavailable> {
        let outcome = match self.connection.servers() {
            Servers::One => self.start_at_once(new, now).await?,
            Servers::Cluster => self.start_in_two(new, now).await?,
        };
        Ok(match outcome {
            (-1, millis) => Start::TooMany {
                retry_after: wait(millis),
            },
            (kind, 0) => Start::CodeTaken(code_kind(kind)),
            (kind, _) => Start::Started(code_kind(kind)),
        })
    }

    async fn replace_code(
        &self,
        new: &NewChallenge,
        codes: &[CodeHashes],
        now: UnixMillis,
    ) -> Result<Option<usize>, Unavailable> {
        let keys = reserve_keys(new, &codes.iter().collect::<Vec<_>>());
        let call = reserve_call(&self.scripts.reserve, keys, new, now, "");
        let (number, _): (i64, i64) = self.connection.ask(&call, Twice::Counts).await?;
        let index = usize::try_from(number - 1).ok();
        let Some((index, code)) = index.and_then(|index| Some((index, codes.get(index)?))) else {
            return Ok(None);
        };
        let keys = [named_key(new.id)];
        let call = self.scripts.replace_code.call(keys);
        let call = call.arg(code.of_challenge.as_str());
        let () = self.connection.ask(&call, Twice::IsTheSame).await?;
        Ok(Some(index))
    }

    async fn withdraw(&self, new: &NewChallenge, code: &CodeHashes) -> Result<(), Unavailable> {
        let (withdrawn, released) = tokio::join!(
            self.withdraw_at_phone(new),
            self.release(&new.address, &code.at_address, new.id),
        );
        withdrawn.and(released)
    }

    async fn answer(
        &self,
        id: ChallengeId,
        of_challenge: &Mac,
        now: UnixMillis,
    ) -> Result<Option<Matched>, Unavailable> {
        let keys = [named_key(id)];
        let call = self.scripts.answer.call(keys);
        let call = call.arg(now.0).arg(of_challenge.as_str());
        let found: Option<String> = self.connection.ask(&call, Twice::Counts).await?;
        let found = found.as_deref().and_then(known::read);
        Ok(found.map(|(address, phone, invited_by)| Matched {
            id,
            phone,
            invited_by,
            address: AddressKey(Mac::from_stored(address.to_owned())),
        }))
    }

    async fn answer_bare(
        &self,
        address: &AddressKey,
        at_address: &Mac,
        most_failures: u32,
        now: UnixMillis,
    ) -> Result<Found, Unavailable> {
        let keys = [
            address_key(address, "missed"),
            bare_key(address, at_address),
        ];
        let call = self.scripts.answer_bare.call(keys);
        let call = call.arg(now.0).arg(most_failures);
        let found = match self.connection.ask(&call, Twice::Counts).await? {
            Value::Int(millis) => {
                return Ok(Found::TooMany {
                    retry_after: wait(millis),
                });
            }
            found => from_redis_value::<Option<String>>(found).map_err(RedisError::from)?,
        };
        let found = found.as_deref().and_then(known::read);
        let matched = found.and_then(|(id, phone, invited_by)| {
            Some(Matched {
                id: ChallengeId::parse(id)?,
                phone,
                invited_by,
                address: address.clone(),
            })
        });
        Ok(matched.map_or(Found::Nothing, Found::Challenge))
    }

    async fn spend(
        &self,
        matched: &Matched,
        phone: &PhoneKey,
        at_address: &Mac,
    ) -> Result<(), Unavailable> {
        let (id, address) = (matched.id, &matched.address);
        let forget_keys = [named_key(id), row_key(id, phone)];
        if let Servers::One = self.connection.servers() {
            let keys = forget_keys.into_iter();
            let keys = keys.chain(release_keys(address, at_address));
            let call = self.scripts.spend_at_once.call(keys).arg(id.to_string());
            return self.connection.ask(&call, Twice::IsTheSame).await;
        }
        let (forgotten, released) = tokio::join!(
            self.forget(forget_keys),
            self.release(address, at_address, id),
        );
        forgotten.and(released)
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        self.connection.ping().await
    }

    fn count(&self, metrics: &Metrics) {
        self.connection.count(metrics);
    }
}
