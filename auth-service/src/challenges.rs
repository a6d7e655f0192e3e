//! Challenges: who may enter which code, and how often.
//!
//! This file holds the rules; the stores in [`memory`] and [`redis`] hold the
//! state, and do each counted step atomically.

mod address;
pub(crate) mod expiring;
mod id;
pub mod memory;
pub mod redis;
mod starting;
pub mod store;
mod url;
mod window;

use std::{collections::HashSet, net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use kit::{clock::UnixMillis, random::Random};

use crate::{
    code::Code,
    mac::{Hasher, Label, Mac},
    phone::PhoneNumber,
};
use store::{
    AddressKey, ChallengeStore, CodeHashes, Found, Matched, NewChallenge, PhoneKey, PhoneLimits,
    Unavailable,
};

pub use id::{ChallengeId, Slot};
pub use url::ChallengeStoreUrl;

/// What the settings say of challenges.
#[derive(Clone, Copy, Debug)]
pub struct ChallengeRules {
    /// Digits of a code (`AUTH_OTP_LENGTH`).
    pub code_length: usize,
    /// How long a code is accepted, from its delivery on
    /// (`AUTH_OTP_TTL_SECS`).
    pub lifetime: Duration,
    /// How many challenges in a row, without a sign-in between, get codes of
    /// that length (`AUTH_SHORT_CODES_IN_A_ROW`); later ones get
    /// [`crate::code::LONG`] digits at least.
    pub short_in_a_row: u32,
    /// Whether a code may come without the challenge's name
    /// (`AUTH_BARE_CODES`).
    pub bare_codes: BareCodes,
    /// How many may be started for one phone number
    /// (`AUTH_MAX_CODES_PER_PHONE` and what goes with it).
    pub phone_limits: PhoneLimits,
    /// How many may be started at one address in an hour
    /// (`AUTH_MAX_CODES_PER_CLIENT`).
    pub starts_per_client: u32,
    /// How many bare codes may be wrong at one address in ten minutes
    /// (`AUTH_MAX_FAILURES_PER_CLIENT`).
    pub failures_per_client: u32,
}

/// Why the rules refuse to start or to look up a challenge.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A limit is used up.
    #[error("a limit is used up")]
    TooMany {
        /// When there is room again.
        retry_after: Duration,
    },
    /// The store cannot be used now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Whether a code may come without the challenge's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BareCodes {
    /// It may, from the address where the challenge was started.
    On,
    /// It may not.
    Off,
}

/// A challenge that was started.
#[derive(Debug)]
pub struct Started {
    /// Its name.
    pub id: ChallengeId,
    /// The code to be delivered.
    pub code: Code,
    /// When it stops being accepted.
    pub expires_at: UnixMillis,
    new: NewChallenge,
}

/// How a client says which challenge it answers.
#[derive(Clone, Copy, Debug)]
pub enum Carrier {
    /// By its name, and by nothing else.
    Id(ChallengeId),
    /// By its name as a browser kept it; should that not fit (which costs a
    /// try), by the code alone.
    Cookie(ChallengeId),
    /// By the code alone, at the client's address.
    Bare,
}

/// The rules of challenges.
pub struct Challenges {
    store: Arc<dyn ChallengeStore>,
    hasher: Arc<Hasher>,
    rules: ChallengeRules,
    random: Arc<dyn Random>,
    /// Codes that are somebody's for good.
    reserved: HashSet<Code>,
}

impl Challenges {
    /// Rules over a store, which holds hashes alone.
    pub fn new(
        store: Arc<dyn ChallengeStore>,
        hasher: Arc<Hasher>,
        rules: ChallengeRules,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            store,
            hasher,
            rules,
            random,
            reserved: HashSet::new(),
        }
    }

    /// The same, but these codes are not drawn: whoever enters one bare means its
    /// own challenge, and must not come into somebody else's account. There have to
    /// be many others.
    #[must_use]
    pub fn never_drawing<'a>(self, codes: impl IntoIterator<Item = &'a Code>) -> Self {
        Self {
            reserved: codes.into_iter().cloned().collect(),
            ..self
        }
    }

    /// The rules in force.
    pub fn rules(&self) -> &ChallengeRules {
        &self.rules
    }

    /// The live challenge that `code` answers. Nothing is spent by a match.
    pub async fn answer(
        &self,
        carrier: Carrier,
        code: &Code,
        client: IpAddr,
        now: UnixMillis,
    ) -> Result<Option<Matched>, Refused> {
        match carrier {
            Carrier::Id(id) => Ok(self.answer_named(id, code, now).await?),
            Carrier::Cookie(id) => match self.answer_named(id, code, now).await? {
                Some(matched) => Ok(Some(matched)),
                None => self.answer_bare(code, client, now).await,
            },
            Carrier::Bare => self.answer_bare(code, client, now).await,
        }
    }

    async fn answer_named(
        &self,
        id: ChallengeId,
        code: &Code,
        now: UnixMillis,
    ) -> Result<Option<Matched>, Unavailable> {
        let hash = self.code_of_challenge(id, code);
        self.store.answer(id, &hash, now).await
    }

    async fn answer_bare(
        &self,
        code: &Code,
        client: IpAddr,
        now: UnixMillis,
    ) -> Result<Option<Matched>, Refused> {
        if self.rules.bare_codes == BareCodes::Off {
            return Ok(None);
        }
        let address = self.address_key(client);
        let at_address = self.code_at_address(&address, code);
        let most = self.rules.failures_per_client;
        let found = self.store.answer_bare(&address, &at_address, most, now);
        match found.await? {
            Found::Challenge(matched) => Ok(Some(matched)),
            Found::Nothing => Ok(None),
            Found::TooMany { retry_after } => Err(Refused::TooMany { retry_after }),
        }
    }

    /// Forgets a challenge whose sign-in was written. It is tidiness: that one
    /// code makes one session is kept by the session's row.
    pub async fn spend(&self, matched: &Matched, code: &Code) {
        let phone = self.phone_key(&matched.phone);
        let at_address = self.code_at_address(&matched.address, code);
        if let Err(error) = self.store.spend(matched, &phone, &at_address).await {
            tracing::warn!(%error, "a spent challenge is left to expire");
        }
    }

    fn phone_key(&self, phone: &PhoneNumber) -> PhoneKey {
        PhoneKey(self.hasher.mac(Label::Phone, &[phone.as_str()]))
    }

    fn address_key(&self, client: IpAddr) -> AddressKey {
        let network = address::network(client).to_string();
        AddressKey(self.hasher.mac(Label::Address, &[&network]))
    }

    fn hashes(&self, id: ChallengeId, address: &AddressKey, code: &Code) -> CodeHashes {
        CodeHashes {
            of_challenge: self.code_of_challenge(id, code),
            at_address: self.code_at_address(address, code),
        }
    }

    fn code_of_challenge(&self, id: ChallengeId, code: &Code) -> Mac {
        let parts = [&*id.to_string(), code.digits()];
        self.hasher.mac(Label::CodeOfChallenge, &parts)
    }

    fn code_at_address(&self, address: &AddressKey, code: &Code) -> Mac {
        let parts = [address.0.as_str(), code.digits()];
        self.hasher.mac(Label::CodeAtAddress, &parts)
    }
}

/// A challenge store as a dependency of the service's health.
pub struct Ping(pub Arc<dyn ChallengeStore>);

#[async_trait]
impl kit::health::Dependency for Ping {
    async fn ping(&self) -> anyhow::Result<()> {
        Ok(self.0.ping().await?)
    }
}
