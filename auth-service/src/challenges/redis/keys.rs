//! The names of the keys. What is in the braces says which slot a key is in.

use crate::{
    challenges::{
        id::ChallengeId,
        store::{AddressKey, NewChallenge, PhoneKey},
    },
    mac::Mac,
};

/// A challenge by its name: tries, end, code, and what is known of it.
pub(super) fn named_key(id: ChallengeId) -> String {
    format!("customauth:{{p{}}}:named:{id}", id.slot())
}

/// A phone's starts in a row.
pub(super) fn row_key(id: ChallengeId, phone: &PhoneKey) -> String {
    format!("customauth:{{p{}}}:row:{}", id.slot(), phone.0.as_str())
}

/// The keys of a start at the phone, in the order of its scripts: the challenge,
/// the starts in a row, those in an hour, and those from this address.
pub(super) fn start_keys(new: &NewChallenge) -> [String; 4] {
    let (id, phone) = (new.id, &new.phone_key);
    let asked = format!("customauth:{{p{}}}:asked:{}", id.slot(), phone.0.as_str());
    let asked_here = format!("{asked}:{}", new.address.0.as_str());
    [named_key(id), row_key(id, phone), asked, asked_here]
}

/// What is kept of an address: `asked`, its starts in an hour; `missed`, its
/// failures in ten minutes and all its misses; `live`, the names of those that
/// can be found there, by their end.
pub(super) fn address_key(address: &AddressKey, what: &str) -> String {
    format!("customauth:{{a{}}}:{what}", address.0.as_str())
}

/// A challenge by its code alone: misses before it, end, and what is known of it.
pub(super) fn bare_key(address: &AddressKey, code: &Mac) -> String {
    let (address, code) = (address.0.as_str(), code.as_str());
    format!("customauth:{{a{address}}}:bare:{code}")
}
