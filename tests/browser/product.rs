//! The product that the people use, and an app beside the browsers.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    http::{Answer, ready, request},
    processes::{END, Process, command},
};

/// How long access tokens are good.
pub(crate) const ACCESS_TOKEN: Duration = Duration::from_secs(4);

pub(crate) struct Product {
    pub(crate) base: String,
    data: TempDir,
    process: Option<Process>,
}

/// An app that somebody is signed in by. Its access token does not last.
pub(crate) struct App {
    access: String,
    pub(crate) refresh: String,
}

impl Product {
    /// `customauth` as it comes, but for a quick delivery and short-lived
    /// access tokens, so that they are renewed under way.
    pub(crate) async fn start() -> Self {
        let mut product = Self {
            base: "http://127.0.0.1:0".to_owned(),
            data: TempDir::new().unwrap(),
            process: None,
        };
        product.start_again().await;
        product
    }

    /// Starts it where it was, with the data that it had.
    pub(crate) async fn start_again(&mut self) {
        let mut command = command("customauth");
        let listen = self.base.trim_start_matches("http://");
        command.arg(format!("--gateway-listen={listen}"));
        command.arg(format!("--data-dir={}", self.data.path().display()));
        command.arg(format!("--auth-access-ttl-secs={}", ACCESS_TOKEN.as_secs()));
        command.args([
            "--auth-listen=127.0.0.1:0",
            "--profile-listen=127.0.0.1:0",
            "--auth-sms-delay-ms=30",
            "--auth-max-codes-per-phone=8",
        ]);
        let mut process = Process::start(command);
        self.base = process.line_after("HTTP/JSON");
        self.process = Some(process);
        ready(&self.base).await;
    }

    pub(crate) fn stop(&mut self) {
        let process = self.process.take().unwrap();
        process.signal("-TERM");
        let (status, log) = process.end(END);
        assert_eq!(status, Some(0), "{log}");
    }

    /// Signs somebody in as an app does.
    pub(crate) async fn signs_in_elsewhere(&self, phone: &str) -> App {
        let body = format!(r#"{{"phone_number":"{phone}"}}"#);
        let asked = self.call("POST", "/api/v1/auths/", None, &body).await;
        let id = asked.header("challenge-id").to_owned();
        let body = format!(r#"{{"otp":"{}","challenge_id":"{id}"}}"#, asked.code());
        let tokens = self.call("PATCH", "/api/v1/auths/", None, &body).await;
        let token = |name: &str| match &tokens.json()[name] {
            Value::String(token) => token.clone(),
            _ => panic!("{tokens:?}"),
        };
        App {
            access: token("access_token"),
            refresh: token("refresh_token"),
        }
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        app: Option<&App>,
        body: &str,
    ) -> Answer {
        let bearer = app.map(|app| format!("Bearer {}", app.access));
        let mut headers = vec![("User-Agent", "PhoneApp/2.1")];
        if let Some(bearer) = &bearer {
            headers.push(("Authorization", bearer));
        }
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json"));
        }
        let url = format!("{}{path}", self.base);
        request(method, &url, &headers, body.to_owned()).await
    }
}
