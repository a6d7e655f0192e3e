//! What is known of a challenge, as the scripts keep it: words between blanks.
//!
//! Whoever finds a challenge by one of its address and its id gets the other; the
//! number; and the invite code, which may be empty and may be anything.

use crate::{challenges::store::NewChallenge, phone::PhoneNumber};

/// As it is kept.
pub(super) fn written(other: &str, new: &NewChallenge) -> String {
    let invited_by = new.invited_by.as_deref().unwrap_or_default();
    format!("{other} {} {invited_by}", new.phone.as_str())
}

/// The same read back.
pub(super) fn read(known: &str) -> Option<(&str, PhoneNumber, Option<String>)> {
    let mut words = known.splitn(3, ' ');
    let (other, phone, invited_by) = (words.next()?, words.next()?, words.next()?);
    let phone = PhoneNumber::from_stored(phone.to_owned());
    let invited_by = Some(invited_by.to_owned()).filter(|code| !code.is_empty());
    Some((other, phone, invited_by))
}
