//! With a real provider the code is in no answer and no log, and neither are the
//! secrets that providers know us by.

use serde_json::json;

use super::{
    SECRET, TOKEN, code, flags, phone,
    receivers::{Receiver, Reply},
};
use crate::{
    common::{
        http::{ready, request},
        processes::{END, Process, command},
    },
    programs::complaint,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_and_text_are_in_no_answer_and_no_log() {
    let (webhook, twilio) = (
        Receiver::start(&[Reply::Takes, Reply::Status(422)]).await,
        Receiver::start(&[Reply::Error(429, 20429), Reply::Takes]).await,
    );
    let data = tempfile::tempdir().unwrap();
    let mut customauth = command("customauth");
    customauth
        .env("RUST_LOG", "trace")
        .args(["--gateway-listen=127.0.0.1:0", "--auth-listen=127.0.0.1:0"])
        .args(["--profile-listen=127.0.0.1:0", "--data-dir"])
        .arg(data.path())
        .args(flags("webhook,twilio", &webhook, &twilio))
        // Long enough not to turn up by chance.
        .arg("--auth-otp-length=10");
    let mut process = Process::start(customauth);
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    let url = format!("{base}/api/v1/auths/");
    let mut answers = Vec::new();
    for each in 0..3 {
        let body = json!({ "phone_number": phone(each) }).to_string();
        let json = [("content-type", "application/json")];
        let asked = request("POST", &url, &json, body).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        answers.push(format!("{:?}{}", asked.headers, asked.body));
        // In order, so that each of the scripts is played.
        webhook.requests(each + 1).await;
    }
    twilio.messages(2).await;
    process.signal("-TERM");
    let (status, log) = process.end(END);
    assert_eq!(status, Some(0));
    assert!(log.contains("TRACE") && log.contains("outcome=\"delivered\""));
    let mut secrets = vec![TOKEN.to_owned(), SECRET["whsec_".len()..].to_owned()];
    for sent in webhook.sent().into_iter().chain(twilio.sent()) {
        let digits = code(&sent.text);
        let told = answers.iter().find(|answer| answer.contains(&digits));
        assert_eq!(told, None, "the code is in an answer");
        // As it is, and as it is in a form.
        secrets.extend([digits, sent.text.clone(), sent.text.replace(' ', "+")]);
        secrets.push(sent.to.trim_start_matches('+').to_owned());
    }
    assert_eq!(secrets.len(), 2 + 3 * 4);
    for secret in secrets {
        let found = log.lines().find(|line| line.contains(&secret));
        assert_eq!(found, None, "{secret} is in the log");
    }
}

#[test]
fn what_a_provider_needs_and_is_not_there_is_one_line() {
    let data = tempfile::tempdir().unwrap();
    let directory = format!("--data-dir={}", data.path().display());
    let anywhere = ["gateway", "auth", "profile"].map(|it| format!("--{it}-listen=127.0.0.1:0"));
    let said = |flags: &[&str]| {
        let mut all: Vec<&str> = anywhere.iter().map(String::as_str).collect();
        all.push(&directory);
        all.extend(flags);
        complaint("customauth", &all)
    };
    let url = "--auth-sms-webhook-url=https://sms.example.com/hunter2";
    for (flags, line) in [
        (
            &["--auth-sms=webhook"][..],
            "error: AUTH_SMS_WEBHOOK_URL is not set",
        ),
        (
            &["--auth-sms=webhook", url],
            "error: AUTH_SMS_WEBHOOK_SECRET is not set",
        ),
        (
            &[
                "--auth-sms=webhook",
                url,
                "--auth-sms-webhook-secret=hunter2",
            ],
            "error: AUTH_SMS_WEBHOOK_SECRET: expected whsec_",
        ),
        (
            &["--auth-sms=twilio"],
            "error: AUTH_SMS_TWILIO_ACCOUNT is not set",
        ),
        (
            &[
                "--auth-sms=twilio",
                "--auth-sms-twilio-account=AC1",
                "--auth-sms-twilio-token=hunter2",
            ],
            "error: AUTH_SMS_TWILIO_FROM is not set",
        ),
    ] {
        let told = said(flags);
        assert!(told.starts_with(line), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn help_shows_none_of_it() {
    for program in ["customauth", "auth-service"] {
        let mut asked = command(program);
        asked.arg("--help");
        for name in ["WEBHOOK_URL", "WEBHOOK_SECRET", "TWILIO_TOKEN"] {
            asked.env(format!("AUTH_SMS_{name}"), "hunter2");
        }
        let manual = String::from_utf8(asked.output().unwrap().stdout).unwrap();
        assert!(manual.contains("AUTH_SMS_TWILIO_TOKEN"), "{manual}");
        assert!(!manual.contains("hunter2"), "{manual}");
    }
}
