//! The guards' counts in Redis: shared by all replicas. All keys are in one slot,
//! since one step decides over all of them; messages that cost money are few
//! enough for one node.
//!
//! Every key expires. There is no phone number and no address in any: prefixes
//! are plain, address blocks and challenges are keyed hashes.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ::redis::cmd;
use async_trait::async_trait;
use kit::clock::{UnixMillis, millis};
use uuid::Uuid;

use super::{
    slots::{JUDGED_SLOTS, SLOT_MILLIS, slot},
    store::{
        Admission, COUNTS_KEPT, Exceeded, Fate, GuardStore, Mode, NOTE_KEPT, OVERDUE_AT_ONCE,
        Round, SentCode, day, end_of_day,
    },
};
use crate::{
    challenges::store::Unavailable,
    mac::Mac,
    redis::{Connection, Script, Twice},
};

/// By how much a day's counts outlive it: a replica's clock may be behind.
const DAY_SLACK: Duration = Duration::from_secs(3600);
/// By how much a key outlives what it stands for.
const SLACK: Duration = Duration::from_secs(10);
/// How long what is under way is remembered after the last message: for as long
/// as every replica may be away.
const UNDER_WAY_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A store of the guards' counts in Redis.
pub struct RedisGuards {
    connection: Arc<Connection>,
    admit: Script,
    take_code: Script,
    count_code: Script,
    look_round: Script,
}

impl RedisGuards {
    /// A store on a connection that others use too.
    pub(crate) fn over(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            admit: Script::new(include_str!("redis/admit.lua")),
            take_code: Script::new(include_str!("redis/take_code.lua")),
            count_code: Script::new(include_str!("redis/count_code.lua")),
            look_round: Script::new(include_str!("redis/look_round.lua")),
        }
    }
}

const UNDER_WAY: &str = "customauth:{sms}:under_way";

fn day_key(now: UnixMillis) -> String {
    format!("customauth:{{sms}}:day:{}", day(now))
}

fn code_key(challenge: &Mac) -> String {
    format!("customauth:{{sms}}:code:{}", challenge.as_str())
}

/// The keys of the counts that a code is in, in the order of the scripts.
fn counts_keys(prefix: &str, block: &str) -> [String; 2] {
    [
        format!("customauth:{{sms}}:of_prefix:{prefix}"),
        format!("customauth:{{sms}}:of_block:{block}"),
    ]
}

fn keys_of(code: &SentCode) -> [String; 3] {
    let [prefix, block] = counts_keys(&code.prefix, code.block.as_str());
    [code_key(&code.challenge), prefix, block]
}

/// As the scripts read it.
fn enforced(mode: Mode) -> u8 {
    match mode {
        Mode::Enforce => 1,
        Mode::DryRun => 0,
    }
}

#[async_trait]
impl GuardStore for RedisGuards {
    async fn admit(
        &self,
        admission: &Admission,
        now: UnixMillis,
    ) -> Result<Vec<Exceeded>, Unavailable> {
        let Admission {
            expires_at,
            amounts,
            ..
        } = admission;
        let keys = [day_key(now), UNDER_WAY.to_owned()];
        let of_code = admission.code.iter().flat_map(keys_of);
        let mut call = self
            .admit
            .call(keys.into_iter().chain(of_code))
            .arg(now.0)
            .arg(admission.message.to_string())
            .arg(expires_at.0)
            .arg(millis(now.until(end_of_day(now)) + DAY_SLACK))
            .arg(millis(UNDER_WAY_KEPT))
            .arg(enforced(admission.budget))
            .arg(enforced(admission.breaker))
            .arg(amounts.len());
        for amount in amounts {
            let most = amount.most.map(|most| most.to_string());
            call = call
                .arg(amount.counter.to_string())
                .arg(amount.amount)
                .arg(most.unwrap_or_default());
        }
        if let Some(code) = &admission.code {
            let left = now.until(*expires_at);
            call = call
                .arg(SLOT_MILLIS)
                .arg(JUDGED_SLOTS)
                .arg(slot(*expires_at))
                .arg(code.judge.least_percent)
                .arg(code.judge.sample)
                .arg(code.prefix.as_str())
                .arg(code.block.as_str())
                .arg(expires_at.after(NOTE_KEPT).0)
                .arg(millis(left + NOTE_KEPT + SLACK))
                .arg(millis(COUNTS_KEPT));
        }
        let exceeded: Vec<(usize, u64)> = self.connection.ask(&call, Twice::Counts).await?;
        let exceeded = exceeded.into_iter().map(|(number, wait)| {
            let wait = Duration::from_millis(wait);
            match number.checked_sub(amounts.len()) {
                None | Some(0) => Exceeded::Amount(number.saturating_sub(1)),
                Some(1) => Exceeded::Prefix { wait },
                Some(_) => Exceeded::Block { wait },
            }
        });
        Ok(exceeded.collect())
    }

    async fn settle(&self, messages: &[Uuid]) -> Result<(), Unavailable> {
        let mut remove = cmd("ZREM");
        remove.arg(UNDER_WAY);
        for message in messages {
            remove.arg(message.to_string());
        }
        self.connection.ask(&remove, Twice::IsTheSame).await
    }

    /// Two steps, since only the first one tells which keys the second has. Of a
    /// process that ends in between, one code too few was entered.
    async fn resolve(
        &self,
        challenge: &Mac,
        fate: Fate,
        now: UnixMillis,
    ) -> Result<Option<String>, Unavailable> {
        let take = self.take_code.call([code_key(challenge)]).arg(now.0);
        let taken: Option<(String, String, i64)> =
            self.connection.ask(&take, Twice::Counts).await?;
        let Some((prefix, block, slot)) = taken else {
            return Ok(None);
        };
        let (field, count) = match fate {
            Fate::Entered => (format!("e{slot}"), 1),
            Fate::NotSent => (format!("s{slot}"), -1),
        };
        let keys = counts_keys(&prefix, &block);
        let count = self.count_code.call(keys).arg(field).arg(count);
        let () = self.connection.ask(&count, Twice::Counts).await?;
        Ok(Some(prefix))
    }

    async fn look_round(&self, overdue: UnixMillis, now: UnixMillis) -> Result<Round, Unavailable> {
        let keys = [UNDER_WAY.to_owned(), day_key(now)];
        let call = self.look_round.call(keys);
        let call = call.arg(overdue.0).arg(OVERDUE_AT_ONCE);
        let (overdue, under_way, counts): (Vec<String>, u64, HashMap<String, u64>) =
            self.connection.ask(&call, Twice::Counts).await?;
        let overdue = overdue.iter().filter_map(|id| Uuid::parse_str(id).ok());
        Ok(Round {
            overdue: overdue.collect(),
            under_way,
            counts,
        })
    }
}
