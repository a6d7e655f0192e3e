//! What a challenge holds in Redis, by the product's own requests: for how long,
//! and what is left of it after the sign-in.

use std::{net::Ipv4Addr, path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    load::{address_of, rest::Rest, world::crowd_phone},
    machine::{Machine, Product},
    number::number,
};

/// Codes that are asked for, and sign-ins.
const STARTS: u32 = 20_000;
const SIGN_INS: u32 = 5_000;
/// Where they come from, when not from one address.
const ADDRESSES: u32 = 1_000;
/// How many are asked for at once.
const AT_ONCE: usize = 50;

/// In seconds.
const DAY: f64 = 86_400.0;

/// Says of every kind of key how many there are, their bytes, and the sum over all
/// of bytes × seconds that are left: kinds are told apart by the words in a name.
const COUNT: &str = r"
local all, cursor = {}, '0'
repeat
  local found = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = found[1]
  for _, key in ipairs(found[2]) do
    local kind = redis.call('TYPE', key).ok
    for part in string.gmatch((string.gsub(key, '{[^}]*}', '')), '[^:]+') do
      if #part < 12 and part ~= 'customauth' and string.match(part, '^%l+$') then kind = kind .. ' ' .. part end
    end
    local bytes = redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 0)
    local known = all[kind] or { 0, 0, 0 }
    all[kind] = { known[1] + 1, known[2] + bytes,
                  known[3] + bytes * redis.call('PTTL', key) / 1000 }
  end
until cursor == '0'
local lines = {}
for kind, of in pairs(all) do
  lines[#lines + 1] = string.format('%s|%.0f|%.0f|%.0f', kind, of[1], of[2], of[3])
end
return lines";

/// Keys of one kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) keys: f64,
    pub(super) bytes: f64,
    /// Bytes × seconds until they expire, in all.
    pub(super) byte_seconds: f64,
}

impl Kind {
    /// How long it lives, in seconds.
    pub(super) fn life(&self) -> f64 {
        self.byte_seconds / self.bytes.max(1.0)
    }
}

/// What is there after something was done many times.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) what: String,
    pub(super) times: u32,
    /// What Redis uses more than before, in bytes.
    pub(super) used: f64,
    pub(super) kinds: Vec<Kind>,
}

impl Held {
    /// Bytes of each time.
    pub(super) fn each(&self) -> f64 {
        self.used / f64::from(self.times)
    }

    /// What Redis holds all the time if this is done once a second: bytes × seconds
    /// of each, of what lives for less than a day and of what lives longer. What
    /// Redis uses beside the keys (its tables of them) counts in proportion.
    pub(super) fn held_a_second(&self) -> [f64; 2] {
        let keys: f64 = self.kinds.iter().map(|kind| kind.bytes).sum();
        let scale = self.used / keys.max(1.0) / f64::from(self.times);
        let sum = |lasts: bool| {
            let kinds = self
                .kinds
                .iter()
                .filter(|kind| (kind.life() > DAY) == lasts);
            scale * kinds.fold(0.0, |sum, kind| sum + kind.byte_seconds)
        };
        [sum(false), sum(true)]
    }

    pub(super) fn json(&self) -> Value {
        let kinds = self.kinds.iter().map(|kind| {
            json!({"kind": kind.name, "keys": kind.keys, "bytes": kind.bytes,
                   "byte_seconds": kind.byte_seconds})
        });
        json!({"what": self.what, "times": self.times, "used_bytes": self.used,
               "kinds": kinds.collect::<Value>()})
    }
}

/// Measures starts from many addresses and from one, and sign-ins; each with a
/// Redis of its own.
pub(super) async fn measure(
    beside: impl Fn() -> Machine,
    logs: &Path,
) -> anyhow::Result<Vec<Held>> {
    let mut all = Vec::new();
    for (what, times, addresses, then) in [
        (
            "a code asked for, 1,000 addresses",
            STARTS,
            ADDRESSES,
            Then::Nothing,
        ),
        ("a code asked for, one address", STARTS, 1, Then::Nothing),
        (
            "a sign-in, 1,000 addresses",
            SIGN_INS,
            ADDRESSES,
            Then::SignsIn,
        ),
    ] {
        let machine = beside();
        let product = Product::start(&machine, 0, logs)?;
        crate::run::ready(&product).await?;
        // The scripts, the connections and their buffers are there then.
        ask(&product, address_of(ADDRESSES), STARTS + 1, then).await?;
        let before = used(&machine)?;
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut asking = JoinSet::new();
        let clients = addresses.max(50);
        for client in 0..clients {
            let (from, to, turns) = (address_of(client % addresses), product.http, turns.clone());
            let numbers = (client..times).step_by(usize::try_from(clients)?);
            asking.spawn(async move {
                let _turn = turns.acquire().await?;
                let mut rest = Rest::connect(from, to).await?;
                for number in numbers {
                    ask_on(&mut rest, number, then).await?;
                }
                Ok::<_, anyhow::Error>(())
            });
        }
        while let Some(asked) = asking.join_next().await {
            asked??;
        }
        all.push(Held {
            what: what.to_owned(),
            times,
            used: used(&machine)? - before,
            kinds: parse(&machine.redis.raw(&["EVAL", COUNT, "0"])),
        });
        ensure!(!all.iter().any(|held| held.kinds.is_empty()), "no keys");
    }
    Ok(all)
}

/// What follows a code that was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    SignsIn,
}

async fn ask(product: &Product, from: Ipv4Addr, number: u32, then: Then) -> anyhow::Result<()> {
    let mut rest = Rest::connect(from, product.http).await?;
    ask_on(&mut rest, number, then).await
}

async fn ask_on(rest: &mut Rest, number: u32, then: Then) -> anyhow::Result<()> {
    const PATH: &str = "/api/v1/auths/";
    let body = format!(r#"{{"phone_number":"{}"}}"#, crowd_phone(number.into()));
    let answer = rest.send(Method::POST, PATH, &[], body).await?;
    let answer = answer.expect(StatusCode::OK)?;
    if then == Then::SignsIn {
        let body = format!(r#"{{"otp":"{}"}}"#, answer.between("(use ", ")")?);
        let answer = rest.send(Method::PATCH, PATH, &[], body).await?;
        answer.expect(StatusCode::OK)?;
    }
    Ok(())
}

/// Bytes that Redis has allocated.
fn used(machine: &Machine) -> anyhow::Result<f64> {
    let info = machine.redis.raw(&["INFO", "memory"]);
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    let bytes: u64 = line.context("no used_memory")?.trim().parse()?;
    Ok(number(bytes))
}

/// `kind|keys|bytes|byte-seconds`, a line each; the most bytes first.
fn parse(printed: &str) -> Vec<Kind> {
    let each = |line: &str| {
        let mut words = line.split('|');
        let name = words.next()?.to_owned();
        let mut next = || words.next()?.trim().parse().ok();
        Some(Kind {
            name,
            keys: next()?,
            bytes: next()?,
            byte_seconds: next()?,
        })
    };
    let mut kinds: Vec<Kind> = printed.lines().filter_map(each).collect();
    kinds.sort_by(|one, other| other.bytes.total_cmp(&one.bytes));
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_says_is_read_and_weighed_by_its_life() {
        let kinds = parse("hash a|2|100|10000000\nzset b|1|300|3000\nx\n");
        assert_eq!(kinds.len(), 2);
        assert_eq!(kinds[0].name, "zset b");
        let held = Held {
            what: String::new(),
            times: 2,
            used: 800.0,
            kinds,
        };
        assert!((held.each() - 400.0).abs() < 1e-9);
        // Of two, one lives for ten seconds and the other for more than a day; and
        // twice as many bytes are used as keys have.
        let [short, long] = held.held_a_second();
        assert!((short - 3_000.0).abs() < 1e-6 && (long - 10_000_000.0).abs() < 1e-6);
    }
}
