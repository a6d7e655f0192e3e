//! The HTTP client of providers: HTTP/1.1, with or without TLS.
//!
//! It follows no redirect, reads no more of an answer than it has to, and knows
//! whether a request that failed was surely not sent. What is on its way when
//! the patience is over is broken off with its connection.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout, timeout_at};

/// How much of an answer is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// How long a connection is kept that carries nothing. Less than what servers
/// and balancers keep it for: a request on one that is just being closed is lost
/// without a word, and whoever cannot send it again has lost a message.
const IDLE: Duration = Duration::from_secs(15);
/// How many of these are kept.
const MAX_IDLE: usize = 32;
/// How long reaching a server may take: one that is not there should leave time
/// for another try.
const CONNECT: Duration = Duration::from_secs(3);

/// Sends requests to providers. Clones share their connections.
#[derive(Clone)]
pub struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    headers: HeaderMap,
    /// Its body, empty when that did not come or was too large: the status
    /// alone says what became of the request.
    pub body: Bytes,
}

/// Why there is no answer. The text has nothing of the request in it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unanswered {
    /// The server was not reached: nothing of the request was sent.
    #[error("it was not reached: {0}")]
    Unsent(String),
    /// It may have got the request, and may have done it.
    #[error("it did not answer: {0}")]
    Unknown(String),
}

impl HttpClient {
    /// A client that speaks TLS so.
    pub fn new(tls: &ClientConfig) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector);
        Self(client)
    }

    /// Sends a request and waits for its answer, `patience` in all.
    ///
    /// # Errors
    /// When there is none in that time.
    pub async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Answer, Unanswered> {
        let until = Instant::now() + patience;
        let connection = capture_connection(&mut request);
        let (head, body) = match timeout(patience, self.0.request(request)).await {
            Ok(Ok(answer)) => answer.into_parts(),
            Ok(Err(error)) if error.is_connect() => return Err(Unanswered::Unsent(told(&error))),
            Ok(Err(error)) => return Err(Unanswered::Unknown(told(&error))),
            Err(_) if connection.connection_metadata().is_none() => {
                return Err(Unanswered::Unsent("no connection in time".to_owned()));
            }
            Err(_) => return Err(Unanswered::Unknown("no answer in time".to_owned())),
        };
        // Read to its end, the connection can be used again.
        let body = match timeout_at(until, Limited::new(body, MAX_ANSWER).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

impl Answer {
    /// For how long the server does not want to be asked again, if it says so in
    /// seconds; a date counts as not said.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// What went wrong, with its causes: addresses, certificates, system errors.
fn told(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told.push_str(": ");
        told.push_str(&error.to_string());
        cause = error.source();
    }
    told
}

#[cfg(test)]
pub(crate) mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    pub(crate) fn client() -> HttpClient {
        HttpClient::new(&kit::tls::outward("", None).unwrap())
    }

    /// A server that reads each connection's first bytes and then says this and
    /// hangs up; or says nothing.
    pub(crate) async fn serve(answers: &[&'static str]) -> String {
        let answers = answers.to_vec();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut held: Vec<TcpStream> = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = [0; 4096];
                assert_ne!(stream.read(&mut bytes).await.unwrap(), 0);
                match answer {
                    "" => held.push(stream),
                    answer => stream.write_all(answer.as_bytes()).await.unwrap(),
                }
            }
            // The last ones are kept until the other side has had enough.
            for mut stream in held {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        });
        format!("http://{address}/")
    }

    fn post(url: &str) -> Request<Full<Bytes>> {
        Request::post(url)
            .body(Full::from("the code is 3613"))
            .unwrap()
    }

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn an_answer_is_read_with_its_body_up_to_a_bound() {
        let url = serve(&[
            "HTTP/1.1 201 Created\r\nconnection: close\r\ncontent-length: 2\r\nretry-after: 7\r\n\r\nhi",
            "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 65537\r\n\r\nbut it breaks off",
        ])
        .await;
        let client = client();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let answer = client.send(post(&url), PATIENCE).await.unwrap();
            let wait = answer.retry_after().map(|wait| wait.as_secs());
            seen.push((answer.status.as_u16(), answer.body.len(), wait));
        }
        assert_eq!(seen, [(201, 2, Some(7)), (302, 0, None), (200, 0, None)]);
    }

    #[tokio::test]
    async fn what_was_surely_not_sent_is_told_from_what_may_have_been() {
        let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refused = format!("http://{}/", unused.local_addr().unwrap());
        drop(unused);
        let client = client();
        let error = client.send(post(&refused), PATIENCE).await.unwrap_err();
        assert!(matches!(&error, Unanswered::Unsent(_)), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");

        // What is no TLS is not spoken to.
        let plain = serve(&["HTTP/1.1 200 OK\r\n\r\n"]).await;
        let secure = plain.replace("http:", "https:");
        let error = client.send(post(&secure), PATIENCE).await.unwrap_err();
        assert!(matches!(&error, Unanswered::Unsent(_)), "{error}");

        let patience = Duration::from_millis(200);
        for answer in ["HTTP/1.1 200", ""] {
            let url = serve(&[answer]).await;
            let error = client.send(post(&url), patience).await.unwrap_err();
            assert!(matches!(&error, Unanswered::Unknown(_)), "{error}");
            assert!(!error.to_string().contains("3613"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_handshake_that_takes_too_long_has_sent_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let patience = Duration::from_millis(200);
        let error = client().send(post(&url), patience).await.unwrap_err();
        assert!(matches!(&error, Unanswered::Unsent(_)), "{error}");
    }

    #[tokio::test]
    async fn what_is_given_up_is_broken_off() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let client = client();
        let sent = tokio::spawn(async move {
            let given_up = client.send(post(&url), Duration::from_millis(200)).await;
            (client, given_up)
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        // It ends: the client has hung up.
        let read = timeout(PATIENCE, stream.read_to_end(&mut request)).await;
        assert!(read.is_ok(), "the connection is closed");
        assert!(request.starts_with(b"POST / HTTP/1.1\r\n"));
        let (_client, given_up) = sent.await.unwrap();
        assert!(matches!(given_up, Err(Unanswered::Unknown(_))));
    }
}
