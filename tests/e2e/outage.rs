//! While a dependency is down the answer is 503, nothing is spent, and the same
//! code works afterwards.

use std::time::{Duration, Instant};

use testkit::{PrivatePostgres, PrivateRedis};

use crate::common::{Product, User, http::Answer, phone};

/// Servers that a test may stop.
struct Servers {
    postgres: PrivatePostgres,
    redis: PrivateRedis,
}

impl Servers {
    async fn start() -> (Self, Product) {
        let servers = Self {
            postgres: PrivatePostgres::start(),
            redis: PrivateRedis::start(),
        };
        let auth = servers.postgres.create_database("auth");
        let profile = servers.postgres.create_database("profile");
        let redis = servers.redis.url();
        let product = Product::on(&auth, &profile, &redis, &[]).await;
        (servers, product)
    }
}

fn unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(answer.header("error-code"), "DEPENDENCY_UNAVAILABLE");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
}

/// Repeats a call, as a client told 503 does, until it is answered otherwise.
async fn until_back(mut call: impl AsyncFnMut() -> Answer) -> Answer {
    let started = Instant::now();
    loop {
        let answer = call().await;
        if answer.status != 503 {
            return answer;
        }
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{}",
            answer.body
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_survives_the_databases() {
    let (servers, product) = Servers::start().await;
    let known = User::new(&product, &phone(1)).await;
    let new = product.request_code(&phone(2)).await;
    let returning = product.request_code(&phone(1)).await;

    servers.postgres.stop();
    for (code, challenge) in [&new, &returning] {
        // More often than there are tries: an outage costs none.
        for _ in 0..6 {
            unavailable(&product.verify(code, challenge).await);
        }
    }
    unavailable(
        &product
            .get("/api/v1/personal-area/", Some(&known.token))
            .await,
    );
    let ready = product.get("/readyz", None).await;
    unavailable(&ready);
    assert!(ready.sentence().contains("database"), "{}", ready.body);
    assert_eq!(product.get("/livez", None).await.status, 200);

    servers.postgres.start_again();
    for (code, challenge) in [&new, &returning] {
        let answer = until_back(async || product.verify(code, challenge).await).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let again = product.verify(code, challenge).await;
        assert_eq!(again.status, 400, "and it is spent by that");
    }
    product.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_down_is_never_open() {
    let (servers, product) = Servers::start().await;
    let known = User::new(&product, &phone(1)).await;
    let (code, challenge) = product.request_code(&phone(2)).await;

    servers.redis.stop();
    unavailable(&product.verify(&code, &challenge).await);
    let body = serde_json::json!({ "phone_number": phone(3) });
    unavailable(
        &product
            .send("POST", "/api/v1/auths/", None, Some(body))
            .await,
    );
    let ready = product.get("/readyz", None).await;
    unavailable(&ready);
    assert!(ready.sentence().contains("Redis"), "{}", ready.body);
    // Whoever is signed in notices nothing.
    product.profile(&known.token).await;

    servers.redis.start_again();
    // The challenges went with the server: that is a refusal, not an outage.
    let lost = until_back(async || product.verify(&code, &challenge).await).await;
    assert_eq!(
        (lost.status, lost.header("error-code")),
        (400, "CODE_NOT_ACCEPTED")
    );
    product.sign_in(&phone(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_that_starts_before_its_servers_waits_for_them() {
    let postgres = PrivatePostgres::start();
    let redis = PrivateRedis::start();
    let (auth, profile) = (
        postgres.create_database("auth"),
        postgres.create_database("profile"),
    );
    postgres.stop();
    redis.stop();
    let flags = [
        format!("--auth-database-url={auth}"),
        format!("--profile-database-url={profile}"),
        format!("--auth-redis-url={}", redis.url()),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let product = Product::embedded(&flags).await;
    unavailable(&product.get("/readyz", None).await);
    assert_eq!(product.get("/livez", None).await.status, 200);
    let body = serde_json::json!({ "phone_number": phone(1) });
    unavailable(
        &product
            .send("POST", "/api/v1/auths/", None, Some(body))
            .await,
    );
    postgres.start_again();
    redis.start_again();
    product.ready().await;
    product.sign_in(&phone(1)).await;
}
