//! The way of a code to the phone.

mod simulated;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use kit::random::Random;

use crate::{code::Code, phone::PhoneNumber};

pub use simulated::{DelayRange, SimulatedSms};

/// Whether the code may be shown to whoever asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// Nothing is sent, so the answer contains the code.
    InAnswer,
}

/// Sends codes.
#[async_trait]
pub trait SmsSender: Send + Sync {
    /// How long the delivery that is next is going to take: the code's life
    /// begins after it.
    fn plan(&self) -> Duration;

    /// Delivers a code, in the time that was planned.
    async fn deliver(&self, phone: &PhoneNumber, code: &Code, planned: Duration);

    /// Whether the answer shows the code.
    fn disclosure(&self) -> Disclosure;
}

/// How codes are sent, as the settings say it.
#[derive(Clone, Copy, Debug)]
pub enum SmsConfig {
    /// Not at all, but as slowly.
    Simulated(DelayRange),
}

impl SmsConfig {
    /// The sender.
    pub fn sender(self, random: Arc<dyn Random>) -> Arc<dyn SmsSender> {
        match self {
            Self::Simulated(delay) => Arc::new(SimulatedSms::new(delay, random)),
        }
    }
}
