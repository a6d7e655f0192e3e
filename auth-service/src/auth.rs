//! The rules of signing in.

use std::{net::IpAddr, sync::Arc, time::Duration};

use kit::{
    audit,
    clock::{Clock, UnixMillis},
    context,
    random::{Random, uuid_v7},
};
use uuid::Uuid;

use crate::{
    challenges::{Carrier, ChallengeId, Challenges, Refused, Started, store::Matched},
    code::Code,
    error::Error,
    mac::Hasher,
    phone::{PhoneCheck, PhoneNumber},
    profiles::Profiles,
    refresh_token::RefreshToken,
    sms::{Disclosure, NotSent, Place, SmsSender, message::Message, text::Texts},
    test_numbers::TestNumbers,
    tokens::{AccessToken, Tokens},
    users::{NewSession, Users},
};

/// The most characters of a User-Agent that are kept.
const MAX_USER_AGENT: usize = 256;

/// How long a written sign-in waits for its challenge to be deleted.
const SPEND: Duration = Duration::from_millis(500);

/// The rules, over what they need.
pub(crate) struct Auth {
    pub(crate) challenges: Arc<Challenges>,
    pub(crate) users: Users,
    pub(crate) profiles: Profiles,
    pub(crate) sms: Arc<dyn SmsSender>,
    pub(crate) texts: Arc<Texts>,
    pub(crate) test_numbers: TestNumbers,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) hasher: Arc<Hasher>,
    pub(crate) phone_check: PhoneCheck,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

/// Who asks for a code, and from where.
pub(crate) struct CodeRequest {
    pub(crate) phone: String,
    pub(crate) invited_by: Option<String>,
    pub(crate) client: IpAddr,
    /// The languages that the person reads, as in Accept-Language.
    pub(crate) language: Option<String>,
}

/// A code that is on its way.
pub(crate) struct Requested {
    pub(crate) challenge_id: ChallengeId,
    pub(crate) expires_at: UnixMillis,
    pub(crate) code_length: usize,
    /// When the next one may be asked for.
    pub(crate) resend_after: Duration,
    /// How long its delivery is imitated, before which nobody is to hear of it.
    pub(crate) delivery: Duration,
    /// Only where nothing is really sent.
    pub(crate) simulated_code: Option<Code>,
}

/// Who answers a challenge, and from where.
pub(crate) struct Answer {
    pub(crate) code: String,
    pub(crate) carrier: Option<Carrier>,
    pub(crate) client: IpAddr,
    pub(crate) user_agent: String,
}

/// A sign-in that was written.
pub(crate) struct SignIn {
    pub(crate) user_id: Uuid,
    pub(crate) new_user: bool,
    pub(crate) access: AccessToken,
    pub(crate) refresh: RefreshToken,
}

impl Auth {
    /// Starts a challenge and has its code delivered.
    pub(crate) async fn request_code(&self, asked: CodeRequest) -> Result<Requested, Error> {
        let now = self.clock.now();
        if let Some(requested) = self.request_fixed_code(&asked, now).await? {
            return Ok(requested);
        }
        let phone = PhoneNumber::parse(&asked.phone, self.phone_check)
            .map_err(|_| Error::PhoneNumberInvalid)?;
        let client = asked.client;
        let place = self.sms.place().map_err(Error::SmsQueueFull)?;
        let delay = place.delay;
        let beginning = Beginning {
            challenges: self.challenges.clone(),
            sms: self.sms.clone(),
            texts: self.texts.clone(),
            message_id: uuid_v7(&*self.clock, &*self.random),
        };
        let asking = phone.clone();
        let started = to_its_end(async move { beginning.run(asked, asking, place, now).await });
        let started = match started.await {
            Ok(started) => started,
            Err(error) => {
                if let Error::TooManyCodes { .. } | Error::SmsGuarded(_) = error {
                    audit!("code_request", "limited", ?phone, %client, reason = %error);
                }
                return Err(error);
            }
        };
        audit!("code_request", "sent", ?phone, %client);
        let gap = self.challenges.rules().phone_limits.gap;
        Ok(self.requested(started, gap, delay))
    }

    /// Starts a challenge of a test number, if it is for one: nothing is sent, so
    /// that nothing is waited for, guarded or counted.
    async fn request_fixed_code(
        &self,
        asked: &CodeRequest,
        now: UnixMillis,
    ) -> Result<Option<Requested>, Error> {
        // Nearly everywhere: then a number is read once.
        if self.test_numbers.is_empty() {
            return Ok(None);
        }
        // Nobody's number in a range that is not given out is as good as any.
        let Ok(phone) = PhoneNumber::parse(&asked.phone, PhoneCheck::Possible) else {
            return Ok(None);
        };
        let Some(code) = self.test_numbers.code_of(&phone, now) else {
            return Ok(None);
        };
        let (invited_by, client) = (asked.invited_by.clone(), asked.client);
        let started = self
            .challenges
            .start_fixed(&phone, invited_by, client, code, now)
            .await?;
        audit!("code_request", "test number", %client);
        Ok(Some(self.requested(
            started,
            Duration::ZERO,
            Duration::ZERO,
        )))
    }

    fn requested(&self, started: Started, resend_after: Duration, delivery: Duration) -> Requested {
        Requested {
            challenge_id: started.id,
            expires_at: started.expires_at,
            code_length: started.code.digits().len(),
            resend_after,
            delivery,
            simulated_code: match self.sms.disclosure() {
                Disclosure::InAnswer => Some(started.code),
                Disclosure::Nowhere => None,
            },
        }
    }

    /// Signs in whoever answers a challenge.
    ///
    /// The code is spent last, by the session's row: until that is written, an
    /// outage costs nothing and the same code works again.
    pub(crate) async fn verify_code(&self, answer: Answer) -> Result<SignIn, Error> {
        let lifetime = self.challenges.rules().lifetime;
        let code = Code::parse(&answer.code).ok_or(Error::CodeMalformed { lifetime })?;
        let refused = || Error::CodeNotAccepted { lifetime };
        let carrier = answer.carrier.ok_or_else(refused)?;
        let now = self.clock.now();
        let client = answer.client;
        let matched = self
            .challenges
            .answer(carrier, &code, client, now)
            .await
            .map_err(|refused| match refused {
                Refused::TooMany { retry_after } => {
                    audit!("sign_in", "limited", %client);
                    Error::TooManyAttempts { retry_after }
                }
                Refused::Unavailable(cause) => Error::Challenges(cause),
            })?;
        let Some(matched) = matched else {
            audit!("sign_in", "refused", %client);
            return Err(refused());
        };
        // On the heap, and only for who is right: it is ten times what a wrong code
        // needs, all of which would be moved about for each.
        Box::pin(self.sign_in(matched, code, client, &answer.user_agent, now)).await
    }

    /// Writes the sign-in that a challenge has bought.
    async fn sign_in(
        &self,
        matched: Matched,
        code: Code,
        client: IpAddr,
        user_agent: &str,
        now: UnixMillis,
    ) -> Result<SignIn, Error> {
        let session_id = uuid_v7(&*self.clock, &*self.random);
        let refresh = RefreshToken::draw(session_id, &self.hasher, &*self.random);
        let session = NewSession {
            session_id,
            challenge_id: matched.id.to_string(),
            refresh_token_hash: refresh.hash(),
            user_agent: printable(user_agent),
            client_address: client.to_string(),
            created_at: now,
        };
        let begun = self.begin_session(&matched, &session).await?;
        let lifetime = self.challenges.rules().lifetime;
        let (user_id, new_user) = begun.ok_or(Error::CodeNotAccepted { lifetime })?;
        let access = self
            .tokens
            .sign_access(user_id, session_id, &matched.phone, now)?;
        let (challenges, sms) = (self.challenges.clone(), self.sms.clone());
        let spent = matched.clone();
        let spending = to_its_end(async move {
            tokio::join!(challenges.spend(&spent, &code), sms.entered(spent.id, now))
        });
        // The sign-in is written: a store that has just gone away must not
        // keep its answer back.
        let _ = tokio::time::timeout(SPEND, spending).await;
        audit!("sign_in", "signed in", phone = ?matched.phone, %client, %user_id, new_user);
        Ok(SignIn {
            user_id,
            new_user,
            access,
            refresh,
        })
    }

    /// Begins the session of the phone's user, who is made if there is none.
    /// `None` if the challenge was spent by another call.
    async fn begin_session(
        &self,
        matched: &Matched,
        session: &NewSession,
    ) -> Result<Option<(Uuid, bool)>, Error> {
        let phone = &matched.phone;
        if let Some(user_id) = self.users.begin_session(phone, session).await? {
            return Ok(Some((user_id, false)));
        }
        let fresh_id = uuid_v7(&*self.clock, &*self.random);
        let user = self
            .users
            .find_or_create(phone, fresh_id, session.created_at)
            .await?;
        if user.has_profile {
            // Either the challenge is spent, or another first sign-in of this
            // phone ended between the two statements: the first one tells.
            let user_id = self.users.begin_session(phone, session).await?;
            return Ok(user_id.map(|user_id| (user_id, false)));
        }
        // Of several first sign-ins at once, the one that makes the profile is it.
        let new_user = self
            .profiles
            .create(user.user_id, phone, matched.invited_by.clone())
            .await
            .map_err(Error::Profiles)?;
        let begun = self
            .users
            .begin_first_session(user.user_id, session)
            .await?;
        Ok(begun.then_some((user.user_id, new_user)))
    }
}

/// The steps of a request for a code that belong together: what was counted is
/// taken back when a later step refuses.
struct Beginning {
    challenges: Arc<Challenges>,
    sms: Arc<dyn SmsSender>,
    texts: Arc<Texts>,
    message_id: Uuid,
}

impl Beginning {
    async fn run(
        self,
        asked: CodeRequest,
        phone: PhoneNumber,
        place: Place,
        now: UnixMillis,
    ) -> Result<Started, Error> {
        let CodeRequest {
            invited_by, client, ..
        } = asked;
        let started = self
            .challenges
            .start(&phone, invited_by, client, place.delay, now)
            .await
            .map_err(|refused| match refused {
                Refused::TooMany { retry_after } => Error::TooManyCodes { retry_after },
                Refused::Unavailable(cause) => Error::Challenges(cause),
            })?;
        let lifetime = self.challenges.rules().lifetime;
        let text = self
            .texts
            .of_code(&started.code, lifetime, asked.language.as_deref());
        let message = Message {
            id: self.message_id,
            phone,
            segments: text.segments,
            text: text.text,
            challenge: started.id,
            client,
            expires_at: started.expires_at,
        };
        match self.sms.hand_over(place, message, now).await {
            Ok(()) => Ok(started),
            Err(not_sent) => {
                self.challenges.withdraw(&started).await?;
                Err(match not_sent {
                    NotSent::Guarded(refusal) => Error::SmsGuarded(refusal),
                    NotSent::Unavailable(cause) => Error::Challenges(cause),
                })
            }
        }
    }
}

/// Runs steps that belong together to their end, even if the client goes away
/// in the middle or its time is over.
async fn to_its_end<T: Send + 'static>(steps: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(context::beyond(steps)).await {
        Ok(outcome) => outcome,
        // Nothing cancels the task, so it has panicked: so does its caller.
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// A User-Agent as it may be stored and shown: no control characters (a NUL is
/// an error in PostgreSQL), and not too long.
fn printable(user_agent: &str) -> String {
    user_agent
        .chars()
        .filter(|each| !each.is_control())
        .take(MAX_USER_AGENT)
        .collect()
}

#[cfg(test)]
mod test_number_tests;
