//! What simulated delivery would have sent, at `/dev/messages`.

use kit::client::{Outgoing, channel};
use proto::auth::v1::{ListMessagesRequest, sandbox_service_client::SandboxServiceClient};
use serde_json::{Value, json};

use crate::{
    common::{
        Product,
        http::{Answer, ready, request},
        phone,
        processes::{END, Process},
    },
    programs::{complaint, customauth},
    sms::{
        self,
        receivers::{Receiver, Reply},
    },
    test_numbers::in_days,
};

crate::on_both_storages![a_message_is_there_with_its_code, the_last_hundred_are_there];

async fn messages(product: &Product) -> Vec<Value> {
    let answer = product.get("/dev/messages", None).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()["messages"].as_array().unwrap().clone()
}

async fn ask(product: &Product, phone: &str, language: &str) -> Answer {
    let headers = [
        ("content-type", "application/json"),
        ("accept-language", language),
    ];
    let body = json!({ "phone_number": phone }).to_string();
    let answer = request("POST", &product.url("/api/v1/auths/"), &headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

async fn a_message_is_there_with_its_code(product: Product) {
    assert!(messages(&product).await.is_empty());
    let english = ask(&product, &phone(1), "en-GB,en;q=0.9").await.code();
    let russian = ask(&product, &phone(2), "ru-RU,ru;q=0.9,en;q=0.8")
        .await
        .code();
    let listed = messages(&product).await;
    let expected = [
        (
            phone(2),
            format!("Ваш код: {russian}. Он действует 2 мин. Никому его не сообщайте."),
        ),
        (
            phone(1),
            format!("Your code is {english}. It is good for 2 min. Tell it to nobody."),
        ),
    ];
    assert_eq!(listed.len(), expected.len());
    for (message, (phone, text)) in listed.iter().zip(expected) {
        assert_eq!(message["phone_number"], phone);
        assert_eq!(message["text"], text);
        assert_eq!(message["segments"], 1);
        assert!(message["sent_at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(message.as_object().unwrap().len(), 4);
    }
    // By gRPC the same.
    let urls = format!("http://{}", product.addresses.auth)
        .parse()
        .unwrap();
    let channel = channel("auth-service", &urls, Outgoing::default());
    let listed = SandboxServiceClient::new(channel)
        .list_messages(ListMessagesRequest {})
        .await
        .unwrap()
        .into_inner()
        .messages;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].phone_number, phone(2));
    assert!(listed[0].text.contains(&russian));
    // The page and its parts are there too.
    for path in ["/dev", "/dev/", "/dev/sandbox.js", "/dev/sandbox.css"] {
        assert_eq!(product.get(path, None).await.status, 200, "{path}");
    }
}

async fn the_last_hundred_are_there(product: Product) {
    for each in 0..103 {
        ask(&product, &phone(each), "en").await;
    }
    let listed = messages(&product).await;
    assert_eq!(listed.len(), 100);
    for (message, each) in listed.iter().zip((3..103).rev()) {
        assert_eq!(message["phone_number"], phone(each));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_of_ones_own_is_sent_and_a_test_number_gets_none() {
    let until = format!("--auth-test-numbers-until={}", in_days(30));
    let product = Product::embedded(&[
        r"--auth-sms-template={code} for you\n\n@example.com #{code}",
        "--auth-test-numbers=+77000000001=9182",
        &until,
    ])
    .await;
    let code = ask(&product, "+77777777766", "ru").await.code();
    assert_eq!(ask(&product, "+77000000001", "ru").await.code(), "9182");
    let listed = messages(&product).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    let expected = format!("{code} for you\n\n@example.com #{code}");
    assert_eq!(listed[0]["text"], expected);
}

#[test]
fn a_wrong_or_dear_text_is_one_line_and_exit_2() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("texts");
    std::fs::write(
        &file,
        format!("[en]\n{{code}}\n[ru]\n{{code}}{}\n", "я".repeat(125)),
    )
    .unwrap();
    let dear = file.to_str().unwrap();
    let directory = format!("--data-dir={}", data.path().display());
    for (template, told) in [
        ("{code} {name}", "AUTH_SMS_TEMPLATE: in '{name}'"),
        (
            "/nonexistent",
            "AUTH_SMS_TEMPLATE: it is no text with {code} in it",
        ),
        (
            dear,
            "AUTH_SMS_TEMPLATE: the text in [ru] takes 3 segments in UCS-2 with the longest code, \
             and AUTH_SMS_MAX_SEGMENTS is 2",
        ),
    ] {
        let template = format!("--auth-sms-template={template}");
        let mut flags = vec![&*template, &directory, "--gateway-listen=127.0.0.1:0"];
        flags.extend(["--auth-listen=127.0.0.1:0", "--profile-listen=127.0.0.1:0"]);
        let line = complaint("customauth", &flags);
        assert!(line.contains(told), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_what_a_message_costs() {
    let data = tempfile::tempdir().unwrap();
    let mut process = Process::start(customauth(data.path()));
    ready(&process.line_after("HTTP/JSON")).await;
    process.signal("-TERM");
    let (_, log) = process.end(END);
    for cost in [
        r#"language="en" segments=1 encoding=GSM-7"#,
        r#"language="ru" segments=1 encoding=UCS-2"#,
    ] {
        assert!(log.contains(cost), "{log}");
    }
}

/// An answer without what differs from request to request.
fn shape(mut answer: Answer) -> (u16, Vec<(String, String)>, String) {
    for own in ["request-id", "date"] {
        answer.headers.remove(own);
    }
    let headers = answer.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}")));
    (answer.status, headers.collect(), answer.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_provider_there_is_no_such_path() {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let flags = sms::flags("webhook", &receiver, &receiver);
    let product = sms::product(&flags, &[]).await;
    assert_eq!(sms::ask(&product, &sms::phone(1)).await.status, 200);
    receiver.messages(1).await;
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
        let unknown = shape(product.send(method, "/nothing", None, None).await);
        if method == "GET" {
            assert_eq!(unknown.0, 404);
        }
        for path in [
            "/dev",
            "/dev/",
            "/dev/messages",
            "/dev/messages/",
            "/dev/sandbox.js",
            "/dev/sandbox.css",
        ] {
            let answer = product.send(method, path, None, None).await;
            assert_eq!(shape(answer), unknown, "{method} {path}");
        }
    }
}
