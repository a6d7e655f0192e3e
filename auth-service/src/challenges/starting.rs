//! Starting a challenge, and taking a start back.

use std::{net::IpAddr, time::Duration};

use kit::clock::UnixMillis;

use super::{
    BareCodes, ChallengeId, Challenges, Refused, Slot, Started,
    store::{
        CodeKind, NewChallenge, PhoneKey, PhoneLimits, Reservation, Reserved, Start, Unavailable,
    },
};
use crate::{
    code::{self, Code},
    mac::{Label, Mac},
    phone::PhoneNumber,
};

/// Codes that are offered to the index of an address at once: two are enough
/// at almost every address, and where half of all codes are in use, 64 all are
/// with a chance of 2⁻⁶⁴.
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
            address,
            short_code: self.code_of_challenge(id, &short),
            long_code: self.code_of_challenge(id, &long),
            short_in_a_row: self.rules.short_in_a_row,
            expires_at,
            limits: self.rules.phone_limits,
        };
        let kind = match self.store.start(&new, now).await? {
            Start::Started(kind) => kind,
            Start::TooMany { retry_after } => return Err(Refused::TooMany { retry_after }),
        };
        let code = match kind {
            CodeKind::Short => short,
            CodeKind::Long => long,
        };
        let code = match self.index(&new, code, kind, now).await {
            Ok(code) => code,
            Err(refused) => {
                // Whoever may not start a challenge here must not use up what
                // the phone's owner may start.
                self.store.withdraw(&new).await?;
                return Err(refused);
            }
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
        let hash = self.code_of_challenge(id, code);
        let new = NewChallenge {
            id,
            phone_key,
            phone: phone.clone(),
            invited_by,
            address,
            short_code: hash.clone(),
            long_code: hash,
            short_in_a_row: u32::MAX,
            expires_at,
            limits: NO_LIMITS,
        };
        self.store.start(&new, now).await?;
        if self.rules.bare_codes == BareCodes::On {
            let reservation = Reservation {
                address: &new.address,
                id,
                codes: &[self.code_at_address(&new.address, code)],
                counted: None,
                expires_at,
            };
            self.store.reserve(&reservation, now).await?;
        }
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
        let address = &started.new.address;
        let at_address = self.code_at_address(address, &started.code);
        self.store.withdraw(&started.new).await?;
        self.store.release(address, &at_address, started.id).await
    }

    /// Counts the start at its address, and makes the challenge findable by its
    /// code there, with another code if a live one has the same.
    async fn index(
        &self,
        new: &NewChallenge,
        code: Code,
        kind: CodeKind,
        now: UnixMillis,
    ) -> Result<Code, Refused> {
        let address = &new.address;
        let mut counted = Some(self.rules.starts_per_client);
        for offered in OFFERS {
            let mut codes: Vec<Code> = match self.rules.bare_codes {
                BareCodes::On => {
                    let others = (1..offered).map(|_| self.draw(kind));
                    std::iter::once(code.clone()).chain(others).collect()
                }
                BareCodes::Off => Vec::new(),
            };
            let hashes: Vec<Mac> = codes
                .iter()
                .map(|code| self.code_at_address(address, code))
                .collect();
            let reservation = Reservation {
                address,
                id: new.id,
                codes: &hashes,
                counted: counted.take(),
                expires_at: new.expires_at,
            };
            match self.store.reserve(&reservation, now).await? {
                Reserved::Code(0) | Reserved::Full => return Ok(code),
                Reserved::Code(index) => {
                    let code = codes.swap_remove(index);
                    let hash = self.code_of_challenge(new.id, &code);
                    self.store.replace_code(new.id, &hash).await?;
                    return Ok(code);
                }
                Reserved::AllTaken if codes.is_empty() => return Ok(code),
                Reserved::AllTaken => {}
                Reserved::TooMany { retry_after } => {
                    return Err(Refused::TooMany { retry_after });
                }
            }
        }
        Ok(code)
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
