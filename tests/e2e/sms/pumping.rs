//! Somebody lives off the messages: 10,000 requests for numbers of one dear
//! country, from 500 addresses. The budget holds to the message, and other
//! countries' people sign in meanwhile.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use testkit::{PrivatePostgres, PrivateRedis};

use super::{
    code, flags,
    receivers::{Receiver, Reply, until},
};
use crate::common::{
    Product,
    http::{Answer, request},
};

const ASKED: usize = 10_000;
const ADDRESSES: usize = 500;
const CALLERS: usize = 64;
/// Of so many requests one is followed by somebody else's.
const OTHERS: usize = 100;
const BUDGET: usize = 50;

const FLAGS: [&str; 4] = [
    "--gateway-trusted-proxies=127.0.0.1",
    "--auth-sms-daily-messages=*=1000,+225=50",
    "--auth-sms-prices=*=0.10,+225=0.25",
    "--auth-sms-daily-cost=*=100",
];

/// What came of a request. On a busy machine Redis may be silent for a second:
/// then nobody knows whether it counted the message, which is not sent.
enum Asked {
    Passed,
    Refused,
    Unsure,
}

struct World {
    product: Product,
    receiver: Receiver,
}

impl World {
    async fn ask(&self, number: &str, client: Ipv4Addr) -> Answer {
        let client = client.to_string();
        let headers = [
            ("content-type", "application/json"),
            ("x-forwarded-for", &*client),
        ];
        let body = json!({ "phone_number": number }).to_string();
        request("POST", &self.product.url("/api/v1/auths/"), &headers, body).await
    }

    /// Asks for a code; what does not come is told as it should.
    async fn pumps(&self, each: usize) -> Asked {
        let [.., high, low] = (each % ADDRESSES).to_be_bytes();
        let number = format!("+22501{each:08}");
        let asked = self.ask(&number, Ipv4Addr::new(203, 0, high, low)).await;
        match asked.status {
            200 => return Asked::Passed,
            503 => return Asked::Unsure,
            _ => {}
        }
        assert_eq!(asked.status, 429, "{}", asked.body);
        assert_eq!(asked.header("error-code"), "SMS_BUDGET_EXHAUSTED");
        let wait: u64 = asked.header("retry-after").parse().unwrap();
        assert!((1..=86_400).contains(&wait), "{wait}");
        Asked::Refused
    }

    async fn signs_in(&self, each: usize) {
        let [.., high, low] = each.to_be_bytes();
        let mut numbers = (each..each + OTHERS).map(|each| format!("+7701{each:07}"));
        let (number, asked) = loop {
            let number = numbers.next().unwrap();
            let asked = self.ask(&number, Ipv4Addr::new(198, high, low, 1)).await;
            if asked.status != 503 {
                break (number, asked);
            }
        };
        assert_eq!(asked.status, 200, "{}", asked.body);
        let text = until("the message arrives", || {
            let sent = self.receiver.sent().into_iter();
            sent.rev().find(|sent| sent.to == number)
        });
        let code = code(&text.await.text);
        let challenge = asked.header("challenge-id");
        let mut answer = self.product.verify(&code, challenge).await;
        for _ in 0..OTHERS {
            if answer.status != 503 {
                break;
            }
            answer = self.product.verify(&code, challenge).await;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_holds_to_the_message() {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let flags = flags("webhook", &receiver, &receiver);
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(FLAGS).collect();
    let (postgres, redis) = (PrivatePostgres::shared(), PrivateRedis::start());
    let [auth, profile] = ["auth", "profile"].map(|name| postgres.create_database(name));
    let product = Product::on(&auth, &profile, &redis.url(), &flags).await;
    let world = Arc::new(World { product, receiver });
    let next = Arc::new(AtomicUsize::new(0));
    let callers = (0..CALLERS).map(|_| {
        let (world, next) = (world.clone(), next.clone());
        tokio::spawn(async move {
            let (mut passed, mut unsure) = (0, 0);
            loop {
                let each = next.fetch_add(1, Ordering::Relaxed);
                if each >= ASKED {
                    return (passed, unsure);
                }
                match world.pumps(each).await {
                    Asked::Passed => passed += 1,
                    Asked::Unsure => unsure += 1,
                    Asked::Refused => {}
                }
                if each % OTHERS == 0 {
                    world.signs_in(each).await;
                }
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let (mut passed, mut unsure) = (0, 0);
    for caller in callers {
        let (of_it, of_these) = caller.await.unwrap();
        passed += of_it;
        unsure += of_these;
    }
    let tight = passed <= BUDGET && passed + unsure >= BUDGET;
    assert!(tight, "{passed} passed, {unsure} were unsure");
    assert!(unsure <= ASKED / 10, "{unsure} were unsure");
    let sent = world.receiver.messages(passed + ASKED / OTHERS).await;
    let dear = sent.iter().filter(|sent| sent.to.starts_with("+225"));
    let dear = dear.count();
    assert!((passed..=BUDGET).contains(&dear), "{dear} for {passed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_country_that_is_not_named_gets_nothing() {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let flags = flags("webhook", &receiver, &receiver);
    let more = ["--auth-sms-countries=+7"];
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more).collect();
    let product = Product::embedded(&flags).await;
    let world = World { product, receiver };
    let home = Ipv4Addr::LOCALHOST;
    let refused = world.ask("+2250102030405", home).await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert_eq!(refused.header("error-code"), "SMS_COUNTRY_NOT_ALLOWED");
    assert_eq!(refused.header("retry-after"), "86400");
    assert_eq!(world.ask("+77010000001", home).await.status, 200);
    assert_eq!(world.receiver.messages(1).await.len(), 1);
}
