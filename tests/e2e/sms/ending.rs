//! A full queue, and the end of a process that has messages in it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use kit::client::{self, Outgoing};
use proto::auth::v1::{RequestCodeRequest, auth_service_client::AuthServiceClient};
use serde_json::json;

use super::{
    ask, flags, phone, product,
    receivers::{Receiver, Reply},
};
use crate::common::{
    http::{Answer, ready, request},
    processes::{END, GATEWAY_KEY, PEPPER, Process, SERVICE_KEY, SIGNING_KEY, command},
};

/// A process that sends `at_once` and lets `queue` wait.
async fn start(receiver: &Receiver, at_once: usize, queue: usize) -> Program {
    let data = tempfile::tempdir().unwrap();
    let mut customauth = command("customauth");
    customauth
        .args(["--gateway-listen=127.0.0.1:0", "--auth-listen=127.0.0.1:0"])
        .args(["--profile-listen=127.0.0.1:0", "--data-dir"])
        .arg(data.path())
        .args(flags("webhook", receiver, receiver))
        .arg(format!("--auth-sms-at-once={at_once}"))
        .arg(format!("--auth-sms-queue={queue}"));
    let mut process = Process::start(customauth);
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    Program {
        process,
        base,
        _data: data,
    }
}

struct Program {
    process: Process,
    base: String,
    _data: tempfile::TempDir,
}

impl Program {
    async fn ask(&self, phone: &str) -> Answer {
        let url = format!("{}/api/v1/auths/", self.base);
        let body = json!({ "phone_number": phone }).to_string();
        request("POST", &url, &[("content-type", "application/json")], body).await
    }
}

/// auth-service by itself: nothing of this needs the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auth_service_by_itself_sends_what_is_queued() {
    let slow = Reply::TakesAfter(Duration::from_millis(500));
    let receiver = Receiver::start(&[slow]).await;
    let data = tempfile::tempdir().unwrap();
    let database = data.path().join("auth.db");
    let mut auth = command("auth-service");
    auth.args(["--auth-listen=127.0.0.1:0", "--auth-redis-url=memory://"])
        .arg(format!(
            "--auth-database-url=sqlite://{}",
            database.display()
        ))
        .arg("--profile-url=http://127.0.0.1:1")
        .args([SERVICE_KEY, GATEWAY_KEY, PEPPER, SIGNING_KEY])
        .args(flags("webhook", &receiver, &receiver))
        .arg("--auth-sms-at-once=1");
    let mut process = Process::start(auth);
    let address = process.line_after("auth-service listens on ");
    let urls = format!("http://{address}").parse().unwrap();
    let channel = client::channel("auth-service", &urls, Outgoing::default());
    let mut auth = AuthServiceClient::new(channel);
    for each in 0..4 {
        let request = RequestCodeRequest {
            phone_number: phone(each),
            ..RequestCodeRequest::default()
        };
        let asked = auth.request_code(request).await.unwrap().into_inner();
        assert_eq!(
            (asked.simulated_code, asked.resend_after_seconds),
            (None, 30)
        );
    }
    process.signal("-TERM");
    let (status, log) = process.end(END);
    assert_eq!(status, Some(0), "{log}");
    assert_eq!(receiver.sent().len(), 4);
    assert_eq!(told(&log, "delivered"), told(&log, "queued"), "{log}");
}

/// The ids of the messages that the log tells this of.
pub(super) fn told(log: &str, outcome: &str) -> BTreeSet<String> {
    let outcome = format!("event=\"sms\" outcome=\"{outcome}\"");
    let lines = log.lines().filter(|line| line.contains(&outcome));
    lines
        .map(|line| {
            let (_, rest) = line.split_once(" id=").unwrap();
            rest.split(' ').next().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_an_outage_and_nothing_is_spent() {
    let receiver = Receiver::start(&[Reply::Holds]).await;
    let limits = ["--auth-sms-at-once=1", "--auth-sms-queue=1"];
    let product = product(&flags("webhook", &receiver, &receiver), &limits).await;
    assert_eq!(ask(&product, &phone(1)).await.status, 200);
    receiver.requests(1).await;
    assert_eq!(ask(&product, &phone(2)).await.status, 200);
    for _ in 0..20 {
        let full = ask(&product, &phone(3)).await;
        assert_eq!(full.status, 503, "{}", full.body);
        assert_eq!(full.header("error-code"), "DEPENDENCY_UNAVAILABLE");
        assert!(full.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
    receiver.let_go();
    receiver.messages(2).await;
    // Neither the half minute nor the hour's 5 and 15 were begun, and the code
    // is a short one.
    let asked = ask(&product, &phone(3)).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    assert_eq!(asked.header("otp-length"), "4");
    assert_eq!(receiver.messages(3).await[2].to, phone(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_what_is_queued_is_sent() {
    let slow = Reply::TakesAfter(Duration::from_secs(1));
    let receiver = Receiver::start(&[slow]).await;
    let program = start(&receiver, 1, 100).await;
    for each in 0..5 {
        assert_eq!(program.ask(&phone(each)).await.status, 200);
    }
    assert!(receiver.sent().len() < 5, "some wait");
    program.process.signal("-TERM");
    let (status, log) = program.process.end(END);
    assert_eq!(status, Some(0), "{log}");
    assert_eq!(receiver.sent().len(), 5);
    assert_eq!(told(&log, "delivered").len(), 5, "{log}");
    assert_eq!(told(&log, "abandoned").len(), 0, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_before_the_end_is_told() {
    let receiver = Receiver::start(&[Reply::Takes, Reply::Holds]).await;
    let program = start(&receiver, 1, 100).await;
    for each in 0..4 {
        assert_eq!(program.ask(&phone(each)).await.status, 200);
    }
    receiver.requests(2).await;
    let began = Instant::now();
    program.process.signal("-TERM");
    let (status, log) = program.process.end(END);
    assert_eq!(status, Some(0), "{log}");
    assert!(began.elapsed() < END);
    assert_eq!(told(&log, "delivered").len(), 1, "{log}");
    let left: BTreeSet<_> = &told(&log, "queued") - &told(&log, "delivered");
    assert_eq!(told(&log, "abandoned"), left, "{log}");
    assert!(
        log.contains("could not be sent before the end messages=3"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_had_under_way_is_what_its_log_has_no_end_of() {
    const AT_ONCE: usize = 2;
    const QUEUE: usize = 5;
    let receiver = Receiver::start(&[Reply::Takes, Reply::Takes, Reply::Holds]).await;
    let mut program = start(&receiver, AT_ONCE, QUEUE).await;
    let mut answered = Vec::new();
    for each in 0.. {
        match program.ask(&phone(each)).await.status {
            200 => answered.push(phone(each)),
            503 => break,
            other => panic!("{other}"),
        }
        // Each is on its way before the next, as far as there is room.
        if each < 2 + AT_ONCE {
            receiver.requests(each + 1).await;
        }
    }
    program.process.signal("-KILL");
    program.process.0.wait().unwrap();
    let (_, log) = program.process.end(END);
    let (queued, delivered) = (told(&log, "queued"), told(&log, "delivered"));
    assert_eq!(queued.len(), answered.len(), "{log}");
    let sent = receiver.sent();
    let sent_ids: BTreeSet<_> = sent.iter().filter_map(|each| each.id.clone()).collect();
    assert_eq!(delivered, sent_ids);
    let lost = answered
        .iter()
        .filter(|&phone| sent.iter().all(|each| each.to != *phone));
    let without_end = queued.difference(&delivered).count();
    assert_eq!(lost.count(), without_end);
    // The most that can be lost.
    assert_eq!(without_end, QUEUE + AT_ONCE);
}
