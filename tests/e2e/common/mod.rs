//! What the end-to-end tests share: the running product on both kinds of
//! storage, and a client of its HTTP API.

#[path = "../../common/http.rs"]
pub(crate) mod http;
#[path = "../../common/processes.rs"]
pub(crate) mod processes;

use clap::Parser as _;
use customauth::{Addresses, Settings, Stack};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{PrivatePostgres, PrivateRedis};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::http::{Answer, request};

/// Stamps test cases on both kinds of storage.
#[macro_export]
macro_rules! on_both_storages {
    ($($case:ident),* $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case($crate::common::Product::embedded(&[]).await).await;
                }
            )*
        }
        mod servers {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case($crate::common::Product::servers(&[]).await).await;
                }
            )*
        }
    };
}

/// The running product, with nothing to wait for in the imitated delivery.
pub(crate) struct Product {
    pub(crate) addresses: Addresses,
    stop: CancellationToken,
    running: Option<JoinHandle<anyhow::Result<()>>>,
    pub(crate) data: TempDir,
}

impl Product {
    /// On SQLite and the in-process challenge store.
    pub(crate) async fn embedded(flags: &[&str]) -> Self {
        Self::start(TempDir::new().unwrap(), flags).await
    }

    /// On PostgreSQL and Redis.
    pub(crate) async fn servers(flags: &[&str]) -> Self {
        let postgres = PrivatePostgres::shared();
        let auth = postgres.create_database("auth");
        let profile = postgres.create_database("profile");
        let redis = PrivateRedis::shared().url();
        Self::on(&auth, &profile, &redis, flags).await
    }

    /// On these servers.
    pub(crate) async fn on(auth: &str, profile: &str, redis: &str, flags: &[&str]) -> Self {
        let servers = [
            &*format!("--auth-database-url={auth}"),
            &*format!("--profile-database-url={profile}"),
            &*format!("--auth-redis-url={redis}"),
        ];
        let flags = [&servers[..], flags].concat();
        let product = Self::start(TempDir::new().unwrap(), &flags).await;
        product.ready().await;
        product
    }

    /// In a data directory that may have been used before.
    pub(crate) async fn start(data: TempDir, flags: &[&str]) -> Self {
        let own = [
            "customauth",
            "--gateway-listen=127.0.0.1:0",
            "--auth-listen=127.0.0.1:0",
            "--profile-listen=127.0.0.1:0",
            "--auth-sms-delay-ms=0",
            "--data-dir",
            data.path().to_str().unwrap(),
        ];
        let settings = Settings::try_parse_from(own.iter().chain(flags)).unwrap();
        kit::crypto::install();
        let stack = Stack::start(settings).await.unwrap();
        let addresses = stack.addresses();
        let stop = CancellationToken::new();
        let running = Some(tokio::spawn(stack.run_until(stop.clone())));
        Self {
            addresses,
            stop,
            running,
            data,
        }
    }

    /// Waits until everything behind the gateway can be used.
    pub(crate) async fn ready(&self) {
        http::ready(&self.url("")).await;
    }

    /// Ends it as a signal would, and gives back its data.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.stop.cancel();
        let running = self.running.take().unwrap();
        running.await.unwrap().unwrap();
        std::mem::replace(&mut self.data, TempDir::new().unwrap())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses.gateway)
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send("GET", path, token, None).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = Vec::new();
        if let Some(bearer) = &bearer {
            headers.push(("authorization", bearer.as_str()));
        }
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        request(method, &self.url(path), &headers, body).await
    }

    /// Asks for a code; the code and the challenge's id.
    pub(crate) async fn request_code(&self, phone: &str) -> (String, String) {
        let body = json!({ "phone_number": phone });
        let answer = self.send("POST", "/api/v1/auths/", None, Some(body)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        (answer.code(), answer.header("challenge-id").to_owned())
    }

    /// Enters a code, naming the challenge.
    pub(crate) async fn verify(&self, code: &str, challenge: &str) -> Answer {
        let body = json!({ "otp": code, "challenge_id": challenge });
        self.send("PATCH", "/api/v1/auths/", None, Some(body)).await
    }

    /// Signs in; the access token.
    pub(crate) async fn sign_in(&self, phone: &str) -> String {
        let (code, challenge) = self.request_code(phone).await;
        let answer = self.verify(&code, &challenge).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn profile(&self, token: &str) -> Value {
        let answer = self.get("/api/v1/personal-area/", Some(token)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub(crate) async fn activate(&self, token: &str, code: &str) -> Answer {
        let body = json!({ "invited_by": code });
        let path = "/api/v1/personal-area/";
        self.send("PATCH", path, Some(token), Some(body)).await
    }
}

/// A user who is signed in.
pub(crate) struct User {
    pub(crate) token: String,
    pub(crate) invite_code: String,
}

impl User {
    pub(crate) async fn new(product: &Product, phone: &str) -> Self {
        let token = product.sign_in(phone).await;
        let profile = product.profile(&token).await;
        let invite_code = profile["invite_code"].as_str().unwrap().to_owned();
        Self { token, invite_code }
    }
}

/// A phone number for each number.
pub(crate) fn phone(each: usize) -> String {
    format!("+7701{each:07}")
}
