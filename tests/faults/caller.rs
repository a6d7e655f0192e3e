//! A client of two gateways that behaves as a good app does behind a simple
//! load balancer.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    http::Answer,
    journal::{Event, Journal, Outcome},
};

/// How long a request is repeated. Less than the 30 s in which a refresh may be.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);
/// How long one answer is waited for. The product's own deadline is 15 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(16);
/// How long a client waits at the most before it repeats a request, whatever
/// `Retry-After` says: recovery is to be measured more finely than in seconds.
const PAUSE: Duration = Duration::from_millis(300);
/// What the product may say: anything else is a fault of its own.
const STATUSES: [u16; 5] = [200, 204, 400, 401, 429];
/// And these as well, after which the same request is to be sent again.
const REPEAT: [u16; 3] = [502, 503, 504];

/// The answer to a request that may have been sent more than once.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    /// An earlier attempt failed; it may have been carried out nevertheless.
    pub(crate) repeated: bool,
}

/// One client: its connections are kept alive, and its requests go to the
/// gateways by turns.
pub(crate) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    gateways: [String; 2],
    next: usize,
    journal: Arc<Journal>,
}

impl Caller {
    pub(crate) fn new(gateways: [String; 2], journal: Arc<Journal>) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            gateways,
            next: 0,
            journal,
        }
    }

    /// Sends a request until it is answered: to the other gateway when there is
    /// no connection or it breaks, again after a moment when it is told so.
    pub(crate) async fn call(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Reply {
        let started = Instant::now();
        let mut repeated = false;
        loop {
            self.next += 1;
            let base = &self.gateways[self.next % self.gateways.len()];
            let begun = Instant::now();
            let tried = timeout(
                ANSWER_WITHIN,
                attempt(&self.client, request(method, base, path, token, body)),
            );
            let tried = tried
                .await
                .unwrap_or_else(|_| Err(Failure::Broken("no answer", String::new())));
            let failed = |kind: &str, said: &str| Outcome::Failed {
                kind: kind.to_owned(),
                detail: format!("{method} {path}: {kind}, {said}"),
            };
            let (outcome, pause) = match &tried {
                Ok(answer) if REPEAT.contains(&answer.status) => {
                    let kind = format!("{} {}", answer.status, answer.header("error-code"));
                    let seconds = answer.header("retry-after").parse().unwrap();
                    let pause = PAUSE.min(Duration::from_secs(seconds));
                    (failed(&kind, &answer.body), pause)
                }
                Ok(_) => (Outcome::Answered, Duration::ZERO),
                Err(Failure::Refused) => (Outcome::Refused, Duration::from_millis(10)),
                Err(Failure::Broken(kind, said)) => (failed(kind, said), Duration::ZERO),
            };
            let failed = matches!(outcome, Outcome::Failed { .. });
            self.journal.enter(Event {
                begun,
                ended: Instant::now(),
                outcome,
            });
            match tried {
                Ok(answer) if !failed => {
                    let known = STATUSES.contains(&answer.status);
                    assert!(known, "{method} {path}: {answer:?}");
                    return Reply { answer, repeated };
                }
                tried => assert!(
                    started.elapsed() < PATIENCE,
                    "{method} {path} did not succeed when repeated: {tried:?}"
                ),
            }
            repeated |= failed;
            sleep(pause).await;
        }
    }
}

/// Why a request has no answer.
#[derive(Debug)]
enum Failure {
    /// It was not sent.
    Refused,
    /// It may have been. What broke, and how.
    Broken(&'static str, String),
}

fn request(
    method: &str,
    base: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{base}{path}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    request.body(Full::new(body.into())).unwrap()
}

/// An error with all its causes.
fn chain(error: &dyn Error) -> String {
    let causes = error.source().map(chain);
    causes.map_or_else(|| error.to_string(), |causes| format!("{error}: {causes}"))
}

async fn attempt(
    client: &Client<HttpConnector, Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Failure> {
    let response = client.request(request).await.map_err(|error| {
        if error.is_connect() {
            Failure::Refused
        } else {
            Failure::Broken("broken connection", chain(&error))
        }
    })?;
    let (head, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Failure::Broken("broken answer", chain(&error)))?;
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8(body.to_bytes().to_vec()).unwrap(),
    })
}
