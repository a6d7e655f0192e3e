//! A client of the gateway by HTTPS that trusts one authority.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, pem::PemObject as _},
    },
};

use super::certificates::Authority;
use crate::common::http::Answer;

/// A client of the gateway by HTTPS.
pub(super) struct Client {
    address: String,
    name: &'static str,
    tls: TlsConnector,
}

impl Client {
    /// Of the gateway at `url`, which must be who the authority says it is.
    pub(super) fn new(url: &str, name: &'static str, authority: &Authority) -> Self {
        kit::crypto::install();
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(authority.ca()).unwrap();
        roots.add(ca).unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            address: url.strip_prefix("https://").unwrap().to_owned(),
            name,
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    pub(super) async fn send(
        &self,
        line: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let name = self.name.try_into().unwrap();
        let mut stream = self.tls.connect(name, stream).await.unwrap();
        let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let bearer = bearer.unwrap_or_default();
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let kind = match body.len() {
            0 => String::new(),
            long => format!("Content-Type: application/json\r\nContent-Length: {long}\r\n"),
        };
        let request =
            format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bearer}{kind}\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        // An error if the stream is cut without TLS saying that it ends.
        stream.read_to_string(&mut text).await.unwrap();
        parse(&text)
    }

    pub(super) async fn ready(&self) {
        for _ in 0..300 {
            if self.send("GET /readyz", None, None).await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}", self.send("GET /readyz", None, None).await.body);
    }

    /// A whole sign-in; the answer to the request for the code, and the profile.
    pub(super) async fn sign_in(&self) -> (Answer, Value) {
        self.ready().await;
        let auths = "/api/v1/auths/";
        let body = json!({ "phone_number": "+77777777766" });
        let asked = self.send(&format!("POST {auths}"), None, Some(body)).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        let body = json!({ "otp": asked.code() });
        let pair = self.send(&format!("PATCH {auths}"), None, Some(body)).await;
        assert_eq!(pair.status, 200, "{}", pair.body);
        let pair = pair.json();
        let token = pair["access_token"].as_str();
        let answer = self.send("GET /api/v1/personal-area/", token, None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        (asked, answer.json())
    }
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        let name: HeaderName = name.parse().unwrap();
        (name, value.parse().unwrap())
    });
    Answer {
        status: status.parse().unwrap(),
        headers: headers.collect::<HeaderMap>(),
        body: body.to_owned(),
    }
}
