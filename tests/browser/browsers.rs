//! chromedriver and the browsers that it starts, each with a profile of its own.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;
use thirtyfour::{
    Capabilities, WebDriver,
    error::{WebDriverErrorInner, WebDriverResult},
    session::http::{Body, HttpClient},
};

use crate::http::try_request;

/// Nothing that the page does not need, above all no network.
const FLAGS: [&str; 14] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1280,900",
];

/// A chromedriver. It and its browsers end when this is dropped, or when the
/// test dies: see `keeper.sh`.
pub(crate) struct Browsers {
    keeper: Child,
    url: String,
    directory: PathBuf,
}

impl Browsers {
    pub(crate) fn start() -> Self {
        for program in ["chromium", "chromedriver"] {
            assert!(
                is_in_path(program),
                "{program} is not installed: run ./scripts/test, or apt-get install chromium chromium-driver"
            );
        }
        let directory = TempDir::with_prefix("customauth-browser").unwrap().keep();
        let mut keeper = Command::new("sh")
            .args(["-c", include_str!("keeper.sh"), "keeper"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, port) = line.split_once("successfully on port ")?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .expect("chromedriver says its port");
        Self {
            keeper,
            url: format!("http://127.0.0.1:{port}"),
            directory,
        }
    }

    /// A new browser whose user reads `languages`, as in "ru-RU,ru".
    pub(crate) async fn open(&self, name: &str, languages: &str) -> WebDriver {
        let profile = format!("--user-data-dir={}/{name}", self.directory.display());
        let languages = format!("--accept-lang={languages}");
        let mut flags = FLAGS.to_vec();
        flags.extend([&*profile, &*languages]);
        let mut capabilities = Capabilities::new();
        for (key, value) in [
            ("browserName", json!("chrome")),
            ("goog:chromeOptions", json!({ "args": flags })),
            (
                "goog:loggingPrefs",
                json!({ "browser": "ALL", "performance": "ALL" }),
            ),
        ] {
            capabilities.set(key, value).unwrap();
        }
        WebDriver::builder(&self.url, capabilities)
            .client(Client)
            .await
            .unwrap()
    }
}

impl Drop for Browsers {
    fn drop(&mut self) {
        // The end of its input is the order to end.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}

/// Speaks to chromedriver with the client of the other tests: that of the
/// library would bring a second one, and TLS.
struct Client;

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send(
        &self,
        request: http::Request<Body<'_>>,
    ) -> WebDriverResult<http::Response<Bytes>> {
        let (head, body) = request.into_parts();
        let body = match body {
            Body::Empty => Vec::new(),
            Body::Json(json) => serde_json::to_vec(json)?,
        };
        let headers = [("Content-Type", "application/json")];
        let answer = try_request(head.method.as_str(), &head.uri.to_string(), &headers, body)
            .await
            .map_err(|error| WebDriverErrorInner::HttpError(error.to_string()))?;
        let mut response = http::Response::new(Bytes::from(answer.body));
        *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap();
        Ok(response)
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self)
    }
}
