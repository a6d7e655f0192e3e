//! A wait that is left to the caller, between two services of ours.
//!
//! A callee that holds an answer back holds the call with it, on both sides. A
//! caller that can hold it back itself says so in the call; the callee then answers
//! at once, and says in the answer how long it is to be held back. A caller that says
//! nothing is answered after the wait, as is anybody who may not be relied on: whether
//! the caller may be is for the callee to know.

use std::time::Duration;

use tokio::time::Instant;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

use super::NotBefore;

/// In a call: the caller holds the answer back as long as it is told to.
const CALLER_WAITS: &str = "x-caller-waits";
/// In an answer: for how long it is to be held back, in milliseconds.
const WAIT_MS: &str = "x-wait-ms";
/// The most that can be said: eight digits, more than a day.
const MOST_MS: u32 = 99_999_999;

/// Says in a call that the caller holds the answer back itself.
pub fn offer(call: &mut MetadataMap) {
    call.insert(CALLER_WAITS, AsciiMetadataValue::from_static("1"));
}

/// Whether the caller says so.
pub fn is_offered(call: &MetadataMap) -> bool {
    call.get(CALLER_WAITS).is_some_and(|value| value == "1")
}

/// Leaves the wait to the caller, who has offered it.
pub fn hand_over(answer: &mut MetadataMap, wait: Duration) {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    let millis = u32::try_from(millis).map_or(MOST_MS, |millis| millis.min(MOST_MS));
    answer.insert(WAIT_MS, millis.into());
}

/// Until when an answer that has just come is to be held back. `None` if its callee has
/// waited itself or there was nothing to wait for, and for anything but up to eight
/// digits. How long a request may take is bounded by its deadline, not here.
pub fn handed_over(answer: &MetadataMap) -> Option<NotBefore> {
    let digits = answer.get(WAIT_MS)?.to_str().ok()?;
    let sane = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let millis = digits.parse().ok().filter(|_| sane)?;
    Some(NotBefore(Instant::now() + Duration::from_millis(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_handed_over_is_what_is_read() {
        for (wait, read_ms) in [
            (Duration::ZERO, 0),
            (Duration::from_millis(1_500), 1_500),
            // Never earlier than it is to be.
            (Duration::from_micros(1_500_001), 1_501),
            (Duration::MAX, 99_999_999),
        ] {
            let mut answer = MetadataMap::new();
            hand_over(&mut answer, wait);
            let NotBefore(time) = handed_over(&answer).unwrap();
            assert_eq!(time - Instant::now(), Duration::from_millis(read_ms));
        }
    }

    #[test]
    fn what_is_no_time_is_no_wait() {
        for garbled in ["", " 5", "-5", "+5", "5ms", "1e3", "100000000", "\u{664}"] {
            let mut answer = MetadataMap::new();
            let value = AsciiMetadataValue::try_from(garbled.as_bytes()).unwrap();
            answer.insert(WAIT_MS, value);
            assert!(handed_over(&answer).is_none(), "{garbled:?}");
        }
        assert!(handed_over(&MetadataMap::new()).is_none());
    }

    #[test]
    fn only_what_says_so_is_an_offer() {
        let mut call = MetadataMap::new();
        assert!(!is_offered(&call));
        call.insert(CALLER_WAITS, AsciiMetadataValue::from_static("0"));
        assert!(!is_offered(&call));
        offer(&mut call);
        assert!(is_offered(&call));
    }
}
