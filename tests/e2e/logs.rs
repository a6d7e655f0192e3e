//! No code, token or key in any log line, at any level; phone numbers masked.

use serde_json::json;
use testkit::{PrivatePostgres, PrivateRedis};

use crate::common::{
    http::{ready, request},
    processes::{END, Process, command},
};

/// Plays every kind of request against a program that logs all it can, and
/// looks for what must not be there.
async fn nothing_secret_is_logged(flags: &[String]) {
    let data = tempfile::tempdir().unwrap();
    let mut customauth = command("customauth");
    customauth
        .env("RUST_LOG", "trace")
        .args(["--gateway-listen=127.0.0.1:0", "--auth-listen=127.0.0.1:0"])
        .args(["--profile-listen=127.0.0.1:0", "--auth-sms-delay-ms=0"])
        .args(flags)
        .arg("--data-dir")
        .arg(data.path());
    let mut process = Process::start(customauth);
    let base = process.line_after("HTTP/JSON");
    let auths = format!("{base}/api/v1/auths/");
    let area = format!("{base}/api/v1/personal-area/");
    let json_type = ("content-type", "application/json");

    ready(&base).await;
    let mut secrets = Vec::new();
    let mut inviter = None;
    for phone in ["+77777777766", "+77777777767", "+77777777766"] {
        let body = json!({ "phone_number": phone }).to_string();
        let asked = request("POST", &auths, &[json_type], body).await;
        let code = asked.code();
        let id = asked.header("challenge-id").to_owned();
        let wrong = json!({ "otp": "999999", "challenge_id": id }).to_string();
        assert_eq!(
            request("PATCH", &auths, &[json_type], wrong).await.status,
            400
        );
        let cookie = format!("challenge={id}");
        let headers = [json_type, ("cookie", cookie.as_str())];
        let right = json!({ "otp": code }).to_string();
        let signed_in = request("PATCH", &auths, &headers, right).await;
        assert_eq!(signed_in.status, 200, "{}", signed_in.body);
        let tokens = signed_in.json();
        let access = tokens["access_token"].as_str().unwrap().to_owned();
        let bearer = format!("Bearer {access}");
        let headers = [json_type, ("authorization", bearer.as_str())];
        let profile = request("GET", &area, &headers, "").await;
        assert_eq!(profile.status, 200);
        let own = profile.json()["invite_code"].clone();
        let body = json!({ "invited_by": inviter.get_or_insert(own) }).to_string();
        request("PATCH", &area, &headers, body).await;
        // A token's last part alone would be enough to look for; its whole too.
        let signature = access.rsplit_once('.').unwrap().1.to_owned();
        secrets.extend([
            ("a challenge's id", id),
            ("an access token", signature),
            (
                "a refresh token",
                tokens["refresh_token"].as_str().unwrap().to_owned(),
            ),
            ("a phone number", phone.trim_start_matches('+').to_owned()),
            ("a code", format!("\"{code}\"")),
            ("a code", format!("={code} ")),
            ("a code", format!("use {code}")),
        ]);
    }
    for key in [
        "service-key",
        "gateway-key",
        "code-pepper",
        "signing-key.pem",
    ] {
        let text = std::fs::read_to_string(data.path().join(key)).unwrap();
        let longest = text.lines().max_by_key(|line| line.len()).unwrap();
        secrets.push(("a key", longest.to_owned()));
    }
    process.signal("-TERM");
    let (_, log) = process.end(END);
    assert!(
        log.contains("outcome=\"signed in\"") && log.contains("+77*******66"),
        "the log is there"
    );
    assert!(log.contains("TRACE"), "and speaks at every level");
    for (what, secret) in secrets {
        let found = log.lines().find(|line| line.contains(&secret));
        assert_eq!(found, None, "{what} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded() {
    nothing_secret_is_logged(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers() {
    let postgres = PrivatePostgres::shared();
    let flags = [
        format!("--auth-database-url={}", postgres.create_database("auth")),
        format!(
            "--profile-database-url={}",
            postgres.create_database("profile")
        ),
        format!("--auth-redis-url={}", PrivateRedis::shared().url()),
    ];
    nothing_secret_is_logged(&flags).await;
}
