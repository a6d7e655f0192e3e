//! How many codes of the last hour were entered, counted by the minute in which
//! they stopped being accepted: a code that is alive may still be entered, and
//! is not judged.

use std::{collections::BTreeMap, time::Duration};

use kit::clock::UnixMillis;

/// Milliseconds of a slot.
pub const SLOT_MILLIS: i64 = 60_000;
/// Slots that are judged: an hour.
pub const JUDGED_SLOTS: i64 = 60;

/// When too few codes were entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judge {
    /// The least share, in percent.
    pub least_percent: u32,
    /// How many codes are to be judged before it is.
    pub sample: u32,
}

impl Judge {
    fn trips(self, sent: i64, entered: i64) -> bool {
        sent >= i64::from(self.sample) && entered * 100 < i64::from(self.least_percent) * sent
    }
}

/// The slot of a point in time.
pub fn slot(time: UnixMillis) -> i64 {
    time.0.div_euclid(SLOT_MILLIS)
}

/// The counts of an hour and of what is to come.
#[derive(Debug, Default)]
pub(super) struct Slots(BTreeMap<i64, Slot>);

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    sent: i64,
    entered: i64,
}

impl Slots {
    /// Counts codes that end in `slot`; a negative count takes back.
    pub(super) fn sent(&mut self, slot: i64, count: i64) {
        self.0.entry(slot).or_default().sent += count;
    }

    /// One of the codes that end in `slot` was entered.
    pub(super) fn entered(&mut self, slot: i64) {
        self.0.entry(slot).or_default().entered += 1;
    }

    /// Forgets what is judged no more.
    pub(super) fn purge(&mut self, now: UnixMillis) {
        self.0 = self.0.split_off(&(slot(now) - JUDGED_SLOTS));
    }

    /// Whether too few were entered: when that ends, if no more codes are sent
    /// or entered until then.
    pub(super) fn tripped(&self, judge: Judge, now: UnixMillis) -> Option<Duration> {
        let sum = |at: i64| {
            let judged = self.0.range(at - JUDGED_SLOTS..at);
            judged.fold((0, 0), |(sent, entered), (_, slot)| {
                (sent + slot.sent, entered + slot.entered)
            })
        };
        let trips = |at: i64| {
            let (sent, entered) = sum(at);
            judge.trips(sent, entered)
        };
        let first = slot(now);
        if !trips(first) {
            return None;
        }
        let last = *self.0.last_key_value()?.0 + JUDGED_SLOTS + 1;
        let end = (first + 1..=last).find(|&at| !trips(at)).unwrap_or(last);
        Some(now.until(UnixMillis(end * SLOT_MILLIS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUDGE: Judge = Judge {
        least_percent: 10,
        sample: 100,
    };

    fn at(slot: i64) -> UnixMillis {
        UnixMillis(slot * SLOT_MILLIS)
    }

    fn wait(slots: &Slots, now: UnixMillis) -> Option<u64> {
        slots.tripped(JUDGE, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn what_is_alive_is_not_judged_and_what_is_old_no_more() {
        let mut slots = Slots::default();
        slots.sent(1000, 100);
        assert_eq!(wait(&slots, at(1000)), None);
        assert_eq!(wait(&slots, UnixMillis(at(1001).0 - 1)), None);
        assert_eq!(wait(&slots, at(1001)), Some(3600));
        assert_eq!(wait(&slots, UnixMillis(at(1060).0 + 15_000)), Some(45));
        assert_eq!(wait(&slots, at(1061)), None);
        slots.purge(at(1060));
        assert_eq!(wait(&slots, at(1060)), Some(60));
        slots.purge(at(1061));
        assert!(slots.0.is_empty());
    }

    #[test]
    fn a_share_is_judged_of_a_sample() {
        for (sent, entered, trips) in [
            (99, 0, false),
            (100, 9, true),
            (100, 10, false),
            (1000, 99, true),
            (1000, 100, false),
        ] {
            let mut slots = Slots::default();
            slots.sent(1000, sent);
            (0..entered).for_each(|_| slots.entered(1000));
            assert_eq!(
                wait(&slots, at(1001)).is_some(),
                trips,
                "{entered} of {sent}"
            );
        }
    }

    #[test]
    fn the_wait_counts_in_what_is_still_alive() {
        let mut slots = Slots::default();
        slots.sent(1000, 60);
        slots.sent(1001, 60);
        slots.sent(1003, 90);
        // The sample falls below 100 when the second slot has gone.
        assert_eq!(wait(&slots, at(1002)), Some(60 * 60));
        let mut slots = Slots::default();
        slots.sent(1000, 100);
        slots.sent(1003, 100);
        assert_eq!(wait(&slots, at(1001)), Some(63 * 60));
        // Those of the third were entered in between.
        (0..100).for_each(|_| slots.entered(1003));
        assert_eq!(wait(&slots, at(1001)), Some(3 * 60));
        assert_eq!(wait(&slots, at(1004)), None);
    }

    #[test]
    fn what_was_taken_back_is_not_judged() {
        let mut slots = Slots::default();
        slots.sent(1000, 100);
        slots.sent(1000, -1);
        assert_eq!(wait(&slots, at(1001)), None);
    }
}
