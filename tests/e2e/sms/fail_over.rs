//! One provider is down, slow or refuses: the next one sends, in time, and
//! nobody gets a message twice.

use std::time::{Duration, Instant};

use super::{
    ask, code, flags, phone, product,
    receivers::{Receiver, Reply},
};

/// Both providers together have so long.
const DEADLINE: &str = "--auth-sms-deadline-secs=4";
const SLOW: Reply = Reply::TakesAfter(Duration::from_millis(2_500));

/// The first of `order` is in trouble.
async fn the_second_sends(order: &str, trouble: Receiver) {
    let well = Receiver::start(&[Reply::Takes]).await;
    let flags = match order {
        "webhook,twilio" => flags(order, &trouble, &well),
        _ => flags(order, &well, &trouble),
    };
    let product = product(&flags, &[DEADLINE]).await;
    let began = Instant::now();
    let asked = ask(&product, &phone(1)).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    assert!(began.elapsed() < Duration::from_secs(1), "it does not wait");
    let sent = well.messages(1).await;
    assert!(began.elapsed() < Duration::from_secs(4));
    let challenge = asked.header("challenge-id");
    let answer = product.verify(&code(&sent[0].text), challenge).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // A slow one comes to its end after all, and does not send.
    trouble.idle().await;
    assert_eq!((trouble.sent().len(), well.sent().len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down() {
    the_second_sends("webhook,twilio", Receiver::down().await).await;
    the_second_sends("twilio,webhook", Receiver::down().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow() {
    the_second_sends("webhook,twilio", Receiver::start(&[SLOW]).await).await;
    for order in ["webhook,twilio", "twilio,webhook"] {
        the_second_sends(order, Receiver::start(&[Reply::Holds]).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusing() {
    for order in ["webhook,twilio", "twilio,webhook"] {
        for trouble in [
            Reply::Status(422),
            Reply::Status(302),
            Reply::Error(400, 21211),
        ] {
            the_second_sends(order, Receiver::start(&[trouble]).await).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken() {
    for order in ["webhook,twilio", "twilio,webhook"] {
        the_second_sends(order, Receiver::start(&[Reply::Status(500)]).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_keeps_failing_costs_the_others_no_time() {
    let (down, well) = (
        Receiver::start(&[Reply::Holds]).await,
        Receiver::start(&[Reply::Takes]).await,
    );
    let flags = flags("twilio,webhook", &well, &down);
    let product = product(&flags, &["--auth-sms-deadline-secs=2"]).await;
    for each in 0..5 {
        assert_eq!(ask(&product, &phone(each)).await.status, 200);
    }
    well.messages(5).await;
    assert_eq!(down.seen().len(), 5);
    let began = Instant::now();
    assert_eq!(ask(&product, &phone(5)).await.status, 200);
    well.messages(6).await;
    assert!(began.elapsed() < Duration::from_millis(900));
    assert_eq!(down.seen().len(), 5, "it is passed over");
}
