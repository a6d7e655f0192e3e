//! A message arrives with the right words, and its code signs in.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kit::{
    clock::{Clock as _, SystemClock},
    tls::{ServerFiles, ServerTls},
};
use ring::hmac;

use super::{
    SECRET, TOKEN, ask, code, flags, phone, product,
    receivers::{Receiver, Reply, Seen},
};
use crate::common::{Product, http::Answer};

const SAID: &str =
    r#"{"response":"We will sent code to you in sms, you have 2 minutes to confirm your number!"}"#;

/// The signature of a request, by the scheme's own words.
fn signature(seen: &Seen) -> String {
    let secret = STANDARD.decode(&SECRET["whsec_".len()..]).unwrap();
    let signed = format!(
        "{}.{}.{}",
        seen.header("webhook-id"),
        seen.header("webhook-timestamp"),
        seen.body
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    format!(
        "v1,{}",
        STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
    )
}

async fn sign_in(product: &Product, asked: &Answer, text: &str) {
    let challenge = asked.header("challenge-id");
    let answer = product.verify(&code(text), challenge).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

async fn a_webhook_gets_what_it_needs(servers: Option<()>) {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let flags = flags("webhook", &receiver, &receiver);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let product = match servers {
        Some(()) => Product::servers(&flags).await,
        None => Product::embedded(&flags).await,
    };
    let asked = ask(&product, &phone(1)).await;
    assert_eq!((asked.status, asked.body.as_str()), (200, SAID));
    assert_eq!(asked.header("resend-after"), "30");
    let sent = receiver.messages(1).await;
    assert_eq!(sent[0].to, phone(1));

    let seen = &receiver.seen()[0];
    let fields = seen.fields();
    assert_eq!(seen.path, "/send");
    assert_eq!(seen.header("webhook-signature"), signature(seen));
    for header in ["webhook-id", "idempotency-key"] {
        assert_eq!(seen.header(header), fields["id"]);
    }
    let now = SystemClock.now().seconds();
    let timestamp: i64 = seen.header("webhook-timestamp").parse().unwrap();
    assert!((now - 10..=now).contains(&timestamp));
    let expires_at: f64 = fields["expires_at"].parse().unwrap();
    let answer_by: f64 = fields["answer_by"].parse().unwrap();
    assert!(answer_by < expires_at, "{fields:?}");
    sign_in(&product, &asked, &sent[0].text).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_gets_what_it_needs_embedded() {
    a_webhook_gets_what_it_needs(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_gets_what_it_needs_on_servers() {
    a_webhook_gets_what_it_needs(Some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twilio_gets_its_form() {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let service = "--auth-sms-twilio-from=MG9752274e9e519418a7406176694466fa";
    let mut flags = flags("twilio", &receiver, &receiver);
    for (sender, name) in [
        ("+15005550006", "From"),
        (&service[23..], "MessagingServiceSid"),
    ] {
        flags.pop();
        flags.push(format!("--auth-sms-twilio-from={sender}"));
        let product = product(&flags, &[]).await;
        let before = receiver.sent().len();
        let asked = ask(&product, &phone(before)).await;
        assert_eq!((asked.status, asked.body.as_str()), (200, SAID));
        let sent = receiver.messages(before + 1).await.pop().unwrap();
        let seen = receiver.seen().pop().unwrap();
        let fields = seen.fields();
        assert_eq!(seen.path, "/2010-04-01/Accounts/AC0123/Messages.json");
        let credentials = STANDARD.encode(format!("AC0123:{TOKEN}"));
        assert_eq!(seen.header("authorization"), format!("Basic {credentials}"));
        assert_eq!((&fields["To"], &*fields[name]), (&phone(before), sender));
        let validity: u32 = fields["ValidityPeriod"].parse().unwrap();
        assert!((110..=120).contains(&validity), "{validity}");
        assert_eq!(fields.len(), 4, "{fields:?}");
        sign_in(&product, &asked, &sent.text).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_taken_is_tried_again_by_the_same_name() {
    for unwell in [408, 425, 429, 500, 502, 503] {
        let receiver = Receiver::start(&[Reply::Status(unwell), Reply::Takes]).await;
        let product = product(&flags("webhook", &receiver, &receiver), &[]).await;
        ask(&product, &phone(1)).await;
        let sent = receiver.messages(1).await;
        let seen = receiver.seen();
        assert_eq!(seen.len(), 2, "{unwell}");
        for header in ["webhook-id", "idempotency-key"] {
            assert_eq!(seen[0].header(header), seen[1].header(header));
        }
        for each in &seen {
            assert_eq!(each.header("webhook-signature"), signature(each));
            assert_eq!(each.fields()["text"], sent[0].text);
        }
    }
    let busy = Receiver::start(&[Reply::Error(429, 20429), Reply::Takes]).await;
    let product = product(&flags("twilio", &busy, &busy), &[]).await;
    ask(&product, &phone(1)).await;
    busy.messages(1).await;
    assert_eq!(busy.seen().len(), 2);
}

fn pem(kind: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(kind, der))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_of_ones_own_authority_is_trusted_when_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&cert, pem("CERTIFICATE", made.cert.der())).unwrap();
    std::fs::write(&key, pem("PRIVATE KEY", &made.signing_key.serialize_der())).unwrap();
    let files = ServerFiles {
        cert: Some(&cert),
        key: Some(&key),
        client_ca: None,
    };
    kit::crypto::install();
    let tls = || ServerTls::load("TEST", &files).unwrap();
    let secure = Receiver::start_with(&[Reply::Takes], tls()).await;
    let other = Receiver::start(&[Reply::Takes]).await;
    let flags = flags("webhook,twilio", &secure, &other);
    let ca = format!("--auth-sms-ca={}", cert.display());
    for (more, got_it, not) in [(&[&*ca][..], &secure, &other), (&[], &other, &secure)] {
        let before = not.seen().len();
        let product = product(&flags, more).await;
        ask(&product, &phone(1)).await;
        got_it.messages(1).await;
        assert_eq!(not.seen().len(), before);
    }
}
