//! The four programs: their settings, their start and their end.

mod ends;
mod trio;
mod waiting;

use std::{process::Command, time::Duration};

use serde_json::json;

use crate::common::{
    http::{Answer, ready, request, try_request},
    processes::{END, GATEWAY_KEY, PEPPER, Process, SERVICE_KEY, SIGNING_KEY, command},
};

pub(crate) use trio::Trio;

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
        ("--worker-threads=0", "--worker-threads"),
        ("--worker-threads=1025", "--worker-threads"),
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
fn a_process_has_as_many_threads_for_requests_as_it_is_told() {
    let workers = |threads: &str| {
        let data = tempfile::tempdir().unwrap();
        let mut program = customauth(data.path());
        program.env("WORKER_THREADS", threads);
        let mut process = Process::start(program);
        process.line_after("HTTP/JSON");
        let tasks = std::fs::read_dir(format!("/proc/{}/task", process.0.id())).unwrap();
        let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
        names
            .filter(|name| name.as_deref().is_ok_and(|name| name.starts_with("tokio")))
            .count()
    };
    // Threads for what blocks have the same name, and there are few of these.
    let few = workers("1");
    assert!(few < 20, "{few}");
    assert!(workers("40") >= 40);
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
