//! Providers in turn, within one deadline.
//!
//! Each has a fair share of the time that is left, so that a slow one leaves
//! time for the next, which is asked when the attempt before is over. One that
//! keeps failing is passed over for a while: it is asked last, not never, since
//! an unlikely way to the phone is better than none.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kit::metrics::{HistogramVec, IntCounterVec, IntGaugeVec, Metrics};
use tokio::time::{Instant, timeout};

use super::{
    message::Message,
    provider::{Failure, Provider},
};

/// So many failures in a row, and a provider is passed over.
const IN_A_ROW: u32 = 5;
/// For how long. Then one message tries it.
const PASS_OVER: Duration = Duration::from_secs(30);
/// A provider keeps to its patience by itself, and knows best what it had come
/// to then; one that does not is cut off so much later.
const GRACE: Duration = Duration::from_millis(100);
/// Upper bounds of the histogram of attempts, in seconds.
const DURATIONS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Providers, in the order in which they are asked.
pub struct Chain {
    links: Vec<Link>,
    deadline: Duration,
    attempts: IntCounterVec,
    durations: HistogramVec,
    passed_over: IntGaugeVec,
}

struct Link {
    provider: Arc<dyn Provider>,
    health: Mutex<Health>,
}

#[derive(Clone, Copy, Default)]
struct Health {
    failures: u32,
    passed_over_until: Option<Instant>,
}

/// How far a message has come: which provider is asked or was, and how many
/// have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last provider that was asked.
    pub provider: Option<&'static str>,
    /// How many were.
    pub attempts: u32,
}

impl Chain {
    /// A message has `deadline` in all. There is at least one provider.
    pub fn new(providers: Vec<Arc<dyn Provider>>, deadline: Duration, metrics: &Metrics) -> Self {
        let passed_over = metrics.gauges(
            "customauth_sms_provider_passed_over",
            "1 while a provider that keeps failing is asked last, until it takes a message.",
            &["provider"],
        );
        let links = providers.into_iter().map(|provider| {
            passed_over.with_label_values(&[provider.name()]).set(0);
            Link {
                provider,
                health: Mutex::default(),
            }
        });
        Self {
            links: links.collect(),
            deadline,
            attempts: metrics.counters(
                "customauth_sms_attempts_total",
                "Messages that a provider was asked to send, by what it came to.",
                &["provider", "outcome"],
            ),
            durations: metrics.histograms(
                "customauth_sms_attempt_duration_seconds",
                "How long a provider took with a message, with its repeated tries.",
                &["provider"],
                &DURATIONS,
            ),
            passed_over,
        }
    }

    /// Has a message sent by the first provider that takes it, within the
    /// deadline and `patience`. `progress` is kept up to date on the way, for
    /// whoever gives up waiting.
    ///
    /// # Errors
    /// When none took it: what the first one said that may have taken it all the
    /// same, or else the last one.
    pub async fn deliver(
        &self,
        message: &Message,
        patience: Duration,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let until = Instant::now() + self.deadline.min(patience);
        let mut failed = Failure::NotTaken("there was no time for an attempt".to_owned());
        let mut still = self.links.len();
        let mut asked = vec![false; still];
        for round in [Round::InTurn, Round::PassedOver] {
            for (link, asked) in self.links.iter().zip(&mut asked) {
                if *asked || (round == Round::InTurn && !link.is_due()) {
                    continue;
                }
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(failed);
                }
                // As many as there are settings: a few.
                let share = left / u32::try_from(still).unwrap_or(u32::MAX);
                (*asked, still) = (true, still - 1);
                let name = link.provider.name();
                *progress = Progress {
                    provider: Some(name),
                    attempts: progress.attempts + 1,
                };
                match self.attempt(link, message, share).await {
                    Ok(()) => return Ok(()),
                    Err(failure) => {
                        tracing::warn!(provider = name, id = %message.id, error = %failure,
                            "a provider did not take a message");
                        // It stays unknown, whatever a later one says.
                        if !matches!(failed, Failure::Unknown(_)) {
                            failed = failure;
                        }
                    }
                }
            }
        }
        Err(failed)
    }

    async fn attempt(
        &self,
        link: &Link,
        message: &Message,
        patience: Duration,
    ) -> Result<(), Failure> {
        let name = link.provider.name();
        let begun = Instant::now();
        let sending = link.provider.send(message, patience);
        let sent = timeout(patience + GRACE, sending)
            .await
            .unwrap_or_else(|_| Err(Failure::Unknown("it did not end in time".to_owned())));
        let outcome = match &sent {
            Ok(()) => "taken",
            Err(Failure::NotTaken(_)) => "not_taken",
            Err(Failure::Refused(_)) => "refused",
            Err(Failure::Unknown(_)) => "unknown",
        };
        self.attempts.with_label_values(&[name, outcome]).inc();
        let took = begun.elapsed().as_secs_f64();
        self.durations.with_label_values(&[name]).observe(took);
        match sent {
            // Who refuses a message is there and at work.
            Ok(()) | Err(Failure::Refused(_)) => self.works(link),
            Err(Failure::NotTaken(_) | Failure::Unknown(_)) => self.fails(link),
        }
        sent
    }

    fn works(&self, link: &Link) {
        let name = link.provider.name();
        let mut health = link.health.lock().unwrap_or_else(PoisonError::into_inner);
        if health.passed_over_until.is_some() {
            tracing::info!(provider = name, "a provider takes messages again");
        }
        *health = Health::default();
        self.passed_over.with_label_values(&[name]).set(0);
    }

    fn fails(&self, link: &Link) {
        let name = link.provider.name();
        let mut health = link.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.failures = health.failures.saturating_add(1);
        if health.failures < IN_A_ROW {
            return;
        }
        if health.passed_over_until.is_none() {
            tracing::error!(
                provider = name,
                "a provider keeps failing: it is asked last"
            );
        }
        health.passed_over_until = Some(Instant::now() + PASS_OVER);
        self.passed_over.with_label_values(&[name]).set(1);
    }
}

/// Who is passed over comes last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    InTurn,
    PassedOver,
}

impl Link {
    /// Whether it may be asked in its turn. When its time of being passed over is
    /// over, the answer is yes once.
    fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match health.passed_over_until {
            Some(until) if now < until => false,
            Some(_) => {
                health.passed_over_until = Some(now + PASS_OVER);
                true
            }
            None => true,
        }
    }
}

#[cfg(test)]
mod tests;
