//! A small HTTP client.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no header {name} in {self:?}"))
            .to_str()
            .unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The sentence of an answer that is one.
    pub(crate) fn sentence(&self) -> String {
        let json = self.json();
        let object = json.as_object().unwrap();
        assert_eq!(object.len(), 1, "{json}");
        object["response"].as_str().unwrap().to_owned()
    }

    /// The one-time code in the answer to a request for it.
    pub(crate) fn code(&self) -> String {
        let sentence = self.sentence();
        let (_, rest) = sentence.split_once("(use ").unwrap();
        rest.split_once(')').unwrap().0.to_owned()
    }
}

pub(crate) async fn request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    try_request(method, url, headers, body).await.unwrap()
}

/// The same, where the connection may break.
pub(crate) async fn try_request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    // A connection each: a pool would outlive the runtime of the test that
    // made it.
    static CONNECTOR: LazyLock<HttpConnector> = LazyLock::new(HttpConnector::new);
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(CONNECTOR.clone());
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let (head, body) = client.request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    })
}

/// Waits until everything behind a gateway can be used.
pub(crate) async fn ready(base: &str) {
    let url = format!("{base}/readyz");
    let mut answer = request("GET", &url, &[], "").await;
    for _ in 0..300 {
        if answer.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = request("GET", &url, &[], "").await;
    }
    panic!("not ready: {}", answer.body);
}
