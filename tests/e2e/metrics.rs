//! What the product counts is what happened; and it tells no more than that.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::json;
use testkit::{PrivatePostgres, PrivateRedis};

use crate::{
    common::{
        Product, User,
        http::{ready, request},
        phone,
        processes::{END, Process, command},
    },
    programs::{Trio, complaint, customauth, sign_in},
    sms::{
        self,
        receivers::{Receiver, Reply},
    },
};

crate::on_both_storages![
    a_journey_is_counted,
    no_client_is_found_in_it,
    what_nobody_knows_makes_no_series,
];

type Labels = BTreeSet<String>;
type Families = BTreeMap<String, Option<Labels>>;

/// A scrape's text.
struct Scrape(String);

impl Scrape {
    async fn of(url: &str) -> Self {
        let answer = request("GET", url, &[], "").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let format = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(answer.header("content-type"), format);
        Self(answer.body)
    }

    /// The value of a series, which is there.
    #[track_caller]
    fn value(&self, series: &str) -> f64 {
        let of = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        let found = self.0.lines().find_map(of);
        found.unwrap_or_else(|| panic!("no {series} in\n{}", self.0))
    }

    #[track_caller]
    fn assert(&self, expected: &[(&str, f64)]) {
        for (series, value) in expected {
            let found = self.value(series);
            assert!(
                (found - value).abs() < 0.5,
                "{series}: {found}, not {value}"
            );
        }
    }

    fn samples(&self) -> impl Iterator<Item = &str> {
        self.0.lines().filter(|line| !line.starts_with('#'))
    }

    /// The names of all families, with the labels that their samples have, if
    /// there are any.
    fn families(&self) -> Families {
        let named = self.0.lines().filter_map(|line| {
            let (name, _) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            Some((name.to_owned(), None))
        });
        let mut families: Families = named.collect();
        for sample in self.samples() {
            let (name, labels) = sample.split_once(['{', ' ']).unwrap();
            let of_histogram = ["_bucket", "_sum", "_count"];
            let family = of_histogram.iter().find_map(|end| name.strip_suffix(end));
            let family = family.filter(|family| families.contains_key(*family));
            let known = families.get_mut(family.unwrap_or(name)).unwrap();
            let known = known.get_or_insert_default();
            if sample.contains('{') {
                let (labels, _) = labels.rsplit_once('}').unwrap();
                let names = labels
                    .split("\",")
                    .filter_map(|each| each.split_once("=\""));
                let names = names.map(|(name, _)| name).filter(|name| *name != "le");
                known.extend(names.map(str::to_owned));
            }
        }
        families
    }
}

impl Product {
    async fn scrape(&self) -> Scrape {
        Scrape::of(&self.url("/metrics")).await
    }

    async fn refresh(&self, token: &str) -> Option<String> {
        let body = json!({ "refresh_token": token });
        let path = "/api/v1/auths/refresh/";
        let answer = self.send("POST", path, None, Some(body)).await;
        (answer.status == 200).then(|| {
            let fresh = answer.json()["refresh_token"].clone();
            fresh.as_str().unwrap().to_owned()
        })
    }
}

async fn a_journey_is_counted(product: Product) {
    let inviter = User::new(&product, &phone(1)).await;
    let user = User::new(&product, &phone(2)).await;
    for code in [
        &inviter.invite_code,
        &inviter.invite_code,
        &user.invite_code,
    ] {
        product.activate(&user.token, code).await;
    }
    product.activate(&user.token, "zzzzzz").await;

    let (code, challenge) = product.request_code(&phone(1)).await;
    for wrong in ["99999999", "x"] {
        assert_eq!(product.verify(wrong, &challenge).await.status, 400);
    }
    let signed_in = product.verify(&code, &challenge).await.json();
    let first = signed_in["refresh_token"].as_str().unwrap().to_owned();
    let second = product.refresh(&first).await.unwrap();
    product.refresh(&second).await.unwrap();
    assert_eq!(product.refresh(&first).await, None, "it is replayed");
    assert_eq!(product.refresh("nonsense").await, None);

    let body = json!({ "phone_number": "+7" });
    product
        .send("POST", "/api/v1/auths/", None, Some(body))
        .await;
    let ended = product
        .send(
            "DELETE",
            "/api/v1/auths/?all=true",
            Some(&inviter.token),
            None,
        )
        .await;
    assert_eq!(ended.status, 204);
    for _ in 0..2 {
        let erased = product
            .send("DELETE", "/api/v1/personal-area/", Some(&user.token), None)
            .await;
        assert_eq!(erased.status, 204);
    }

    let scrape = product.scrape().await;
    scrape.assert(&[
        (r#"customauth_codes_requested_total{outcome="sent"}"#, 3.0),
        (r#"customauth_codes_requested_total{outcome="invalid"}"#, 1.0),
        (r#"customauth_codes_requested_total{outcome="limited"}"#, 0.0),
        (r#"customauth_sign_ins_total{outcome="new_user"}"#, 2.0),
        (r#"customauth_sign_ins_total{outcome="returning"}"#, 1.0),
        (r#"customauth_sign_ins_total{outcome="refused"}"#, 1.0),
        (r#"customauth_sign_ins_total{outcome="malformed"}"#, 1.0),
        (r#"customauth_token_refreshes_total{outcome="refreshed"}"#, 2.0),
        (r#"customauth_token_refreshes_total{outcome="replayed"}"#, 1.0),
        (r#"customauth_token_refreshes_total{outcome="refused"}"#, 1.0),
        (r#"customauth_sessions_ended_total{cause="replayed"}"#, 1.0),
        (r#"customauth_sessions_ended_total{cause="sign_out"}"#, 1.0),
        ("customauth_users_erased_total", 1.0),
        (r#"customauth_invites_activated_total{outcome="activated"}"#, 1.0),
        (r#"customauth_invites_activated_total{outcome="already_set"}"#, 1.0),
        (r#"customauth_invites_activated_total{outcome="own_code"}"#, 1.0),
        (r#"customauth_invites_activated_total{outcome="unknown_code"}"#, 1.0),
        (r#"customauth_http_requests_total{method="PATCH",route="/api/v1/auths",status="200"}"#, 3.0),
        (r#"customauth_http_request_duration_seconds_count{method="POST",route="/api/v1/auths"}"#, 4.0),
        (r#"customauth_grpc_requests_total{code="OK",method="VerifyCode",service="auth-service"}"#, 3.0),
        (r#"customauth_grpc_requests_total{code="OK",method="CreateProfile",service="profile-service"}"#, 2.0),
        (r#"customauth_client_calls_total{code="OK",method="CreateProfile",service="auth-service",to="profile-service"}"#, 2.0),
        (r#"customauth_errors_total{reason="INVITE_CODE_OWN",service="gateway"}"#, 1.0),
        (r#"customauth_errors_total{reason="INVITE_CODE_OWN",service="profile-service"}"#, 1.0),
        ("customauth_http_requests_in_flight", 1.0),
        (r#"customauth_grpc_requests_in_flight{service="auth-service"}"#, 0.0),
    ]);
    let writes = r#"customauth_database_request_duration_seconds_count{kind="write",service="auth-service"}"#;
    assert!(scrape.value(writes) >= 3.0);
    let postgres = scrape.0.contains(r#"pool="postgres""#);
    if postgres {
        let answered = r#"customauth_redis_questions_total{outcome="answered"}"#;
        assert!(scrape.value(answered) >= 10.0);
        let most = r#"customauth_database_connections{pool="postgres",service="auth-service",state="max"}"#;
        scrape.assert(&[(most, 16.0)]);
    } else {
        let most = r#"customauth_database_connections{pool="writer",service="profile-service",state="max"}"#;
        scrape.assert(&[(most, 1.0)]);
    }
}

async fn no_client_is_found_in_it(product: Product) {
    let user = User::new(&product, &phone(1)).await;
    let (code, challenge) = product.request_code(&phone(1)).await;
    product.verify("999999", &challenge).await;
    let id = product
        .get("/api/v1/auths/sessions/", Some(&user.token))
        .await;
    let id = id.json()["sessions"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/auths/sessions/{id}/");
    product.send("DELETE", &path, Some(&user.token), None).await;
    product.get(&format!("/{}", phone(1)), None).await;

    let scrape = product.scrape().await;
    let number = phone(1);
    let address = "127.0.0.1";
    let secrets = [
        number.trim_start_matches('+'),
        address,
        &user.invite_code,
        &user.token,
        &challenge,
        &id,
    ];
    for secret in secrets {
        assert!(!scrape.0.contains(secret), "{secret} in\n{}", scrape.0);
    }
    // It may be a number by chance, but no label.
    assert!(!scrape.0.contains(&format!("\"{code}\"")));
}

async fn what_nobody_knows_makes_no_series(product: Product) {
    for line in [("BREW", "/"), ("GET", "/x"), ("BREW", "/x")] {
        product.send(line.0, line.1, None, None).await;
    }
    // The parts call each other meanwhile; of these requests the gateway tells.
    let series = async || {
        let scrape = product.scrape().await;
        let own = |sample: &&str| sample.starts_with("customauth_http_");
        scrape.samples().filter(own).count()
    };
    series().await;
    let before = series().await;
    for each in 0..500 {
        product.get(&format!("/{each}/x"), None).await;
        let method = format!("M{each}");
        product.send(&method, &format!("/{each}"), None, None).await;
    }
    assert_eq!(series().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_shows() {
    let (postgres, redis) = (PrivatePostgres::shared(), PrivateRedis::start());
    let auth = postgres.create_database("auth");
    let profile = postgres.create_database("profile");
    let product = Product::on(&auth, &profile, &redis.url(), &[]).await;
    redis.stop();
    let body = json!({ "phone_number": phone(1) });
    let path = "/api/v1/auths/";
    let refused = product.send("POST", path, None, Some(body)).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    let scrape = product.scrape().await;
    let unreachable = r#"customauth_redis_questions_total{outcome="unreachable"}"#;
    assert!(scrape.value(unreachable) >= 1.0, "{}", scrape.0);
    scrape.assert(&[
        (
            r#"customauth_codes_requested_total{outcome="unavailable"}"#,
            1.0,
        ),
        (
            r#"customauth_http_requests_total{method="POST",route="/api/v1/auths",status="503"}"#,
            1.0,
        ),
    ]);
    for service in ["auth-service", "gateway"] {
        let reason = r#"customauth_errors_total{reason="DEPENDENCY_UNAVAILABLE",service="#;
        assert!(scrape.value(&format!("{reason}\"{service}\"}}")) >= 1.0);
    }
}

const ON_A_FREE_PORT: &str = "--metrics-listen=127.0.0.1:0";

fn page(address: &str) -> String {
    format!("http://{address}/metrics")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_three_programs_tells_its_own() {
    let mut trio = Trio::with("0", &[ON_A_FREE_PORT]);
    let [gateway, auth, profile] = [&mut trio.gateway, &mut trio.auth, &mut trio.profile]
        .map(|program| page(&program.line_after("metrics on ")));
    sign_in(&trio.base, "+77777777766").await;
    let public = format!("{}/metrics", trio.base);
    assert_eq!(request("GET", &public, &[], "").await.status, 404);

    let gateway = Scrape::of(&gateway).await;
    gateway.assert(&[(
        r#"customauth_http_requests_total{method="PATCH",route="/api/v1/auths",status="200"}"#,
        1.0,
    )]);
    assert!(!gateway.0.contains("sign_ins_total"), "{}", gateway.0);
    let auth = Scrape::of(&auth).await;
    auth.assert(&[
        (r#"customauth_sign_ins_total{outcome="new_user"}"#, 1.0),
        (r#"customauth_grpc_requests_total{code="OK",method="RequestCode",service="auth-service"}"#, 1.0),
    ]);
    assert!(!auth.0.contains("profile-service\",method"), "{}", auth.0);
    let profile = Scrape::of(&profile).await;
    profile.assert(&[(
        r#"customauth_grpc_requests_total{code="OK",method="CreateProfile",service="profile-service"}"#,
        1.0,
    )]);
    assert!(!profile.0.contains("customauth_http_"), "{}", profile.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_can_be_read_until_the_last_request_is_answered() {
    let data = tempfile::tempdir().unwrap();
    let mut slow = customauth(data.path());
    slow.arg(ON_A_FREE_PORT).env("AUTH_SMS_DELAY_MS", "4000");
    let mut process = Process::start(slow);
    let base = process.line_after("HTTP/JSON");
    let metrics = process.line_after("metrics ");
    ready(&base).await;
    assert_eq!(
        request("GET", &format!("{base}/metrics"), &[], "")
            .await
            .status,
        404
    );
    let auths = format!("{base}/api/v1/auths/");
    let waiting = tokio::spawn(async move {
        let body = json!({ "phone_number": "+77777777766" }).to_string();
        let json = [("content-type", "application/json")];
        request("POST", &auths, &json, body).await.status
    });
    let in_flight = "customauth_http_requests_in_flight";
    for _ in 0..200 {
        if Scrape::of(&metrics).await.value(in_flight) > 0.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    process.signal("-TERM");
    let address = base.trim_start_matches("http://");
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(address).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The gateway is closed, and still at it.
    Scrape::of(&metrics).await.assert(&[(in_flight, 1.0)]);
    assert!(!waiting.is_finished());
    assert_eq!(waiting.await.unwrap(), 200);
    let (status, stderr) = process.end(END);
    assert_eq!(status, Some(0), "{stderr}");
    let address = metrics
        .trim_start_matches("http://")
        .trim_end_matches("/metrics");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[test]
fn a_wrong_or_taken_address_is_one_clear_line() {
    let data = tempfile::tempdir().unwrap();
    let directory = format!("--data-dir={}", data.path().display());
    let line = complaint("customauth", &["--metrics-listen=9464", &directory]);
    assert!(line.contains("--metrics-listen"), "{line}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut gateway = command("gateway");
    gateway
        .args([
            "--gateway-listen=127.0.0.1:0",
            crate::common::processes::GATEWAY_KEY,
        ])
        .args([
            "--auth-url=http://127.0.0.1:1",
            "--profile-url=http://127.0.0.1:1",
        ])
        .arg(format!("--metrics-listen={address}"));
    for mut program in [customauth(data.path()), gateway] {
        program.env("METRICS_LISTEN", address.to_string());
        let output = program.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let start = format!("error: METRICS_LISTEN: cannot listen on {address}: ");
        assert!(stderr.starts_with(&start), "{stderr}");
    }
}

/// A row of docs/metrics.md's tables: a name and its labels.
fn row(line: &str) -> Option<(String, Labels)> {
    let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
    let name = cells.next()?.strip_suffix('`')?.to_owned();
    let labels = cells.next()?.split(", ").filter(|label| !label.is_empty());
    let labels = labels.map(|label| label.trim_matches('`').to_owned());
    Some((name, labels.collect()))
}

/// What the product has with these settings, after somebody signed in.
async fn served(product: Product) -> Families {
    User::new(&product, &phone(1)).await;
    product.get("/nothing", None).await;
    product.scrape().await;
    product.scrape().await.families()
}

/// The same with messages that are really sent, or not: to each family of theirs
/// something has happened.
async fn served_with_a_provider() -> Families {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let limits = [
        "--auth-sms-countries=+7",
        "--auth-sms-prices=*=0.10",
        "--auth-sms-daily-cost=*=100",
    ];
    let flags = sms::flags("webhook", &receiver, &receiver);
    let product = sms::product(&flags, &limits).await;
    for (number, status) in [(sms::phone(1), 200), ("+4915123456789".to_owned(), 429)] {
        let asked = sms::ask(&product, &number).await;
        assert_eq!(asked.status, status, "{}", asked.body);
    }
    receiver.messages(1).await;
    let delivered = r#"customauth_sms_messages_total{outcome="delivered"} 1"#;
    for _ in 0..500 {
        let scrape = product.scrape().await;
        if scrape.0.contains(delivered) {
            return scrape.families();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing was delivered within 10 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_lists_all_that_there_is_and_nothing_else() {
    let page = include_str!("../../docs/metrics.md");
    let listed: BTreeMap<String, Labels> = page.lines().filter_map(row).collect();
    let mut there = served(Product::embedded(&[]).await).await;
    there.extend(served(Product::servers(&[]).await).await);
    for (name, labels) in served_with_a_provider().await {
        if name.starts_with("customauth_sms_") {
            assert!(labels.is_some(), "nothing happened to {name}");
            there.insert(name, labels);
        }
    }
    let names: BTreeSet<_> = listed.keys().collect();
    assert_eq!(names, there.keys().collect());
    for (name, labels) in &there {
        // Of what has counted nothing yet, the labels do not show.
        if let Some(labels) = labels {
            assert_eq!(labels, &listed[name], "the labels of {name}");
        }
    }

    // What it says elsewhere, in the alerts, is there too.
    let words = page.split(|each: char| !each.is_ascii_alphanumeric() && each != '_');
    for word in words.filter(|word| word.starts_with("customauth_")) {
        let family = word.strip_suffix("_bucket").unwrap_or(word);
        assert!(there.contains_key(family), "{word}");
    }
}
