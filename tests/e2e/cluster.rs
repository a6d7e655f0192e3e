//! On a Redis Cluster: a master that dies costs 503 for a moment, and what its
//! successor does not know makes nobody sign in twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use testkit::{PrivatePostgres, PrivateRedis, PrivateRedisCluster};

use crate::common::{Product, http::Answer, phone};

/// So many that every master has some: that one has none comes up once in 10⁵.
const PHONES: usize = 30;
/// How long an answer may take: three steps in Redis of a second each, on a
/// machine that is busy.
const SOON: Duration = Duration::from_secs(6);

struct Servers {
    cluster: PrivateRedisCluster,
    auth: String,
}

impl Servers {
    async fn start() -> (Arc<Self>, Arc<Product>) {
        let postgres = PrivatePostgres::shared();
        let auth = postgres.create_database("auth");
        let profile = postgres.create_database("profile");
        let cluster = PrivateRedisCluster::start();
        let product = Product::on(&auth, &profile, &cluster.url(), &[]).await;
        (Arc::new(Self { cluster, auth }), Arc::new(product))
    }

    fn sessions(&self, of: &str) -> u32 {
        let sql = format!("SELECT count(*) FROM sessions {of}");
        let count = PrivatePostgres::shared().psql(&self.auth, &sql);
        count.parse().unwrap()
    }

    /// The key of a challenge, where some master has it.
    fn key(&self, challenge: &str) -> Option<String> {
        let masters = self.cluster.masters();
        masters.into_iter().find_map(|node| key_on(node, challenge))
    }

    /// Waits until a challenge is with its master's replica too.
    fn wait_until_replicated(&self, challenge: &str) {
        let key = self.key(challenge).unwrap();
        let replica = self.cluster.replica_of(self.cluster.master_of(&key));
        wait_until("it is replicated", || key_on(replica, challenge).is_some());
    }
}

fn key_on(node: &PrivateRedis, challenge: &str) -> Option<String> {
    let keys = node.raw(&["KEYS", &format!("*:named:{challenge}")]);
    keys.lines().next().map(str::to_owned)
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "not yet: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// 503 as it has to be, or else any answer.
fn is_unavailable(answer: &Answer) -> bool {
    if answer.status != 503 {
        return false;
    }
    assert_eq!(answer.header("error-code"), "DEPENDENCY_UNAVAILABLE");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    true
}

/// Calls again, as a client told 503 does, until the answer is another one.
/// How often it was 503 comes with it.
async fn until_back<F: Future<Output = Answer>>(call: impl Fn() -> F) -> (Answer, u32) {
    let begun = Instant::now();
    let mut failed = 0;
    loop {
        let asked = Instant::now();
        let answer = call().await;
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
        if !is_unavailable(&answer) {
            return (answer, failed);
        }
        failed += 1;
        assert!(begun.elapsed() < Duration::from_secs(30), "it stays down");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ask_for_code(product: &Product, phone: &str) -> Answer {
    let body = json!({ "phone_number": phone });
    product
        .send("POST", "/api/v1/auths/", None, Some(body))
        .await
}

/// One sign-in after another until told to stop; how many answers were 503.
async fn sign_ins(
    servers: Arc<Servers>,
    product: Arc<Product>,
    phone: String,
    stop: Arc<AtomicBool>,
) -> u32 {
    let mut unavailable = 0;
    while !stop.load(Ordering::Relaxed) {
        let (asked, failed) = until_back(|| ask_for_code(&product, &phone)).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        let (code, challenge) = (asked.code(), asked.header("challenge-id").to_owned());
        let (entered, failed_too) = until_back(|| product.verify(&code, &challenge)).await;
        unavailable += failed + failed_too;
        if entered.status == 400 {
            // A challenge of the last moment that its master took along. It was
            // neither spent nor refused while it was there.
            assert_eq!(servers.key(&challenge), None);
            let of_it = format!("WHERE challenge_id = '{challenge}'");
            assert_eq!(servers.sessions(&of_it), 0, "a code that failed signed in");
        } else {
            assert_eq!(entered.status, 200, "{}", entered.body);
        }
    }
    unavailable
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_dies_costs_503_for_a_moment_and_no_code() {
    let (servers, product) = Servers::start().await;
    // Codes from before, to be entered while it lasts.
    let mut codes = Vec::new();
    for each in 0..PHONES {
        let (code, challenge) = product.request_code(&phone(each)).await;
        servers.wait_until_replicated(&challenge);
        codes.push((code, challenge));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let traffic: Vec<_> = (0..PHONES / 3)
        .map(|each| {
            let (servers, product, stop) = (servers.clone(), product.clone(), stop.clone());
            let phone = phone(1_000 + each);
            tokio::spawn(sign_ins(servers, product, phone, stop))
        })
        .collect();

    let dead = servers.cluster.masters()[0];
    let orphans: Vec<bool> = codes
        .iter()
        .map(|(_, challenge)| key_on(dead, challenge).is_some())
        .collect();
    dead.kill();
    let killed = Instant::now();
    let entered: Vec<_> = codes
        .into_iter()
        .map(|(code, challenge)| {
            let product = product.clone();
            tokio::spawn(async move { until_back(|| product.verify(&code, &challenge)).await })
        })
        .collect();
    servers.cluster.wait_until_served();
    let failed_over = killed.elapsed();
    for (entered, orphan) in entered.into_iter().zip(orphans) {
        let (answer, failed) = entered.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(failed > 0 || !orphan, "nobody could answer that");
    }
    let back = killed.elapsed();
    println!("fail-over after {failed_over:?}, all codes taken after {back:?}");
    assert!(back < failed_over + SOON);

    product.ready().await;
    for each in 0..PHONES {
        product.sign_in(&phone(each)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut unavailable = 0;
    for traffic in traffic {
        unavailable += traffic.await.unwrap();
    }
    println!("{unavailable} answers were 503 meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_whose_spending_was_forgotten_makes_no_second_session() {
    let (servers, product) = Servers::start().await;
    let (code, challenge) = product.request_code(&phone(1)).await;
    servers.wait_until_replicated(&challenge);
    let key = servers.key(&challenge).unwrap();
    let master = servers.cluster.master_of(&key);
    let replica = servers.cluster.replica_of(master);

    // The replica can no longer follow, and hears nothing of what comes now.
    assert_eq!(replica.raw(&["CONFIG", "SET", "masterauth", "wrong"]), "OK");
    replica.raw(&["CLIENT", "KILL", "TYPE", "master"]);
    wait_until("the replica is cut off", || {
        let info = replica.raw(&["INFO", "replication"]);
        info.contains("master_link_status:down")
    });
    let answer = product.verify(&code, &challenge).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(servers.sessions(""), 1);
    assert_eq!(key_on(master, &challenge), None, "it is spent");

    master.kill();
    servers.cluster.wait_until_served();
    assert_eq!(servers.cluster.master_of(&key).port(), replica.port());
    assert_eq!(replica.raw(&["EXISTS", &key]), "1", "and unspent again");

    for _ in 0..3 {
        let (again, _) = until_back(|| product.verify(&code, &challenge)).await;
        assert_eq!(again.status, 400, "{}", again.body);
        assert_eq!(again.header("error-code"), "CODE_NOT_ACCEPTED");
    }
    let bare = json!({ "otp": code });
    let path = "/api/v1/auths/";
    let (again, _) = until_back(|| product.send("PATCH", path, None, Some(bare.clone()))).await;
    assert_eq!(again.status, 400, "{}", again.body);
    assert_eq!(servers.sessions(""), 1);

    product.sign_in(&phone(1)).await;
    assert_eq!(servers.sessions(""), 2);
}
