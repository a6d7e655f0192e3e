use std::collections::HashMap;

use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

use super::*;

const LONG: &str = "a sentence that is longer than a byte can tell, which is no less than one \
                    hundred and twenty-seven letters, and so has a length of two bytes";

fn all() -> impl Iterator<Item = Said<'static>> {
    let metadata = || [&[][..], &METADATA_OF_ONE[..]].into_iter();
    let delays = [None, Some(Duration::ZERO), Some(Duration::new(90, 5))];
    let messages = ["", "why", LONG].into_iter();
    messages.flat_map(move |message| {
        metadata().flat_map(move |metadata| {
            delays.into_iter().flat_map(move |retry_after| {
                [None, Some("phone_number")].map(|field| Said {
                    code: Code::FailedPrecondition,
                    message,
                    reason: "CODE_NOT_ACCEPTED",
                    domain: "customauth",
                    metadata,
                    retry_after,
                    field,
                })
            })
        })
    })
}

static METADATA_OF_ONE: [(&str, String); 1] = [("key", String::new())];

/// By the library, message by message.
fn by_messages(said: &Said<'_>) -> Status {
    let metadata = said.metadata.iter();
    let metadata: HashMap<_, _> = metadata
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    let mut details = ErrorDetails::with_error_info(said.reason, said.domain, metadata);
    if let Some(field) = said.field {
        details.add_bad_request_violation(field, said.message);
    }
    if let Some(delay) = said.retry_after {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(said.code, said.message, details)
}

#[test]
fn details_are_written_as_the_library_writes_them() {
    for said in all() {
        let encoded = said.encode();
        assert_eq!(encoded, by_messages(&said).details(), "{}", said.message);
    }
}

#[test]
fn details_are_read_as_the_library_reads_them() {
    for said in all() {
        let status = by_messages(&said);
        let details = status.details();
        assert_eq!(reason(details), Some((said.reason, said.domain)));
        let first = said.metadata.first().map(|(_, value)| value.as_str());
        assert_eq!(fact(details, "key"), first);
        assert_eq!(fact(details, "another"), None);
        assert_eq!(retry_after(details), said.retry_after);
    }
}

#[test]
fn what_is_cut_off_or_garbled_is_read_as_far_as_it_goes() {
    for said in all() {
        let whole = said.encode();
        for end in 0..whole.len() {
            let cut = &whole[..end];
            assert!(reason(cut).is_none_or(|(found, _)| said.reason.starts_with(found)));
            assert!(retry_after(cut).is_none_or(|delay| Some(delay) == said.retry_after));
            let mut garbled = whole.clone();
            garbled[end] ^= 0xff;
            assert!(fact(&garbled, "another").is_none());
        }
    }
    assert_eq!(reason(b"no message at all"), None);
    assert_eq!(reason(&[0xff; 64]), None);
}
