//! Providers that the tests run: a receiver of webhooks, and something in the
//! shape of Twilio. Which of them it is, it tells by what it is asked.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use kit::{
    clock::{Clock as _, SystemClock},
    listener::{self, Received},
    stop::Stop,
    tls::ServerTls,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How a receiver answers.
#[derive(Clone, Copy)]
pub(crate) enum Reply {
    /// It sends the message.
    Takes,
    /// It is slow, and does not hear that its caller hangs up. A webhook's
    /// receiver sends the message then if it can still answer in time.
    TakesAfter(Duration),
    /// It says nothing until the test lets it.
    Holds,
    /// It refuses so.
    Status(u16),
    /// The same with Twilio's own error.
    Error(u16, u32),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The pairs of a form; the members of a JSON object, as text.
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        match serde_json::from_str::<Value>(&self.body) {
            Ok(json) => {
                let members = json.as_object().unwrap().iter();
                members
                    .map(|(name, value)| {
                        let text = value.as_str().map(str::to_owned);
                        (name.clone(), text.unwrap_or_else(|| value.to_string()))
                    })
                    .collect()
            }
            Err(_) => form_urlencoded::parse(self.body.as_bytes())
                .into_owned()
                .collect(),
        }
    }

    fn is_webhook(&self) -> bool {
        self.header("content-type") == "application/json"
    }
}

/// A message that went to a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) to: String,
    pub(crate) text: String,
    /// Webhooks alone have one.
    pub(crate) id: Option<String>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<Vec<Reply>>,
    seen: Mutex<Vec<Seen>>,
    sent: Mutex<Vec<Sent>>,
    /// Slow ones that have not come to their end.
    at_work: AtomicUsize,
    let_go: CancellationToken,
}

/// A provider. It ends with the test.
pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Shared>,
    stop: Stop,
}

impl Receiver {
    /// Answers so, the last for ever.
    pub(crate) async fn start(script: &[Reply]) -> Self {
        Self::start_with(script, None).await
    }

    pub(crate) async fn start_with(script: &[Reply], tls: Option<ServerTls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let shared = Arc::new(Shared {
            script: Mutex::new(script.to_vec()),
            ..Shared::default()
        });
        let stop = Stop::default();
        let answering = shared.clone();
        let service = tower::service_fn(move |request: Request<Received>| {
            let shared = answering.clone();
            async move { Ok::<_, Infallible>(shared.answer(request).await) }
        });
        tokio::spawn(listener::serve(listener, tls, service, stop.clone()));
        Self { url, shared, stop }
    }

    /// One that is not there.
    pub(crate) async fn down() -> Self {
        let receiver = Self::start(&[Reply::Takes]).await;
        receiver.stop.at_once();
        let address = receiver.url.trim_start_matches("http://").to_owned();
        until("the listener is closed", || {
            std::net::TcpStream::connect(&address)
                .is_err()
                .then_some(())
        })
        .await;
        receiver
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.shared.sent.lock().unwrap().clone()
    }

    /// Waits for so many messages that went to phones.
    pub(crate) async fn messages(&self, count: usize) -> Vec<Sent> {
        until("the messages are sent", || {
            let sent = self.sent();
            (sent.len() >= count).then_some(sent)
        })
        .await
    }

    /// Waits for so many requests.
    pub(crate) async fn requests(&self, count: usize) -> Vec<Seen> {
        until("the requests are there", || {
            let seen = self.seen();
            (seen.len() >= count).then_some(seen)
        })
        .await
    }

    /// Waits until nothing is at work any more.
    pub(crate) async fn idle(&self) {
        until("the slow ones end", || {
            (self.shared.at_work.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await;
    }

    /// What it holds, it takes now.
    pub(crate) fn let_go(&self) {
        self.shared.let_go.cancel();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.at_once();
    }
}

/// Waits for something that comes by itself.
pub(crate) async fn until<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    for _ in 0..750 {
        if let Some(found) = there() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within 15 s: {what}");
}

impl Shared {
    async fn answer(self: Arc<Self>, request: Request<Received>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let seen = Seen {
            path: head.uri.path().to_owned(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        self.seen.lock().unwrap().push(seen.clone());
        let next = {
            let mut script = self.script.lock().unwrap();
            match script.len() {
                1 => script[0],
                _ => script.remove(0),
            }
        };
        match next {
            Reply::Takes => self.take(&seen),
            Reply::Holds => {
                self.let_go.cancelled().await;
                self.take(&seen)
            }
            Reply::TakesAfter(time) => {
                self.at_work.fetch_add(1, Ordering::SeqCst);
                let working = tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    let answer = self.take(&seen);
                    self.at_work.fetch_sub(1, Ordering::SeqCst);
                    answer
                });
                working.await.unwrap()
            }
            Reply::Status(status) => said(status, ""),
            Reply::Error(status, code) => {
                let text =
                    format!(r#"{{"code":{code},"message":"about a number","status":{status}}}"#);
                said(status, &text)
            }
        }
    }

    fn take(&self, seen: &Seen) -> Response<Full<Bytes>> {
        let fields = seen.fields();
        let mut sent = self.sent.lock().unwrap();
        if seen.is_webhook() {
            let id = fields["id"].clone();
            if sent.iter().any(|each| each.id.as_ref() == Some(&id)) {
                return said(204, "");
            }
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of our days")]
            let now = SystemClock.now().0 as f64 / 1000.0;
            if now >= fields["answer_by"].parse::<f64>().unwrap() {
                return said(503, "");
            }
            sent.push(Sent {
                to: fields["to"].clone(),
                text: fields["text"].clone(),
                id: Some(id),
            });
            return said(204, "");
        }
        sent.push(Sent {
            to: fields["To"].clone(),
            text: fields["Body"].clone(),
            id: None,
        });
        said(201, r#"{"sid":"SM1","status":"queued"}"#)
    }
}

fn said(status: u16, body: &str) -> Response<Full<Bytes>> {
    let body = Full::from(body.to_owned());
    Response::builder().status(status).body(body).unwrap()
}
