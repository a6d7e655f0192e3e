//! A start, in one step or in two, and what takes it back at the phone.

use std::time::Duration;

use kit::clock::{UnixMillis, millis};

use super::{
    RedisChallenges,
    keys::{address_key, bare_key, start_keys},
    known,
};
use crate::{
    challenges::{
        BareCodes,
        store::{CodeHashes, CodeKind, NewChallenge, Unavailable},
    },
    redis::{Call, Script, Twice},
};

/// By how much a key outlives what it stands for.
const SLACK: Duration = Duration::from_secs(10);

impl RedisChallenges {
    /// Both steps of a start. The number is the code's that was reserved.
    pub(super) async fn start_at_once(
        &self,
        new: &NewChallenge,
        now: UnixMillis,
    ) -> Result<(i64, i64), Unavailable> {
        let keys = start_keys(new)
            .into_iter()
            .chain(reserve_keys(new, &[&new.short_code, &new.long_code]));
        let call = start_call(&self.scripts.start_at_once, keys, new, now);
        self.connection.ask(&call, Twice::Counts).await
    }

    /// The same one after the other, with the same outcome.
    pub(super) async fn start_in_two(
        &self,
        new: &NewChallenge,
        now: UnixMillis,
    ) -> Result<(i64, i64), Unavailable> {
        let at_phone = start_call(&self.scripts.start, start_keys(new), new, now);
        let (kind, wait) = self.connection.ask(&at_phone, Twice::Counts).await?;
        if kind == -1 {
            return Ok((kind, wait));
        }
        let keys = reserve_keys(new, &[new.code(code_kind(kind))]);
        let at_address = start_call(&self.scripts.reserve, keys, new, now);
        match self.connection.ask(&at_address, Twice::Counts).await {
            Ok((-2, wait)) => {
                self.withdraw_at_phone(new).await?;
                Ok((-1, wait))
            }
            Ok((number, _)) => Ok((kind, number)),
            Err(error) => {
                self.withdraw_at_phone(new).await?;
                Err(error)
            }
        }
    }

    /// Whoever may not start a challenge here must not use up what the phone's
    /// owner may start.
    pub(super) async fn withdraw_at_phone(&self, new: &NewChallenge) -> Result<(), Unavailable> {
        let call = self.scripts.withdraw.call(start_keys(new));
        self.connection.ask(&call, Twice::Counts).await
    }
}

/// The keys of a reservation of one of these codes.
pub(super) fn reserve_keys(new: &NewChallenge, codes: &[&CodeHashes]) -> Vec<String> {
    let address = &new.address;
    let counts = ["asked", "missed", "live"].map(|what| address_key(address, what));
    let codes = codes
        .iter()
        .filter(|_| new.bare_codes == BareCodes::On)
        .map(|code| bare_key(address, &code.at_address));
    counts.into_iter().chain(codes).collect()
}

/// A script with the arguments of both steps of a start, as start_arguments.lua
/// names them.
fn start_call<'a>(
    script: &'a Script,
    keys: impl IntoIterator<Item = String>,
    new: &NewChallenge,
    now: UnixMillis,
) -> Call<'a> {
    let per_address = new.per_address.map(|most| most.to_string());
    reserve_call(script, keys, new, now, &per_address.unwrap_or_default())
        .arg(known::written(new.address.0.as_str(), new))
        .arg(new.short_code.of_challenge.as_str())
        .arg(new.long_code.of_challenge.as_str())
        .arg(new.short_in_a_row)
        .arg(new.limits.per_phone)
        .arg(new.limits.per_phone_and_address)
        .arg(millis(new.limits.gap))
}

/// The same with those of a reservation alone.
pub(super) fn reserve_call<'a>(
    script: &'a Script,
    keys: impl IntoIterator<Item = String>,
    new: &NewChallenge,
    now: UnixMillis,
    per_address: &str,
) -> Call<'a> {
    let id = new.id.to_string();
    script
        .call(keys)
        .arg(now.0)
        .arg(new.expires_at.0)
        .arg(millis(now.until(new.expires_at) + SLACK))
        .arg(&id)
        .arg(per_address)
        .arg(known::written(&id, new))
}

pub(super) fn code_kind(number: i64) -> CodeKind {
    match number {
        0 => CodeKind::Short,
        _ => CodeKind::Long,
    }
}
