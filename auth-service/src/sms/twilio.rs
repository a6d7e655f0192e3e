//! Twilio's Messages API.
//!
//! It knows no idempotency key: what it may have taken is not asked again.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{
    HeaderValue, Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::Full;
use kit::clock::Clock;
use serde_json::Value;

use super::{
    http::{Answer, HttpClient, Unanswered},
    message::Message,
    provider::{Failure, Provider},
    tries::{Tries, Try},
};

/// Only what was surely not taken is tried again.
const TRIES: Tries = Tries {
    most: 2,
    pause: Duration::from_millis(300),
};
/// For how long Twilio may hold a message back, in seconds: the bounds that it
/// names.
const VALIDITY: (u64, u64) = (1, 14_400);

/// Whose messages they are, and where they are handed in.
#[derive(Clone)]
pub struct TwilioConfig {
    messages: Uri,
    authorization: HeaderValue,
    from: String,
}

impl TwilioConfig {
    /// An account (`AC…`) with its token, at the API of `base`. `from` is a number,
    /// a sender's name, or a messaging service (`MG…`). `None` when that makes no
    /// URL or no header.
    pub fn new(base: &str, account: &str, token: &str, from: &str) -> Option<Self> {
        let base = base.trim_end_matches('/');
        let messages = format!("{base}/2010-04-01/Accounts/{account}/Messages.json");
        let credentials = STANDARD.encode(format!("{account}:{token}"));
        let mut authorization = HeaderValue::try_from(format!("Basic {credentials}")).ok()?;
        authorization.set_sensitive(true);
        Some(Self {
            messages: messages.parse().ok()?,
            authorization,
            from: from.to_owned(),
        })
    }
}

impl fmt::Debug for TwilioConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TwilioConfig")
    }
}

/// Sends messages by Twilio.
pub struct Twilio {
    config: TwilioConfig,
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

impl Twilio {
    /// An account that is used so.
    pub fn new(config: TwilioConfig, http: HttpClient, clock: Arc<dyn Clock>) -> Self {
        Self {
            config,
            http,
            clock,
        }
    }

    fn request(&self, message: &Message) -> Option<Request<Full<Bytes>>> {
        let valid_for = self.clock.now().until(message.expires_at).as_secs();
        let valid_for = valid_for.clamp(VALIDITY.0, VALIDITY.1);
        Request::post(self.config.messages.clone())
            .header(AUTHORIZATION, &self.config.authorization)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(Full::from(form(message, &self.config.from, valid_for)))
            .ok()
    }
}

#[async_trait]
impl Provider for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    async fn send(&self, message: &Message, patience: Duration) -> Result<(), Failure> {
        let tried = TRIES.until_taken(patience, |_, left| async move {
            let Some(request) = self.request(message) else {
                let impossible = "the request could not be made".to_owned();
                return Try::Failed(Failure::NotTaken(impossible));
            };
            read(self.http.send(request, left).await)
        });
        tried.await
    }
}

fn read(answered: Result<Answer, Unanswered>) -> Try {
    let answer = match answered {
        Ok(answer) => answer,
        Err(error @ Unanswered::Unsent(_)) => {
            return Try::Again(Failure::NotTaken(error.to_string()), None);
        }
        Err(error @ Unanswered::Unknown(_)) => {
            return Try::Failed(Failure::Unknown(error.to_string()));
        }
    };
    let status = answer.status;
    let code = error_code(&answer.body);
    // Neither its words nor its link: they repeat the number.
    let said = match code {
        Some(code) => format!("it answered {} with error {code}", status.as_u16()),
        None => format!("it answered {}", status.as_u16()),
    };
    match status {
        _ if status.is_success() => Try::Taken,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if code.is_some() => {
            Try::Again(Failure::NotTaken(said), answer.retry_after())
        }
        // The account, its token or the URL are wrong: no fault of the message.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            Try::Failed(Failure::NotTaken(said))
        }
        // Something in front of Twilio said so.
        StatusCode::REQUEST_TIMEOUT => Try::Failed(Failure::Unknown(said)),
        StatusCode::TOO_MANY_REQUESTS => Try::Failed(Failure::NotTaken(said)),
        _ if status.is_client_error() => Try::Failed(Failure::Refused(said)),
        _ if status.is_server_error() => Try::Failed(Failure::Unknown(said)),
        _ => Try::Failed(Failure::NotTaken(said)),
    }
}

/// The number of Twilio's own error, as in `{"code": 21211, "message": …}`.
fn error_code(body: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(body).ok()?["code"].as_u64()
}

/// Whether this is a messaging service, and no sender's name, such as `MGM`.
fn is_service(from: &str) -> bool {
    let digits = from.strip_prefix("MG").unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn form(message: &Message, from: &str, valid_for: u64) -> String {
    let sender = if is_service(from) {
        "MessagingServiceSid"
    } else {
        "From"
    };
    Serializer::new(String::new())
        .append_pair("To", message.phone.as_str())
        .append_pair(sender, from)
        .append_pair("Body", &message.text)
        .append_pair("ValidityPeriod", &valid_for.to_string())
        .finish()
}

#[cfg(test)]
mod tests {
    use kit::clock::{HeldClock, UnixMillis};

    use super::{
        super::{
            http::tests::{client, serve},
            message::tests::message,
        },
        *,
    };

    #[test]
    fn the_form_names_the_sender_as_what_it_is() {
        let sent = |from| form(&message(), from, 90);
        assert_eq!(
            sent("+15005550006"),
            "To=%2B77777777766&From=%2B15005550006&Body=Your+code%3A+3613&ValidityPeriod=90"
        );
        assert!(sent("MG9752274e9e519418a7406176694466fa").contains("&MessagingServiceSid=MG97"));
        assert!(sent("Customauth").contains("&From=Customauth&"));
        assert!(sent("MGM Hotel").contains("&From=MGM+Hotel&"));
    }

    #[test]
    fn the_token_is_not_shown() {
        let config = TwilioConfig::new("https://api.twilio.com/", "AC1", "hunter2", "x").unwrap();
        assert_eq!(
            config.messages,
            "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"
        );
        assert_eq!(config.authorization, "Basic QUMxOmh1bnRlcjI=");
        assert_eq!(format!("{config:?}"), "TwilioConfig");
        assert_eq!(format!("{:?}", config.authorization), "Sensitive");
    }

    async fn send(answers: &[&'static str]) -> Result<(), String> {
        let base = serve(answers).await;
        let config = TwilioConfig::new(&base, "AC1", "token", "x").unwrap();
        let clock = Arc::new(HeldClock::new(UnixMillis(0)));
        let sent = Twilio::new(config, client(), clock)
            .send(&message(), Duration::from_secs(2))
            .await;
        sent.map_err(|failure| format!("{failure:?}"))
    }

    macro_rules! answer {
        ($status:literal, $body:literal) => {
            concat!(
                "HTTP/1.1 ",
                $status,
                " -\r\nconnection: close\r\n\r\n",
                $body
            )
        };
    }
    const OK: &str = answer!("201", r#"{"sid": "SM1"}"#);

    #[tokio::test]
    async fn only_what_was_surely_not_taken_is_asked_again() {
        let busy = answer!("429", r#"{"code": 20429, "status": 429}"#);
        assert_eq!(send(&[OK]).await, Ok(()));
        assert_eq!(send(&[busy, OK]).await, Ok(()));
        let down = answer!("503", r#"{"code": 20503}"#);
        assert_eq!(send(&[down, OK]).await, Ok(()));
        for (answer, failure) in [
            (
                answer!(
                    "400",
                    r#"{"code": 21211, "message": "The 'To' number +77777777766 is not valid"}"#
                ),
                r#"Refused("it answered 400 with error 21211")"#,
            ),
            (
                answer!("401", r#"{"code": 20003}"#),
                r#"NotTaken("it answered 401 with error 20003")"#,
            ),
            (answer!("503", "<html>"), r#"Unknown("it answered 503")"#),
            (answer!("500", ""), r#"Unknown("it answered 500")"#),
            ("", r#"Unknown("it did not answer: no answer in time")"#),
        ] {
            assert_eq!(send(&[answer, OK]).await, Err(failure.to_owned()));
        }
    }
}
