//! What this service counts beside its calls: what became of codes, sign-ins,
//! sessions and users. The audit events in the log say the same of each.

use kit::metrics::{IntCounter, Metrics};

use crate::{
    account::Refreshed,
    auth::{Requested, SignIn},
    error::Error,
};

/// The counters, all of them there from the start.
pub(crate) struct Counts {
    codes: Codes,
    sign_ins: SignIns,
    refreshes: Refreshes,
    /// Sessions that their user ended by signing out.
    pub(crate) signed_out: IntCounter,
    /// Sessions that were ended from the list of sessions.
    pub(crate) revoked: IntCounter,
    /// Sessions that ended since a refresh token came again.
    pub(crate) replayed: IntCounter,
    /// Users who were erased.
    pub(crate) erased: IntCounter,
}

struct Codes {
    sent: IntCounter,
    invalid: IntCounter,
    limited: IntCounter,
    guarded: IntCounter,
    unavailable: IntCounter,
}

struct SignIns {
    new_user: IntCounter,
    returning: IntCounter,
    malformed: IntCounter,
    refused: IntCounter,
    limited: IntCounter,
    unavailable: IntCounter,
}

struct Refreshes {
    refreshed: IntCounter,
    refused: IntCounter,
    replayed: IntCounter,
    unavailable: IntCounter,
}

impl Counts {
    /// # Panics
    /// As [`Metrics::counters`].
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let [signed_out, revoked, replayed] = metrics.counters_of(
            "customauth_sessions_ended_total",
            "Sessions that were ended, without those that ended with their user or their time.",
            "cause",
            ["sign_out", "revoked", "replayed"],
        );
        Self {
            codes: Codes::new(metrics),
            sign_ins: SignIns::new(metrics),
            refreshes: Refreshes::new(metrics),
            signed_out,
            revoked,
            replayed,
            erased: metrics.counter("customauth_users_erased_total", "Users who were erased."),
        }
    }

    /// A code was asked for.
    pub(crate) fn code_requested(&self, outcome: Result<&Requested, &Error>) {
        let codes = &self.codes;
        match outcome {
            Ok(_) => &codes.sent,
            Err(Error::PhoneNumberInvalid) => &codes.invalid,
            Err(Error::TooManyCodes { .. }) => &codes.limited,
            Err(Error::SmsGuarded(_)) => &codes.guarded,
            Err(_) => &codes.unavailable,
        }
        .inc();
    }

    /// A code was entered.
    pub(crate) fn code_entered(&self, outcome: Result<&SignIn, &Error>) {
        let sign_ins = &self.sign_ins;
        match outcome {
            Ok(SignIn { new_user: true, .. }) => &sign_ins.new_user,
            Ok(_) => &sign_ins.returning,
            Err(Error::CodeMalformed { .. }) => &sign_ins.malformed,
            Err(Error::CodeNotAccepted { .. }) => &sign_ins.refused,
            Err(Error::TooManyAttempts { .. }) => &sign_ins.limited,
            Err(_) => &sign_ins.unavailable,
        }
        .inc();
    }

    /// A refresh token was presented.
    pub(crate) fn refreshed(&self, outcome: Result<&Refreshed, &Error>) {
        let refreshes = &self.refreshes;
        match outcome {
            Ok(_) => &refreshes.refreshed,
            Err(Error::RefreshTokenInvalid | Error::SessionEnded) => &refreshes.refused,
            Err(Error::RefreshTokenReplayed) => &refreshes.replayed,
            Err(_) => &refreshes.unavailable,
        }
        .inc();
    }
}

impl Codes {
    fn new(metrics: &Metrics) -> Self {
        let [sent, invalid, limited, guarded, unavailable] = metrics.counters_of(
            "customauth_codes_requested_total",
            "Requests for a code, by what came of them; sent is also queued or simulated.",
            "outcome",
            ["sent", "invalid", "limited", "guarded", "unavailable"],
        );
        Self {
            sent,
            invalid,
            limited,
            guarded,
            unavailable,
        }
    }
}

impl SignIns {
    fn new(metrics: &Metrics) -> Self {
        let [
            new_user,
            returning,
            malformed,
            refused,
            limited,
            unavailable,
        ] = metrics.counters_of(
            "customauth_sign_ins_total",
            "Codes that were entered, by what came of it; refused is wrong, late or spent.",
            "outcome",
            [
                "new_user",
                "returning",
                "malformed",
                "refused",
                "limited",
                "unavailable",
            ],
        );
        Self {
            new_user,
            returning,
            malformed,
            refused,
            limited,
            unavailable,
        }
    }
}

impl Refreshes {
    fn new(metrics: &Metrics) -> Self {
        let [refreshed, refused, replayed, unavailable] = metrics.counters_of(
            "customauth_token_refreshes_total",
            "Refresh tokens that were presented, by what came of it; replayed ends the session.",
            "outcome",
            ["refreshed", "refused", "replayed", "unavailable"],
        );
        Self {
            refreshed,
            refused,
            replayed,
            unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_outcome_has_its_counter() {
        let metrics = Metrics::default();
        let counts = Counts::new(&metrics);
        let lifetime = Duration::from_secs(120);
        let retry_after = Duration::from_secs(1);
        let outage = || Error::Database(database::Error::Gone);
        counts.code_requested(Err(&Error::PhoneNumberInvalid));
        counts.code_requested(Err(&Error::TooManyCodes { retry_after }));
        counts.code_requested(Err(&outage()));
        counts.code_entered(Err(&Error::CodeMalformed { lifetime }));
        counts.code_entered(Err(&Error::CodeNotAccepted { lifetime }));
        counts.code_entered(Err(&Error::TooManyAttempts { retry_after }));
        counts.code_entered(Err(&outage()));
        counts.refreshed(Err(&Error::RefreshTokenInvalid));
        counts.refreshed(Err(&Error::SessionEnded));
        counts.refreshed(Err(&Error::RefreshTokenReplayed));
        counts.refreshed(Err(&outage()));
        let text = metrics.render();
        for line in [
            r#"codes_requested_total{outcome="sent"} 0"#,
            r#"codes_requested_total{outcome="invalid"} 1"#,
            r#"codes_requested_total{outcome="limited"} 1"#,
            r#"codes_requested_total{outcome="unavailable"} 1"#,
            r#"sign_ins_total{outcome="malformed"} 1"#,
            r#"sign_ins_total{outcome="refused"} 1"#,
            r#"sign_ins_total{outcome="limited"} 1"#,
            r#"sign_ins_total{outcome="unavailable"} 1"#,
            r#"token_refreshes_total{outcome="refused"} 2"#,
            r#"token_refreshes_total{outcome="replayed"} 1"#,
            r#"token_refreshes_total{outcome="unavailable"} 1"#,
        ] {
            assert!(
                text.contains(&format!("customauth_{line}\n")),
                "{line}\n{text}"
            );
        }
    }
}
