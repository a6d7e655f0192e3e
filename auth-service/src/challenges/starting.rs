//! Starting a challenge, and taking a start back.

use std::{net::IpAddr, time::Duration};

use kit::clock::UnixMillis;

use super::{
    ChallengeId, Challenges, Refused, Slot, Started,
    store::{CodeHashes, CodeKind, NewChallenge, PhoneKey, PhoneLimits, Start, Unavailable},
};
use crate::{
    code::{self, Code},
    mac::Label,
    phone::PhoneNumber,
};

/// Other codes that are offered at once to the index of an address in which the
/// first one is taken: two are enough almost everywhere, and where half of all
/// codes are in use, 64 all are with a chance of 2⁻⁶⁴.
const OFFERS: [usize; 2] = [2, 64];

/// What a fixed code is started under: nothing binds.
const NO_LIMITS: PhoneLimits = PhoneLimits {
    per_phone: u32::MAX,
    per_phone_and_address: u32::MAX,
    gap: Duration::ZERO,
};

impl Challenges {
    /// Starts a challenge for `phone`, asked for from `client`. It lives from
    /// now until its code was delivered, which takes `delivery`, and then for
    /// the lifetime of a code.
    pub async fn start(
        &self,
        phone: &PhoneNumber,
        invited_by: Option<String>,
        client: IpAddr,
        delivery: Duration,
        now: UnixMillis,
    ) -> Result<Started, Refused> {
        let phone_key = self.phone_key(phone);
        let address = self.address_key(client);
        let id = ChallengeId::draw(Slot::of(&phone_key.0), &*self.random);
        let expires_at = now.after(delivery).after(self.rules.lifetime);
        let short = self.draw(CodeKind::Short);
        let long = self.draw(CodeKind::Long);
        let new = NewChallenge {
            id,
            phone_key,
            phone: phone.clone(),
            invited_by,
            short_code: self.hashes(id, &address, &short),
            long_code: self.hashes(id, &address, &long),
            short_in_a_row: self.rules.short_in_a_row,
            bare_codes: self.rules.bare_codes,
            address,
            expires_at,
            limits: self.rules.phone_limits,
            per_address: Some(self.rules.starts_per_client),
        };
        let of_kind = |kind| match kind {
            CodeKind::Short => short,
            CodeKind::Long => long,
        };
        let code = match self.store.start(&new, now).await? {
            Start::Started(kind) => of_kind(kind),
            Start::CodeTaken(kind) => match self.replace_code(&new, kind, now).await {
                Ok(other) => other.unwrap_or_else(|| of_kind(kind)),
                Err(error) => {
                    // Nobody gets this code, so it must not use up what the
                    // phone's owner may start.
                    self.store.withdraw(&new, new.code(kind)).await?;
                    return Err(error.into());
                }
            },
            Start::TooMany { retry_after } => return Err(Refused::TooMany { retry_after }),
        };
        Ok(Started {
            id,
            code,
            expires_at,
            new,
        })
    }

    /// Starts a challenge whose code is known beforehand and is not delivered. No
    /// limit counts, and nothing that others may do is used up by it: its starts are
    /// counted apart from the phone's, and not at all at the address.
    ///
    /// Its code cannot give way to another one. So if a live challenge at the
    /// address has it already (an earlier one of the same phone, nearly always),
    /// the bare code finds that, and this one is reachable by its name alone.
    pub async fn start_fixed(
        &self,
        phone: &PhoneNumber,
        invited_by: Option<String>,
        client: IpAddr,
        code: &Code,
        now: UnixMillis,
    ) -> Result<Started, Unavailable> {
        let phone_key = PhoneKey(self.hasher.mac(Label::Phone, &["fixed", phone.as_str()]));
        let address = self.address_key(client);
        let id = ChallengeId::draw(Slot::of(&phone_key.0), &*self.random);
        let expires_at = now.after(self.rules.lifetime);
        let hashes = self.hashes(id, &address, code);
        let new = NewChallenge {
            id,
            phone_key,
            phone: phone.clone(),
            invited_by,
            address,
            short_code: hashes.clone(),
            long_code: hashes,
            short_in_a_row: u32::MAX,
            bare_codes: self.rules.bare_codes,
            expires_at,
            limits: NO_LIMITS,
            per_address: None,
        };
        self.store.start(&new, now).await?;
        Ok(Started {
            id,
            code: code.clone(),
            expires_at,
            new,
        })
    }

    /// Takes a start back: its code is not going to be delivered. The phone's
    /// owner may ask again as if nothing had been asked for; the address has
    /// asked.
    pub async fn withdraw(&self, started: &Started) -> Result<(), Unavailable> {
        let new = &started.new;
        let code = self.hashes(new.id, &new.address, &started.code);
        self.store.withdraw(new, &code).await
    }

    /// Gives a challenge a code that no other one at its address has. `None` if
    /// it has to keep its own, and can be reached by its name alone.
    async fn replace_code(
        &self,
        new: &NewChallenge,
        kind: CodeKind,
        now: UnixMillis,
    ) -> Result<Option<Code>, Unavailable> {
        for offered in OFFERS {
            let mut codes: Vec<Code> = (0..offered).map(|_| self.draw(kind)).collect();
            let hashes: Vec<CodeHashes> = codes
                .iter()
                .map(|code| self.hashes(new.id, &new.address, code))
                .collect();
            if let Some(index) = self.store.replace_code(new, &hashes, now).await? {
                return Ok(Some(codes.swap_remove(index)));
            }
        }
        Ok(None)
    }

    fn draw(&self, kind: CodeKind) -> Code {
        let length = match kind {
            CodeKind::Short => self.rules.code_length,
            CodeKind::Long => self.rules.code_length.max(code::LONG),
        };
        loop {
            let code = Code::draw(&*self.random, length);
            if !self.reserved.contains(&code) {
                return code;
            }
        }
    }
}
