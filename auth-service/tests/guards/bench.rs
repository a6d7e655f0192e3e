//! Guards over a store that nobody else uses, with the clock held by the test.

use std::{net::IpAddr, sync::Arc, time::Duration};

use auth_service::{
    challenges::{ChallengeId, Slot},
    mac::{Hasher, Label},
    phone::{PhoneCheck, PhoneNumber},
    sms::{
        NotSent,
        guards::{Guard, GuardRefusal, Guards, store::GuardStore},
        message::Message,
    },
    stores::Stores,
};
use kit::{
    clock::{Clock as _, HeldClock, UnixMillis},
    metrics::Metrics,
    random::{SystemRandom, bytes, uuid_v7},
    settings::SecretKey,
};

use crate::common::{LIFETIME, MORNING, Place, rules};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const HOME: &str = "192.0.2.1";

/// One replica's guards, and the store behind them.
pub(crate) struct Bench {
    pub(crate) guards: Guards,
    pub(crate) store: Arc<dyn GuardStore>,
    pub(crate) metrics: Metrics,
    pub(crate) place: Arc<Place>,
    pub(crate) clock: Arc<HeldClock>,
    random: SystemRandom,
    hasher: Arc<Hasher>,
}

impl Bench {
    pub(crate) fn at(place: Place, flags: &[&str]) -> Self {
        let store = Stores::open(&place.url().parse().unwrap()).unwrap().guards;
        let random = SystemRandom::default();
        let hasher = Arc::new(Hasher::new(&SecretKey::new(bytes(&random))));
        let metrics = Metrics::default();
        Self {
            guards: Guards::new(rules(flags), store.clone(), hasher.clone(), &metrics),
            store,
            metrics,
            place: Arc::new(place),
            clock: Arc::new(HeldClock::new(MORNING)),
            random,
            hasher,
        }
    }

    /// Another replica, with a connection of its own if there is one.
    pub(crate) fn replica(&self, flags: &[&str]) -> Self {
        let store = match &*self.place {
            Place::Memory => self.store.clone(),
            shared => Stores::open(&shared.url().parse().unwrap()).unwrap().guards,
        };
        self.over(store, flags)
    }

    /// The same over another store.
    pub(crate) fn over(&self, store: Arc<dyn GuardStore>, flags: &[&str]) -> Self {
        let metrics = Metrics::default();
        Self {
            guards: Guards::new(rules(flags), store.clone(), self.hasher.clone(), &metrics),
            store,
            metrics,
            place: self.place.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            hasher: self.hasher.clone(),
        }
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    pub(crate) fn message(&self, number: &str, client: &str) -> Message {
        let phone = PhoneNumber::parse(number, PhoneCheck::Possible).unwrap();
        let slot = Slot::of(&self.hasher.mac(Label::Phone, &[phone.as_str()]));
        Message {
            id: uuid_v7(&*self.clock, &self.random),
            phone,
            text: "Your code: 3613".to_owned(),
            segments: 1,
            challenge: ChallengeId::draw(slot, &self.random),
            client: client.parse::<IpAddr>().unwrap(),
            expires_at: self.now().after(LIFETIME),
        }
    }

    /// Asks for a message; what came of it.
    pub(crate) async fn asks(&self, message: &Message) -> Result<(), GuardRefusal> {
        match self.guards.admit(message, self.now()).await {
            Ok(()) => Ok(()),
            Err(NotSent::Guarded(refusal)) => Err(refusal),
            Err(NotSent::Unavailable(error)) => panic!("{error}"),
        }
    }

    /// Asks for a message that is sent.
    pub(crate) async fn sends(&self, number: &str, client: &str) -> Message {
        let message = self.message(number, client);
        self.asks(&message).await.unwrap();
        message
    }

    /// Asks for a message that is not: which guard, and for how long.
    pub(crate) async fn refused(&self, number: &str, client: &str) -> (Guard, Duration) {
        let refusal = self.asks(&self.message(number, client)).await.unwrap_err();
        (refusal.guard, refusal.retry_after)
    }

    /// The value of a metric, with its labels as they are printed.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let text = self.metrics.render();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        value.parse().unwrap()
    }

    /// The same as far as it has begun.
    pub(crate) fn refusals(&self, labels: &str) -> i64 {
        let name = format!("customauth_sms_guard_refusals_total{{{labels}}}");
        if self.metrics.render().contains(&name) {
            self.metric(&name)
        } else {
            0
        }
    }
}

/// The number `each` of Kazakhstan.
pub(crate) fn kazakh(each: u32) -> String {
    format!("+7701{each:07}")
}
