//! The way of a code to the phone.
//!
//! [`SmsSender`] is what the rules of signing in see: simulated delivery, which
//! sends nothing and shows the code, or real delivery, which is guarded
//! ([`guards`]), queued ([`queue`]), and done by providers in turn ([`chain`]).

pub mod chain;
pub mod guards;
mod http;
pub mod message;
pub mod outbox;
pub mod prefixes;
pub mod provider;
pub mod queue;
pub mod segments;
mod simulated;
pub mod text;
mod tries;
pub mod twilio;
pub mod webhook;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use kit::{
    clock::{Clock, UnixMillis},
    metrics::Metrics,
    random::Random,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    challenges::{ChallengeId, store::Unavailable},
    config::{ProviderConfig, RealSms},
};

use chain::Chain;
use guards::{GuardRefusal, Guards};
use http::HttpClient;
use message::Message;
use outbox::Outbox;
use provider::Provider;
use twilio::Twilio;
use webhook::Webhook;

pub use simulated::{DelayRange, SimulatedSms};

/// Whether the code may be shown to whoever asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// Nothing is sent, so the answer contains the code.
    InAnswer,
    /// The code is in the message and nowhere else.
    Nowhere,
}

/// Room for one message, had before anything is counted for it.
pub struct Place {
    /// How long its delivery is imitated: the code's life begins after it, and
    /// so does the answer.
    pub delay: Duration,
    /// Room in the queue of a real delivery.
    pub(crate) queued: Option<queue::Room>,
}

/// As many messages wait to be sent as may.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many messages wait to be sent")]
pub struct QueueFull;

/// Why a message was not taken. Nothing was sent, and nothing is kept of it.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// A guard does not let it pass.
    #[error("{0:?}")]
    Guarded(GuardRefusal),
    /// The guards' counters cannot be used now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Sends codes.
#[async_trait]
pub trait SmsSender: Send + Sync {
    /// Room for a message, if there is any.
    ///
    /// # Errors
    /// When the queue is full.
    fn place(&self) -> Result<Place, QueueFull>;

    /// Takes a message over: from here on it is delivered or its loss is told.
    async fn hand_over(
        &self,
        place: Place,
        message: Message,
        now: UnixMillis,
    ) -> Result<(), NotSent>;

    /// The code of this challenge was entered: its message has reached a person.
    async fn entered(&self, challenge: ChallengeId, now: UnixMillis);

    /// Whether the answer shows the code.
    fn disclosure(&self) -> Disclosure;
}

/// A sender, and what runs behind it.
pub(crate) struct Sending {
    /// Takes messages.
    pub(crate) sms: Arc<dyn SmsSender>,
    /// What a simulated delivery would have sent.
    pub(crate) sandbox: Option<Arc<Outbox>>,
    /// Sends them, until the last one.
    deliveries: Option<(JoinHandle<()>, CancellationToken)>,
}

impl Sending {
    /// Sends nothing.
    pub(crate) fn simulated(delay: DelayRange, random: Arc<dyn Random>) -> Self {
        tracing::warn!(
            "AUTH_SMS=simulated: no code is sent and every answer shows it, \
             so anybody can sign in as anybody"
        );
        let outbox: Arc<Outbox> = Arc::default();
        Self {
            sms: Arc::new(SimulatedSms::new(delay, outbox.clone(), random)),
            sandbox: Some(outbox),
            deliveries: None,
        }
    }

    /// Sends by providers; after `closing`, not for long.
    pub(crate) fn real(
        config: RealSms,
        guards: Arc<Guards>,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
        closing: CancellationToken,
    ) -> Self {
        let http = HttpClient::new(&config.tls);
        let provider = |config| -> Arc<dyn Provider> {
            let (http, clock) = (http.clone(), clock.clone());
            match config {
                ProviderConfig::Webhook(config) => Arc::new(Webhook::new(config, http, clock)),
                ProviderConfig::Twilio(config) => Arc::new(Twilio::new(config, http, clock)),
            }
        };
        let providers: Vec<_> = config.providers.into_iter().map(provider).collect();
        let names: Vec<_> = providers.iter().map(|each| each.name()).collect();
        tracing::info!(providers = names.join(", "), "codes are sent by message");
        let chain = Chain::new(providers, config.deadline, metrics);
        let (sms, queue) = queue::open(chain, guards, config.limits, clock.clone(), metrics);
        let last = CancellationToken::new();
        let running = tokio::spawn(queue.run(closing, last.clone()));
        Self {
            sms: Arc::new(sms),
            sandbox: None,
            deliveries: Some((running, last)),
        }
    }

    /// Waits for what is queued to be sent: no more comes.
    pub(crate) async fn end(self) {
        if let Some((running, last)) = self.deliveries {
            last.cancel();
            if let Err(error) = running.await {
                tracing::error!(%error, "messages are lost");
            }
        }
    }
}
