//! What one client does: signs people in, reads profiles, enters codes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    caller::{Caller, PATIENCE},
    http::Answer,
    journal::Journal,
    ledger::Ledger,
};

pub(crate) const AUTHS: &str = "/api/v1/auths/";
pub(crate) const REFRESH: &str = "/api/v1/auths/refresh/";
pub(crate) const AREA: &str = "/api/v1/personal-area/";
/// Between two things that a client does.
const PAUSE: Duration = Duration::from_millis(10);
/// An access token is good for 600 s; an older one is changed before it is used.
const FRESH: Duration = Duration::from_secs(400);

/// The tokens of one sign-in, as they are now.
pub(crate) struct Session {
    access: String,
    refresh: String,
    since: Instant,
}

/// Somebody whom this client has signed in.
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) phone: String,
    pub(crate) invite_code: String,
    /// The code that was entered.
    pub(crate) invited_by: Option<String>,
    pub(crate) sessions: Vec<Session>,
}

/// A client and its users.
pub(crate) struct App {
    number: usize,
    caller: Caller,
    journal: Arc<Journal>,
    ledger: Arc<Ledger>,
    pub(crate) users: Vec<User>,
}

impl App {
    pub(crate) fn new(
        number: usize,
        gateways: [String; 2],
        journal: Arc<Journal>,
        ledger: Arc<Ledger>,
    ) -> Self {
        Self {
            number,
            caller: Caller::new(gateways, journal.clone()),
            journal,
            ledger,
            users: Vec::new(),
        }
    }

    /// Does everything in turn until it is told to stop. What is begun is done.
    pub(crate) async fn work(mut self, stop: Arc<AtomicBool>) -> Self {
        // One after the other, so that they are not all at the same thing.
        sleep(PAUSE * u32::try_from(self.number).unwrap()).await;
        for turn in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            self.first_sign_in().await;
            sleep(PAUSE).await;
            self.read_profile(turn).await;
            sleep(PAUSE).await;
            self.activate(turn).await;
            sleep(PAUSE).await;
            self.refresh(turn).await;
            sleep(PAUSE).await;
            self.returning_sign_in(turn).await;
            sleep(PAUSE).await;
            self.read_profile(turn * 3).await;
            sleep(PAUSE).await;
            self.refresh(turn * 3).await;
            self.journal.turn(self.number);
            sleep(PAUSE).await;
        }
        self
    }

    async fn first_sign_in(&mut self) {
        let phone = format!("+7701{}{:06}", self.number, self.users.len());
        let (id, session) = self.sign_in(&phone).await;
        let profile = self.profile(&session.access).await;
        assert_eq!(profile["phone_number"], phone);
        assert_eq!(profile["invited_by"], Value::Null);
        let invite_code = text(&profile, "invite_code");
        self.ledger.profile(&id, &phone, &invite_code);
        self.users.push(User {
            id,
            phone,
            invite_code,
            invited_by: None,
            sessions: vec![session],
        });
    }

    async fn returning_sign_in(&mut self, turn: usize) {
        let user = turn * 7 % self.users.len();
        let phone = self.users[user].phone.clone();
        let (id, session) = self.sign_in(&phone).await;
        assert_eq!(id, self.users[user].id, "{phone} is somebody else now");
        self.users[user].sessions.push(session);
    }

    async fn refresh(&mut self, turn: usize) {
        let user = turn * 5 % self.users.len();
        let sessions = self.users[user].sessions.len();
        self.refresh_session(user, turn % sessions).await;
    }

    async fn read_profile(&mut self, turn: usize) {
        let user = turn * 11 % self.users.len();
        let session = turn % self.users[user].sessions.len();
        if self.users[user].sessions[session].since.elapsed() > FRESH {
            self.refresh_session(user, session).await;
        }
        let access = self.users[user].sessions[session].access.clone();
        let profile = self.profile(&access).await;
        let user = &self.users[user];
        assert_eq!(profile["phone_number"], *user.phone);
        assert_eq!(profile["invite_code"], *user.invite_code);
        assert_eq!(profile["invited_by"].as_str(), user.invited_by.as_deref());
    }

    /// The newest user enters a code.
    async fn activate(&mut self, turn: usize) {
        let number = turn * 6 + self.number;
        let code = self.ledger.some_code(number).unwrap();
        let user = self.users.last_mut().unwrap();
        if code == user.invite_code {
            return;
        }
        let access = user.sessions[0].access.clone();
        let body = json!({ "invited_by": code });
        let call = self.caller.call("PATCH", AREA, Some(&access), Some(&body));
        let reply = call.await;
        match (reply.answer.status, reply.repeated) {
            (200, _) => {}
            // Done by an attempt whose answer was lost; by which, the profile says.
            (400, true) if reply.answer.header("error-code") == "INVITER_ALREADY_SET" => {
                let profile = self.profile(&access).await;
                assert_eq!(profile["invited_by"], *code);
            }
            _ => panic!("{code}: {reply:?}"),
        }
        let user = self.users.last_mut().unwrap();
        self.ledger.activated(&user.id, &code);
        user.invited_by = Some(code);
    }

    /// Signs in, with another code when the first is not accepted: the ledger
    /// judges whether it should have been. The user's id and the tokens.
    async fn sign_in(&mut self, phone: &str) -> (String, Session) {
        let started = Instant::now();
        loop {
            let body = json!({ "phone_number": phone });
            let asked = self.caller.call("POST", AUTHS, None, Some(&body)).await;
            assert_eq!(asked.answer.status, 200, "{asked:?}");
            let challenge = asked.answer.header("challenge-id").to_owned();
            let body = json!({ "otp": asked.answer.code(), "challenge_id": challenge });
            let reply = self.caller.call("PATCH", AUTHS, None, Some(&body)).await;
            if reply.answer.status == 200 {
                let session = Session::read(&reply.answer);
                let id = subject(&session.access);
                self.ledger.signed_in(&challenge, &id);
                return (id, session);
            }
            assert_eq!(reply.answer.status, 400, "{reply:?}");
            assert_eq!(reply.answer.header("error-code"), "CODE_NOT_ACCEPTED");
            self.ledger.refused(&challenge, reply.repeated);
            assert!(started.elapsed() < PATIENCE, "no code of {phone} is good");
        }
    }

    /// Changes the tokens of one of a user's sessions. The same token may be
    /// sent more than once, since an answer may be lost.
    pub(crate) async fn refresh_session(&mut self, user: usize, session: usize) {
        let User {
            phone, sessions, ..
        } = &mut self.users[user];
        let body = json!({ "refresh_token": sessions[session].refresh });
        let reply = self.caller.call("POST", REFRESH, None, Some(&body)).await;
        assert_eq!(reply.answer.status, 200, "{phone}: {reply:?}");
        sessions[session] = Session::read(&reply.answer);
    }

    pub(crate) async fn profile(&mut self, access: &str) -> Value {
        self.get(AREA, access).await
    }

    pub(crate) async fn get(&mut self, path: &str, access: &str) -> Value {
        let reply = self.caller.call("GET", path, Some(access), None).await;
        assert_eq!(reply.answer.status, 200, "{reply:?}");
        reply.answer.json()
    }
}

impl Session {
    fn read(answer: &Answer) -> Self {
        let tokens = answer.json();
        Self {
            access: text(&tokens, "access_token"),
            refresh: text(&tokens, "refresh_token"),
            since: Instant::now(),
        }
    }

    pub(crate) fn access(&self) -> String {
        self.access.clone()
    }
}

fn text(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap().to_owned()
}

/// The user's id in an access token.
fn subject(access: &str) -> String {
    let payload = access.split('.').nth(1).unwrap();
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    text(&claims, "sub")
}
