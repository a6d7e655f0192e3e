//! What this service counts beside its calls.

use kit::metrics::{IntCounter, Metrics};

use crate::error::Error;

/// Invite codes that were entered by somebody who is signed in.
pub(crate) struct Invites {
    activated: IntCounter,
    unknown: IntCounter,
    own: IntCounter,
    already_set: IntCounter,
    user_gone: IntCounter,
    unavailable: IntCounter,
}

impl Invites {
    /// # Panics
    /// As [`Metrics::counters`].
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let [activated, unknown, own, already_set, user_gone, unavailable] = metrics.counters_of(
            "customauth_invites_activated_total",
            "Invite codes that were entered after the sign-in, by what came of it.",
            "outcome",
            [
                "activated",
                "unknown_code",
                "own_code",
                "already_set",
                "user_gone",
                "unavailable",
            ],
        );
        Self {
            activated,
            unknown,
            own,
            already_set,
            user_gone,
            unavailable,
        }
    }

    /// A code was entered.
    pub(crate) fn entered(&self, outcome: Result<&(), &Error>) {
        match outcome {
            Ok(()) => &self.activated,
            Err(Error::InviteCodeNotFound) => &self.unknown,
            Err(Error::InviteCodeOwn) => &self.own,
            Err(Error::InviterAlreadySet) => &self.already_set,
            Err(Error::UserGone) => &self.user_gone,
            Err(_) => &self.unavailable,
        }
        .inc();
    }
}
