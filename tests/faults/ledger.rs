//! What was acknowledged to the clients, and whether the databases have it.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use crate::product::Product;

/// A challenge's id and the user who signed in by it.
type SignIn = (String, String);

/// A challenge whose right code was not accepted.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) challenge: String,
    /// The code had been sent before, and that attempt had failed.
    pub(crate) repeated: bool,
}

/// All that was acknowledged so far. Things are added and never changed.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Entries>);

#[derive(Clone, Default)]
struct Entries {
    sign_ins: Vec<SignIn>,
    /// User, phone number, invite code.
    profiles: Vec<(String, String, String)>,
    /// Follower and the code that was entered.
    activations: Vec<(String, String)>,
    refused: Vec<Refused>,
}

/// What the databases say of the ledger.
#[derive(Default)]
pub(crate) struct Audit {
    /// Acknowledged and not there, in words.
    pub(crate) lost: Vec<String>,
    /// Challenges that were spent by a sign-in whose answer was lost.
    pub(crate) spent_unseen: HashSet<String>,
    /// Challenges that the store has lost.
    pub(crate) forgotten: HashSet<String>,
    /// Not to be explained by a lost answer, in words.
    pub(crate) wrong: Vec<String>,
}

impl Ledger {
    pub(crate) fn signed_in(&self, challenge: &str, user: &str) {
        let entry = (challenge.to_owned(), user.to_owned());
        self.0.lock().unwrap().sign_ins.push(entry);
    }

    pub(crate) fn profile(&self, user: &str, phone: &str, code: &str) {
        let entry = (user.to_owned(), phone.to_owned(), code.to_owned());
        self.0.lock().unwrap().profiles.push(entry);
    }

    pub(crate) fn activated(&self, follower: &str, code: &str) {
        let entry = (follower.to_owned(), code.to_owned());
        self.0.lock().unwrap().activations.push(entry);
    }

    pub(crate) fn refused(&self, challenge: &str, repeated: bool) {
        let challenge = challenge.to_owned();
        let entry = Refused {
            challenge,
            repeated,
        };
        self.0.lock().unwrap().refused.push(entry);
    }

    /// One of the invite codes, by a number: every second time one of a few, so
    /// that some users have many followers.
    pub(crate) fn some_code(&self, number: usize) -> Option<String> {
        let profiles = &self.0.lock().unwrap().profiles;
        let few = if number.is_multiple_of(2) {
            5
        } else {
            usize::MAX
        };
        let among = profiles.len().min(few);
        let index = (number / 2).checked_rem(among)?;
        Some(profiles[index].2.clone())
    }

    /// How many sign-ins, users, and activations there are.
    pub(crate) fn counts(&self) -> [usize; 3] {
        let entries = self.0.lock().unwrap();
        [
            entries.sign_ins.len(),
            entries.profiles.len(),
            entries.activations.len(),
        ]
    }

    /// Looks up in the databases all that has been acknowledged up to now.
    pub(crate) fn audit(&self, product: &Product) -> Audit {
        // First, since the clients go on.
        let entries = self.0.lock().unwrap().clone();
        let sessions = rows(&product.auth_sql("SELECT challenge_id, user_id FROM sessions"));
        let users: HashSet<String> = product
            .auth_sql("SELECT user_id FROM users WHERE erased_at IS NULL")
            .lines()
            .map(str::to_owned)
            .collect();
        let profiles = rows(&product.profile_sql(
            "SELECT user_id, phone_number || ' ' || invite_code FROM profiles WHERE erased_at IS NULL",
        ));
        let inviters =
            rows(&product.profile_sql(
                "SELECT user_id, invited_by FROM profiles WHERE inviter_id IS NOT NULL",
            ));
        let mut audit = Audit::default();
        for (challenge, user) in &entries.sign_ins {
            if sessions.get(challenge) != Some(user) {
                audit.lost.push(format!("the session of {user}"));
            }
            if !users.contains(user) {
                audit.lost.push(format!("the user {user}"));
            }
        }
        for (user, phone, code) in &entries.profiles {
            if profiles.get(user) != Some(&format!("{phone} {code}")) {
                audit.lost.push(format!("the profile of {phone}"));
            }
        }
        for (follower, code) in &entries.activations {
            if inviters.get(follower) != Some(code) {
                audit.lost.push(format!("the inviter of {follower}"));
            }
        }
        for refused in entries.refused {
            match (sessions.contains_key(&refused.challenge), refused.repeated) {
                (true, true) => _ = audit.spent_unseen.insert(refused.challenge),
                (true, false) => audit
                    .wrong
                    .push("a code was spent before it was sent".to_owned()),
                (false, _) => _ = audit.forgotten.insert(refused.challenge),
            }
        }
        audit
    }
}

/// A map of the lines `key|value`.
fn rows(text: &str) -> HashMap<String, String> {
    text.lines()
        .map(|line| {
            let (key, value) = line.split_once('|').unwrap();
            (key.to_owned(), value.to_owned())
        })
        .collect()
}
