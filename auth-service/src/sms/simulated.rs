//! The imitated delivery: it takes its time, sends nothing, and shows what it
//! would have sent.

use std::{str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use kit::{
    clock::UnixMillis,
    random::{Random, below},
};

use super::{
    Disclosure, NotSent, Place, QueueFull, SmsSender,
    message::Message,
    outbox::{Outbox, Simulated},
};
use crate::challenges::ChallengeId;

/// The longest delay that can be set, in milliseconds.
const MAX_DELAY: u64 = 10_000;

/// How long an imitated delivery takes, in milliseconds: `1500`, or a range
/// such as `1000-2000` out of which each is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayRange {
    least: u64,
    most: u64,
}

impl FromStr for DelayRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.trim().parse::<u64>().ok();
        match (number(least), number(most)) {
            (Some(least), Some(most)) if least <= most && most <= MAX_DELAY => {
                Ok(Self { least, most })
            }
            _ => Err(format!(
                "expected milliseconds such as 1500 or 1000-2000, at most {MAX_DELAY}"
            )),
        }
    }
}

/// Sends nothing.
pub struct SimulatedSms {
    delay: DelayRange,
    outbox: Arc<Outbox>,
    random: Arc<dyn Random>,
}

impl SimulatedSms {
    /// Takes as long as `delay` says, and leaves its messages in `outbox`.
    pub fn new(delay: DelayRange, outbox: Arc<Outbox>, random: Arc<dyn Random>) -> Self {
        Self {
            delay,
            outbox,
            random,
        }
    }

    /// How long the delivery that is next is going to take.
    fn plan(&self) -> Duration {
        let DelayRange { least, most } = self.delay;
        Duration::from_millis(least + below(&*self.random, most - least + 1))
    }
}

#[async_trait]
impl SmsSender for SimulatedSms {
    fn place(&self) -> Result<Place, QueueFull> {
        let delay = self.plan();
        Ok(Place {
            delay,
            queued: None,
        })
    }

    async fn hand_over(
        &self,
        place: Place,
        message: Message,
        now: UnixMillis,
    ) -> Result<(), NotSent> {
        self.outbox.put(Simulated {
            phone: message.phone,
            text: message.text,
            segments: message.segments,
            sent_at: now.after(place.delay),
        });
        Ok(())
    }

    async fn entered(&self, _: ChallengeId, _: UnixMillis) {}

    fn disclosure(&self) -> Disclosure {
        Disclosure::InAnswer
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use kit::random::SystemRandom;
    use uuid::Uuid;

    use super::*;
    use crate::{challenges::Slot, mac::Mac, phone::PhoneNumber};

    #[tokio::test]
    async fn a_message_is_shown_when_its_delivery_is_over() {
        let random = Arc::new(SystemRandom::default());
        let outbox = Arc::<Outbox>::default();
        let delay = "1500".parse().unwrap();
        let sms = SimulatedSms::new(delay, outbox.clone(), random.clone());
        let slot = Slot::of(&Mac::from_stored("AAAA".to_owned()));
        let message = Message {
            id: Uuid::nil(),
            phone: PhoneNumber::from_stored("+77777777766".to_owned()),
            text: "Code 3613".to_owned(),
            segments: 1,
            challenge: ChallengeId::draw(slot, &*random),
            client: Ipv4Addr::LOCALHOST.into(),
            expires_at: UnixMillis(200_000),
        };
        let place = sms.place().unwrap();
        sms.hand_over(place, message, UnixMillis(1_000))
            .await
            .unwrap();
        assert!(outbox.delivered(UnixMillis(2_499)).is_empty());
        let delivered = outbox.delivered(UnixMillis(2_500));
        assert_eq!(delivered.len(), 1);
        assert_eq!(delivered[0].sent_at, UnixMillis(2_500));
        assert_eq!(delivered[0].text, "Code 3613");
    }

    #[test]
    fn a_delay_is_a_number_or_a_range() {
        let read = |text: &str| {
            text.parse::<DelayRange>()
                .ok()
                .map(|it| (it.least, it.most))
        };
        assert_eq!(read("1000-2000"), Some((1000, 2000)));
        assert_eq!(read("0"), Some((0, 0)));
        for bad in ["", "-", "2000-1000", "-5", "1s", "20000", "1-2-3"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn plans_are_spread_over_the_whole_range() {
        let random = Arc::new(SystemRandom::default());
        let sms = SimulatedSms::new("10-12".parse().unwrap(), Arc::default(), random);
        let mut seen = [0; 3];
        for _ in 0..300 {
            let planned = usize::try_from(sms.plan().as_millis()).unwrap();
            seen[planned - 10] += 1;
        }
        // 100 expected each; none below 50 but for one run in 10^9.
        assert!(seen.iter().all(|&count| count > 50), "{seen:?}");
    }
}
