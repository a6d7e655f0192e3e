//! Many callers, each at an address of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use super::PATIENCE;
use crate::{
    common::{Product, http::Answer},
    sms::{
        code,
        receivers::{Receiver, until},
    },
};

/// A client that keeps its connections.
#[derive(Clone)]
pub(super) struct Crowd {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

impl Crowd {
    pub(super) fn of(product: &Product) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            url: product.url("/api/v1/auths/"),
        }
    }

    async fn send(&self, method: &str, client: &str, body: Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(&self.url)
            .header("content-type", "application/json")
            .header("x-forwarded-for", client)
            .body(Full::from(body.to_string()))
            .unwrap();
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(super) async fn ask(&self, client: &str, phone: &str) -> Answer {
        self.send("POST", client, json!({ "phone_number": phone }))
            .await
    }

    /// Asks for a code, reads it from the message that comes, and enters it.
    pub(super) async fn sign_in(&self, receiver: &Receiver, client: &str, phone: &str) -> Duration {
        let began = Instant::now();
        let mut asked = self.ask(client, phone).await;
        while asked.status == 503 && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(200)).await;
            asked = self.ask(client, phone).await;
        }
        assert_eq!(asked.status, 200, "{}", asked.body);
        let message = until("the message is there", || {
            let sent = receiver.sent().into_iter();
            sent.rev().find(|message| message.to == phone)
        })
        .await;
        let challenge = asked.header("challenge-id");
        let body = json!({ "otp": code(&message.text), "challenge_id": challenge });
        let signed_in = self.send("PATCH", client, body).await;
        assert_eq!(signed_in.status, 200, "{}", signed_in.body);
        assert!(signed_in.json()["access_token"].is_string());
        began.elapsed()
    }
}
