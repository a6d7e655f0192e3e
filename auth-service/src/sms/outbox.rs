//! What a simulated delivery would have sent.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use kit::clock::UnixMillis;

use crate::phone::PhoneNumber;

/// How many messages are shown.
const SHOWN: usize = 100;
/// How many are kept. Some of them are still on their way; beyond a thousand of
/// those, they displace what has arrived.
const KEPT: usize = SHOWN + 1_000;
/// How long all texts together may be, in bytes: a hundred of the longest that a
/// setting allows are a third of it.
const BYTES: usize = 1024 * 1024;

/// A message that would have been sent. It has no `Debug`: a code is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Simulated {
    /// To whom.
    pub phone: PhoneNumber,
    /// What it says.
    pub text: String,
    /// In how many segments.
    pub segments: u32,
    /// When its imitated delivery is over.
    pub sent_at: UnixMillis,
}

/// The last messages, in memory.
#[derive(Default)]
pub struct Outbox(Mutex<State>);

#[derive(Default)]
struct State {
    /// By when they are delivered, and those of one millisecond in their order.
    messages: BTreeMap<(UnixMillis, u64), Simulated>,
    count: u64,
    bytes: usize,
}

impl Outbox {
    /// Keeps a message, which is shown once it is delivered.
    pub fn put(&self, message: Simulated) {
        // A panic in here leaves at worst a wrong sum.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        state.bytes += message.text.len();
        let key = (message.sent_at, state.count);
        state.messages.insert(key, message);
        while state.messages.len() > KEPT || state.bytes > BYTES {
            let Some((_, oldest)) = state.messages.pop_first() else {
                break;
            };
            state.bytes -= oldest.text.len();
        }
    }

    /// The last messages that are delivered by now, the newest first.
    pub fn delivered(&self, now: UnixMillis) -> Vec<Simulated> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let delivered = state.messages.range(..=(now, u64::MAX)).rev();
        delivered
            .take(SHOWN)
            .map(|(_, message)| message.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, sent_at: i64) -> Simulated {
        Simulated {
            phone: PhoneNumber::from_stored("+77777777766".to_owned()),
            text: text.to_owned(),
            segments: 1,
            sent_at: UnixMillis(sent_at),
        }
    }

    fn shown(outbox: &Outbox, now: i64) -> Vec<String> {
        let delivered = outbox.delivered(UnixMillis(now)).into_iter();
        delivered.map(|message| message.text).collect()
    }

    #[test]
    fn a_message_is_shown_when_it_is_delivered_and_the_newest_first() {
        let outbox = Outbox::default();
        for (text, sent_at) in [("a", 1500), ("b", 1200), ("c", 1500), ("d", 1501)] {
            outbox.put(message(text, sent_at));
        }
        assert!(shown(&outbox, 1199).is_empty());
        assert_eq!(shown(&outbox, 1200), ["b"]);
        assert_eq!(shown(&outbox, 1500), ["c", "a", "b"]);
        assert_eq!(shown(&outbox, 9999), ["d", "c", "a", "b"]);
    }

    #[test]
    fn the_last_hundred_are_shown_and_little_more_is_kept() {
        let outbox = Outbox::default();
        for each in 0..5_000 {
            outbox.put(message(&each.to_string(), each));
        }
        let seen = shown(&outbox, 9_999);
        assert_eq!(seen.len(), SHOWN);
        assert_eq!((&*seen[0], &*seen[99]), ("4999", "4900"));
        assert_eq!(outbox.0.lock().unwrap().messages.len(), KEPT);
        // Long ones leave room for fewer, and for all that fit.
        let long = "a".repeat(BYTES / 4);
        for each in 5_000..5_005 {
            outbox.put(message(&long, each));
        }
        assert_eq!(shown(&outbox, 9_999), vec![long; 4]);
        assert_eq!(outbox.0.lock().unwrap().bytes, BYTES);
    }
}
