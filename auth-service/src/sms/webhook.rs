//! A provider behind a signed request: a gateway of one's own, or a few lines in
//! front of a vendor. The request follows the Standard Webhooks scheme
//! (<https://www.standardwebhooks.com>).
//!
//! The receiver's part of the bargain, as docs/sms.md has it: it sends a message
//! at most once per id, and not at all when it cannot answer before `answer_by`.
//! So a message that was given up here, and is given to another provider, is not
//! sent twice.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::Full;
use kit::clock::{Clock, UnixMillis};
use ring::hmac;
use serde_json::json;
use uuid::Uuid;

use super::{
    http::{Answer, HttpClient, Unanswered},
    message::Message,
    provider::{Failure, Provider},
    tries::{Tries, Try},
};

const TRIES: Tries = Tries {
    most: 3,
    pause: Duration::from_millis(200),
};
/// What an answer may take on its way back: by so much is `answer_by` before the
/// end of the wait, or by a quarter of it.
const WAY_BACK: Duration = Duration::from_millis(500);

/// The secret that requests are signed with: `whsec_` and 24 to 64 bytes in
/// base64. `Debug` does not show it.
#[derive(Clone)]
pub struct WebhookSecret(hmac::Key);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookSecret")
    }
}

impl FromStr for WebhookSecret {
    type Err = &'static str;

    /// Never repeats the value.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected whsec_ and 24 to 64 bytes in base64 \
            (make one with: echo whsec_$(openssl rand -base64 32))";
        let encoded = text.trim().strip_prefix("whsec_").ok_or(WANTED)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| WANTED)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(WANTED);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

impl WebhookSecret {
    /// The value of `webhook-signature`.
    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let tag = hmac::sign(&self.0, signed.as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

/// Where and how it is reached.
#[derive(Clone)]
pub struct WebhookConfig {
    /// Takes the requests.
    pub url: Uri,
    /// Signs them.
    pub secret: WebhookSecret,
}

impl fmt::Debug for WebhookConfig {
    /// Without the URL: there may be a token in it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookConfig")
    }
}

/// Sends messages by a signed request.
pub struct Webhook {
    config: WebhookConfig,
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

impl Webhook {
    /// A receiver that is called so.
    pub fn new(config: WebhookConfig, http: HttpClient, clock: Arc<dyn Clock>) -> Self {
        Self {
            config,
            http,
            clock,
        }
    }

    /// Each try is told its own end: one that was given up sends nothing, while
    /// the next one may.
    async fn try_once(&self, message: &Message, patience: Duration) -> Try {
        let now = self.clock.now();
        let answer_by = now.after(patience.saturating_sub(WAY_BACK.min(patience / 4)));
        let Some(request) = self.request(message, now, answer_by) else {
            let impossible = "the request could not be made".to_owned();
            return Try::Failed(Failure::NotTaken(impossible));
        };
        read(self.http.send(request, patience).await)
    }

    fn request(
        &self,
        message: &Message,
        now: UnixMillis,
        answer_by: UnixMillis,
    ) -> Option<Request<Full<Bytes>>> {
        let id = message.id.to_string();
        let body = body(message, answer_by);
        let timestamp = now.seconds();
        Request::post(self.config.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header(
                "webhook-signature",
                self.config.secret.sign(&id, timestamp, &body),
            )
            .header("idempotency-key", &id)
            .body(Full::from(body))
            .ok()
    }
}

#[async_trait]
impl Provider for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn send(&self, message: &Message, patience: Duration) -> Result<(), Failure> {
        let tried = TRIES.until_taken(patience, |number, left| async move {
            // A try that gets no answer leaves time for another.
            let share = if number < TRIES.most { left / 2 } else { left };
            self.try_once(message, share).await
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
            return Try::Again(Failure::Unknown(error.to_string()), None);
        }
    };
    let status = answer.status;
    // Not its body: that may repeat the number or the text.
    let said = format!("it answered {}", status.as_u16());
    match status {
        _ if status.is_success() => Try::Taken,
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE => {
            Try::Again(Failure::NotTaken(said), answer.retry_after())
        }
        // It broke in the middle, or somebody between did not wait.
        _ if status.is_server_error() => Try::Again(Failure::Unknown(said), None),
        _ if status.is_client_error() => Try::Failed(Failure::Refused(said)),
        _ => Try::Failed(Failure::NotTaken(said)),
    }
}

/// Times are Unix seconds, with decimals: the easiest to compare with a clock,
/// and the same as in `webhook-timestamp`.
fn body(message: &Message, answer_by: UnixMillis) -> String {
    let Message {
        id,
        phone,
        text,
        segments,
        expires_at,
        ..
    } = message;
    json!({
        "id": Uuid::to_string(id),
        "to": phone.as_str(),
        "text": text,
        "segments": segments,
        "expires_at": seconds(*expires_at),
        "answer_by": seconds(answer_by),
    })
    .to_string()
}

fn seconds(time: UnixMillis) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact for the next 285,000 years"
    )]
    let millis = time.0 as f64;
    millis / 1000.0
}

#[cfg(test)]
mod tests {
    use kit::clock::HeldClock;

    use super::{
        super::{
            http::tests::{client, serve},
            message::tests::message,
        },
        *,
    };

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        // From the Standard Webhooks specification and its libraries' tests.
        let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signature = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_24_to_64_bytes_and_never_shows() {
        let read = |length: usize, prefix: &str| {
            format!("{prefix}{}", STANDARD.encode(vec![7; length])).parse::<WebhookSecret>()
        };
        for length in [24, 32, 64] {
            let secret = read(length, "whsec_").unwrap();
            assert_eq!(format!("{secret:?}"), "WebhookSecret");
        }
        for (length, prefix) in [(23, "whsec_"), (65, "whsec_"), (32, ""), (32, "whpk_")] {
            let error = read(length, prefix).unwrap_err();
            assert!(!error.contains("BwcH"), "{error}");
        }
    }

    #[test]
    fn the_body_has_what_the_receiver_needs_and_no_more() {
        let message = message();
        let read: serde_json::Value =
            serde_json::from_str(&body(&message, UnixMillis(1_764_098_265_482))).unwrap();
        let expected = json!({
            "id": message.id.to_string(),
            "to": "+77777777766",
            "text": "Your code: 3613",
            "segments": 1,
            "expires_at": 120.0,
            "answer_by": 1_764_098_265.482,
        });
        assert_eq!(read, expected);
    }

    async fn send(answers: &[&'static str], patience: Duration) -> Result<(), Failure> {
        let url = serve(answers).await.parse().unwrap();
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let config = WebhookConfig { url, secret };
        let clock = Arc::new(HeldClock::new(UnixMillis(0)));
        let webhook = Webhook::new(config, client(), clock);
        webhook.send(&message(), patience).await
    }

    const PATIENCE: Duration = Duration::from_secs(10);
    const OK: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    const BUSY: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const BROKEN: &str = "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const NO: &str = "HTTP/1.1 422 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const LATER: &str =
        "HTTP/1.1 429 Later\r\nretry-after: 60\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const MOVED: &str =
        "HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn what_may_come_otherwise_is_tried_again() {
        assert!(send(&[OK], PATIENCE).await.is_ok());
        assert!(send(&[BUSY, BROKEN, OK], PATIENCE).await.is_ok());
        let failed = send(&[BUSY, BUSY, BUSY, OK], PATIENCE).await;
        assert!(matches!(failed, Err(Failure::NotTaken(_))), "{failed:?}");
        for (once, kind) in [(&[NO, OK], "Refused"), (&[MOVED, OK], "NotTaken")] {
            let failed = send(once, PATIENCE).await.unwrap_err();
            assert!(format!("{failed:?}").starts_with(kind), "{failed:?}");
        }
        let failed = send(&[LATER, OK], PATIENCE).await;
        assert!(matches!(failed, Err(Failure::NotTaken(_))), "{failed:?}");
    }

    #[tokio::test]
    async fn what_may_have_been_taken_stays_so() {
        let failed = send(&[BROKEN, NO], PATIENCE).await;
        assert!(matches!(failed, Err(Failure::Unknown(_))), "{failed:?}");
        // Without an answer the first try ends at half the time.
        assert!(send(&["", OK], Duration::from_secs(4)).await.is_ok());
    }
}
