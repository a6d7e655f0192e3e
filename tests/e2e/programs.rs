//! The four programs: their settings, their start and their end.

use std::{process::Command, time::Duration};

use serde_json::json;
use testkit::{PrivatePostgres, PrivateRedis};

use crate::common::{
    http::{Answer, ready, request, try_request},
    processes::{END, GATEWAY_KEY, PEPPER, Process, SERVICE_KEY, SIGNING_KEY, command},
};

/// All flags of auth-service; the tests leave one out.
fn auth_flags() -> Vec<&'static str> {
    vec![
        "--auth-listen=127.0.0.1:0",
        "--auth-database-url=sqlite:///nonexistent/auth.db",
        "--auth-redis-url=memory://",
        "--profile-url=http://127.0.0.1:1",
        "--auth-sms=simulated",
        SERVICE_KEY,
        GATEWAY_KEY,
        PEPPER,
        SIGNING_KEY,
    ]
}

/// The one line that a program says of wrong settings.
pub(crate) fn complaint(program: &str, flags: &[&str]) -> String {
    let output = command(program).args(flags).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{flags:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

#[test]
fn a_missing_setting_is_one_clear_line_and_exit_2() {
    let required = [
        ("--auth-database-url", "AUTH_DATABASE_URL"),
        ("--auth-redis-url", "AUTH_REDIS_URL"),
        ("--profile-url", "PROFILE_URL"),
        ("--auth-sms", "AUTH_SMS"),
        ("--service-key", "SERVICE_KEY"),
        ("--gateway-key", "GATEWAY_KEY"),
        ("--auth-code-pepper", "AUTH_CODE_PEPPER"),
        ("--auth-signing-key", "AUTH_SIGNING_KEY"),
    ];
    for (flag, name) in required {
        let mut flags = auth_flags();
        flags.retain(|each| !each.starts_with(&format!("{flag}=")));
        assert_eq!(flags.len(), auth_flags().len() - 1, "{flag}");
        let line = complaint("auth-service", &flags);
        assert!(
            line.starts_with(&format!("error: {name} is not set")),
            "{line}"
        );
    }
    let line = complaint("profile-service", &[]);
    assert!(
        line.starts_with("error: PROFILE_DATABASE_URL is not set"),
        "{line}"
    );
    let line = complaint("gateway", &[]);
    assert!(line.starts_with("error: AUTH_URL is not set"), "{line}");
}

#[test]
fn a_wrong_setting_is_one_clear_line_and_exit_2() {
    for (flag, name) in [
        ("--gateway-listen=here", "--gateway-listen"),
        ("--auth-otp-length=3", "--auth-otp-length"),
        ("--auth-otp-length=11", "--auth-otp-length"),
        ("--auth-otp-ttl-secs=0", "--auth-otp-ttl-secs"),
        ("--auth-access-ttl-secs=601", "--auth-access-ttl-secs"),
        ("--auth-sms-delay-ms=2-1", "--auth-sms-delay-ms"),
        ("--auth-sms=pigeon", "--auth-sms"),
        ("--auth-bare-codes=maybe", "--auth-bare-codes"),
        ("--auth-database-url=mysql://x", "AUTH_DATABASE_URL"),
        ("--auth-redis-url=http://x", "AUTH_REDIS_URL"),
        ("--auth-code-pepper=c2VjcmV0", "AUTH_CODE_PEPPER"),
        ("--auth-signing-key=/nonexistent", "AUTH_SIGNING_KEY"),
        (
            "--gateway-trusted-proxies=10.0.0.0/99",
            "--gateway-trusted-proxies",
        ),
        ("--cors-origins=example", "--cors-origins"),
        ("--rust-log==x=", "RUST_LOG"),
        ("--nonsense", "--nonsense"),
    ] {
        let data = tempfile::tempdir().unwrap();
        let directory = format!("--data-dir={}", data.path().display());
        let mut flags = vec![flag, &directory, "--auth-listen=127.0.0.1:0"];
        flags.push("--profile-listen=127.0.0.1:0");
        if !flag.starts_with("--gateway-listen") {
            flags.push("--gateway-listen=127.0.0.1:0");
        }
        let line = complaint("customauth", &flags);
        assert!(line.contains(name), "{line}");
        assert!(!line.contains("c2VjcmV0"), "a secret is shown: {line}");
    }
}

#[test]
fn simulated_codes_for_others_have_to_be_asked_for() {
    let data = tempfile::tempdir().unwrap();
    let directory = format!("--data-dir={}", data.path().display());
    let line = complaint("customauth", &["--gateway-listen=0.0.0.0:0", &directory]);
    assert!(line.contains("AUTH_SMS"), "{line}");
}

#[test]
fn help_is_the_manual_and_shows_no_secret() {
    for program in ["customauth", "auth-service", "profile-service", "gateway"] {
        let mut asked = command(program);
        asked
            .arg("--help")
            .env("SERVICE_KEY", "hunter2")
            .env("GATEWAY_KEY", "hunter2");
        let output = asked
            .env("AUTH_REDIS_URL", "redis://:hunter2@x")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        let manual = String::from_utf8(output.stdout).unwrap();
        assert!(manual.contains("_LISTEN"), "{manual}");
        assert!(!manual.contains("hunter2"), "{manual}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_one_data_directory_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let start = || customauth(data.path());
    let mut first = Process::start(start());
    let base = first.line_after("HTTP/JSON");
    let user = sign_in(&base, "+77777777766").await;
    let second = start().output().unwrap();
    let stderr = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("in use by another process"), "{stderr}");
    // The first one goes on.
    profile(&base, &user).await;
    sign_in(&base, "+77777777767").await;
}

pub(crate) fn customauth(data: &std::path::Path) -> Command {
    let mut customauth = command("customauth");
    customauth
        .args(["--gateway-listen=127.0.0.1:0", "--auth-listen=127.0.0.1:0"])
        .args(["--profile-listen=127.0.0.1:0"])
        .env("AUTH_SMS_DELAY_MS", "0")
        .arg("--data-dir")
        .arg(data);
    customauth
}

async fn send(method: &str, url: &str, token: Option<&str>, body: serde_json::Value) -> Answer {
    let bearer = format!("Bearer {}", token.unwrap_or_default());
    let mut headers = vec![("content-type", "application/json")];
    if token.is_some() {
        headers.push(("authorization", &bearer));
    }
    let body = if method == "GET" {
        String::new()
    } else {
        body.to_string()
    };
    request(method, url, &headers, body).await
}

/// Signs in by the code alone; the access token.
pub(crate) async fn sign_in(base: &str, phone: &str) -> String {
    let auths = format!("{base}/api/v1/auths/");
    ready(base).await;
    let asked = send("POST", &auths, None, json!({ "phone_number": phone })).await;
    let answer = send("PATCH", &auths, None, json!({ "otp": asked.code() })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn profile(base: &str, token: &str) -> serde_json::Value {
    let url = format!("{base}/api/v1/personal-area/");
    let answer = send("GET", &url, Some(token), json!(null)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

async fn activate(base: &str, token: &str, code: &serde_json::Value) {
    let url = format!("{base}/api/v1/personal-area/");
    let answer = send("PATCH", &url, Some(token), json!({ "invited_by": code })).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let mut first = Process::start(customauth(data.path()));
    let base = first.line_after("HTTP/JSON");
    let inviter = sign_in(&base, "+77777777766").await;
    let code = profile(&base, &inviter).await["invite_code"].clone();
    let user = sign_in(&base, "+77777777767").await;
    activate(&base, &user, &code).await;
    first.signal("-KILL");
    first.end(END);

    let mut second = Process::start(customauth(data.path()));
    let base = second.line_after("HTTP/JSON");
    assert_eq!(profile(&base, &user).await["invited_by"], code);
    let found = profile(&base, &inviter).await;
    assert_eq!(found["invite_code"], code);
    assert_eq!(found["followers"], json!(["+77777777767"]));
    second.signal("-TERM");
    let (status, stderr) = second.end(END);
    assert_eq!(status, Some(0), "{stderr}");
}

/// How much of the memory is a process's own, in KiB.
fn resident(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let size = line.unwrap().split_whitespace().nth(1);
    size.unwrap().parse().unwrap()
}

/// How many wait at once. `WAITING=10000` is what is promised; a debug build on
/// a busy machine has a hard time with it.
#[expect(clippy::disallowed_methods, reason = "a setting of the test alone")]
fn waiting() -> usize {
    let set = std::env::var("WAITING").ok();
    set.map_or(2_000, |set| set.parse().unwrap())
}

/// The number of threads of a process.
fn threads(process: &Process) -> usize {
    let tasks = format!("/proc/{}/task", process.0.id());
    std::fs::read_dir(tasks).unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_wait_for_their_message_without_a_thread_each() {
    let waiting = waiting();
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut slow = customauth(data.path());
    // As long as it takes to begin them all, and a little more.
    let delay = 3_000 + waiting / 2;
    slow.arg(format!("--auth-sms-delay-ms={delay}"));
    slow.arg("--rust-log=warn");
    let mut process = Process::start(slow);
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    let before = threads(&process);
    let empty = resident(&process);
    let requests: Vec<_> = (0..waiting)
        .map(|each| {
            let auths = format!("{base}/api/v1/auths/");
            let body = json!({ "phone_number": format!("+7701{each:07}") });
            tokio::spawn(async move { send("POST", &auths, None, body).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1500 + waiting as u64 / 2)).await;
    let each = (resident(&process) - empty) * 1024 / waiting;
    println!("{waiting} requests wait, with {each} bytes each");
    let finished = requests.iter().filter(|request| request.is_finished());
    assert_eq!(finished.count(), 0, "all of them wait at once");
    // A stray one may have been started by a store.
    assert!(
        threads(&process) <= before + 4,
        "{before}: {}",
        threads(&process)
    );
    let mut codes = std::collections::HashSet::new();
    for request in requests {
        let answer = request.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        codes.insert(answer.code());
    }
    assert_eq!(
        codes.len(),
        waiting,
        "the codes at one address are distinct"
    );
}

/// The three services as processes on PostgreSQL and Redis.
pub(crate) struct Trio {
    pub(crate) auth: Process,
    pub(crate) profile: Process,
    pub(crate) gateway: Process,
    pub(crate) base: String,
    profile_flags: Vec<String>,
}

impl Trio {
    fn start(delay: &str) -> Self {
        Self::with(delay, &[])
    }

    /// With further flags for all of them.
    pub(crate) fn with(delay: &str, flags: &[&str]) -> Self {
        let postgres = PrivatePostgres::shared();
        let redis = PrivateRedis::shared().url();
        let auth_port = testkit::free_port();
        let profile_port = testkit::free_port();
        let auth_url = format!("--auth-url=http://127.0.0.1:{auth_port}");
        let profile_url = format!("--profile-url=http://127.0.0.1:{profile_port}");

        let mut profile_flags = vec![
            format!("--profile-listen=127.0.0.1:{profile_port}"),
            format!(
                "--profile-database-url={}",
                postgres.create_database("profile")
            ),
            auth_url.clone(),
            SERVICE_KEY.to_owned(),
        ];
        profile_flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        let profile = start_profile(&profile_flags);

        let mut auth = command("auth-service");
        auth.args(flags);
        auth.arg(format!("--auth-listen=127.0.0.1:{auth_port}"))
            .args([&profile_url, SERVICE_KEY, GATEWAY_KEY, PEPPER, SIGNING_KEY])
            .args([
                "--auth-sms=simulated",
                &format!("--auth-sms-delay-ms={delay}"),
            ])
            .arg(format!("--auth-redis-url={redis}"))
            .arg(format!(
                "--auth-database-url={}",
                postgres.create_database("auth")
            ));
        let mut auth = Process::start(auth);
        auth.line_after("listens on");

        let mut gateway = command("gateway");
        gateway.args([
            "--gateway-listen=127.0.0.1:0",
            &auth_url,
            &profile_url,
            GATEWAY_KEY,
        ]);
        gateway.args(flags);
        let mut gateway = Process::start(gateway);
        let base = gateway.line_after("listens on");
        Self {
            auth,
            profile,
            gateway,
            base,
            profile_flags,
        }
    }
}

fn start_profile(flags: &[String]) -> Process {
    let mut profile = command("profile-service");
    profile.args(flags);
    let mut profile = Process::start(profile);
    profile.line_after("listens on");
    profile
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_is_finished_when_profile_service_is_back() {
    let mut trio = Trio::start("0");
    let base = trio.base.clone();
    let erase = async |token: &str| {
        let url = format!("{base}/api/v1/personal-area/");
        let bearer = format!("Bearer {token}");
        request("DELETE", &url, &[("authorization", &bearer)], "").await
    };
    let inviter = sign_in(&base, "+77777777766").await;
    let code = profile(&base, &inviter).await["invite_code"].clone();
    let patient = sign_in(&base, "+77777777767").await;
    let hasty = sign_in(&base, "+77777777768").await;
    for user in [&patient, &hasty] {
        activate(&base, user, &code).await;
    }

    trio.profile.signal("-KILL");
    trio.profile.0.wait().unwrap();
    for user in [&patient, &hasty] {
        let half_done = erase(user).await;
        assert_eq!(half_done.status, 503, "{}", half_done.body);
        assert!(half_done.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
    trio.profile = start_profile(&trio.profile_flags);
    ready(&base).await;
    // One comes again with the same token, and is told that it is done.
    for _ in 0..2 {
        let done = erase(&hasty).await;
        assert_eq!(done.status, 204, "{}", done.body);
    }
    // The other's is finished by itself.
    for _ in 0..400 {
        if profile(&base, &inviter).await["followers"] == json!([]) {
            assert_eq!(erase(&patient).await.status, 204);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the erasure was not finished within 20 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_do_what_one_does() {
    let trio = Trio::start("0");
    let base = &trio.base;
    let inviter = sign_in(base, "+77777777766").await;
    let code = profile(base, &inviter).await["invite_code"].clone();
    let user = sign_in(base, "+77777777767").await;
    activate(base, &user, &code).await;
    let followers = &profile(base, &inviter).await["followers"];
    assert_eq!(*followers, json!(["+77777777767"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_are_answered_at_the_end_in_whatever_order() {
    let trio = Trio::start("1500");
    sign_in(&trio.base, "+77777777766").await;
    let auths = format!("{}/api/v1/auths/", trio.base);
    let waiting: Vec<_> = (0..20)
        .map(|each| {
            let auths = auths.clone();
            let body = json!({ "phone_number": format!("+770100000{each:02}") });
            tokio::spawn(async move { send("POST", &auths, None, body).await.status })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The callee first: what it has taken on, it answers.
    for process in [&trio.auth, &trio.profile, &trio.gateway] {
        process.signal("-TERM");
    }
    for request in waiting {
        assert_eq!(request.await.unwrap(), 200);
    }
    for process in [trio.auth, trio.profile, trio.gateway] {
        let (status, stderr) = process.end(END);
        assert_eq!(status, Some(0), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_at_once() {
    let data = tempfile::tempdir().unwrap();
    let mut customauth = customauth(data.path());
    customauth.env("AUTH_SMS_DELAY_MS", "6000");
    let mut process = Process::start(customauth);
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    let auths = format!("{base}/api/v1/auths/");
    let body = json!({ "phone_number": "+77777777766" }).to_string();
    let json = [("content-type", "application/json")];
    let waiting = tokio::spawn(async move { try_request("POST", &auths, &json, body).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.signal("-TERM");
    // It has heard the first one when it takes no more connections.
    let address = base.trim_start_matches("http://");
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!waiting.is_finished(), "the request is waited for");
    process.signal("-TERM");
    let (status, stderr) = process.end(Duration::from_secs(3));
    assert_eq!(status, Some(1), "{stderr}");
    assert!(waiting.await.unwrap().is_err(), "the connection broke");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_all_listeners_close_at_once_and_requests_in_flight_are_answered() {
    let data = tempfile::tempdir().unwrap();
    let mut customauth = customauth(data.path());
    customauth.env("AUTH_SMS_DELAY_MS", "2500");
    let mut process = Process::start(customauth);
    let base = process.line_after("HTTP/JSON");
    let address = |line: String| line.trim_end_matches(" (gRPC)").to_owned();
    let auth = address(process.line_after("auth-service"));
    let profile = address(process.line_after("profile-service"));
    ready(&base).await;
    let auths = format!("{base}/api/v1/auths/");
    let body = json!({ "phone_number": "+77777777766" });
    let waiting = tokio::spawn(async move { send("POST", &auths, None, body).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.signal("-TERM");
    tokio::time::sleep(Duration::from_millis(500)).await;
    for listener in [base.trim_start_matches("http://"), &auth, &profile] {
        let refused = tokio::net::TcpStream::connect(listener).await.is_err();
        assert!(refused, "{listener} takes new connections");
    }
    assert!(!waiting.is_finished());
    assert_eq!(waiting.await.unwrap().status, 200);
    let (status, stderr) = process.end(END);
    assert_eq!(status, Some(0), "{stderr}");
}
