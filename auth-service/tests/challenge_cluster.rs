//! A Redis Cluster whose nodes die, hang, come back and hand over their slots:
//! what cannot be done fails soon, and all goes on by itself.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{
    net::{IpAddr, Ipv4Addr},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use auth_service::{
    challenges::{
        BareCodes, Carrier, ChallengeRules, ChallengeStoreUrl, Challenges, Started,
        store::{ChallengeStore, PhoneLimits},
    },
    code::Code,
    mac::Hasher,
    phone::{PhoneCheck, PhoneNumber},
    stores::Stores,
};
use kit::{
    clock::UnixMillis,
    random::{SystemRandom, bytes},
    settings::SecretKey,
};
use testkit::{PrivateRedis, PrivateRedisCluster};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// A step takes a second at most, and a call has three at most; the machine may
/// be busy.
const SOON: Duration = Duration::from_secs(5);
/// Enough that each master has some: with (2/3)^40 one has none.
const PHONES: usize = 40;

struct Bench {
    challenges: Challenges,
    store: Arc<dyn ChallengeStore>,
}

impl Bench {
    fn over(url: &str) -> Self {
        let url: ChallengeStoreUrl = url.parse().unwrap();
        let store = Stores::open(&url).unwrap().challenges;
        let pepper = SecretKey::new(bytes(&SystemRandom::default()));
        let rules = ChallengeRules {
            code_length: 4,
            lifetime: Duration::from_secs(120),
            short_in_a_row: 100,
            bare_codes: BareCodes::On,
            phone_limits: PhoneLimits {
                per_phone: 1_000,
                per_phone_and_address: 1_000,
                gap: Duration::ZERO,
            },
            starts_per_client: 10_000,
            failures_per_client: 1_000,
        };
        let random = Arc::new(SystemRandom::default());
        let hasher = Arc::new(Hasher::new(&pepper));
        Self {
            challenges: Challenges::new(store.clone(), hasher, rules, random),
            store,
        }
    }

    /// `None` when Redis cannot be used, which must come out soon.
    async fn start(&self, each: usize) -> Option<Started> {
        let phone = PhoneNumber::parse(&format!("+7701{each:07}"), PhoneCheck::Possible).unwrap();
        let begun = Instant::now();
        let started = self
            .challenges
            .start(&phone, None, HOME, Duration::ZERO, NOW)
            .await;
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        started.ok()
    }

    async fn takes(&self, started: &Started, code: &Code) -> Option<bool> {
        let begun = Instant::now();
        let answer = self
            .challenges
            .answer(Carrier::Id(started.id), code, HOME, NOW)
            .await;
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
        Some(answer.ok()?.is_some())
    }

    /// One whole way for each of many phones; whether all could be gone.
    async fn all_work(&self) -> bool {
        for each in 0..PHONES {
            let Some(started) = self.start(each).await else {
                return false;
            };
            match self.takes(&started, &started.code).await {
                Some(taken) => assert!(taken),
                None => return false,
            }
        }
        self.store.ping().await.is_ok()
    }

    /// Waits until all work again: how long it took.
    async fn until_all_work(&self) -> Duration {
        let begun = Instant::now();
        while !self.all_work().await {
            assert!(begun.elapsed() < Duration::from_secs(30), "it stays down");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    }
}

fn signal(node: &PrivateRedis, id: &str, signal: &str) {
    let sent = Command::new("kill").args([signal, id]).status();
    assert!(sent.unwrap().success(), "{node:?}");
}

fn process_id(node: &PrivateRedis) -> String {
    let info = node.raw(&["INFO", "server"]);
    let id = info
        .lines()
        .find_map(|line| line.strip_prefix("process_id:"));
    id.unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_found_whenever_it_comes_and_whoever_is_a_master_then() {
    let cluster = PrivateRedisCluster::start();
    let (first, second) = {
        let first = cluster.masters()[0];
        (first, cluster.replica_of(first))
    };
    for node in cluster.nodes() {
        node.kill();
    }
    let bench = Bench::over(&cluster.url());
    for _ in 0..3 {
        assert!(bench.start(1).await.is_none());
        assert!(bench.store.ping().await.is_err());
    }
    for node in cluster.nodes() {
        node.start_again();
    }
    cluster.wait_until_healthy();
    bench.until_all_work().await;

    first.kill();
    cluster.wait_until_served();
    let took = bench.until_all_work().await;
    assert!(took < SOON, "{took:?} after the fail-over");

    // All are gone, and the one that was no master at first is one now.
    first.start_again();
    cluster.wait_until_healthy();
    assert!(
        cluster
            .masters()
            .iter()
            .any(|node| node.port() == second.port())
    );
    for node in cluster.nodes() {
        node.kill();
    }
    assert!(bench.start(1).await.is_none());
    for node in cluster.nodes() {
        node.start_again();
    }
    cluster.wait_until_healthy();
    let took = bench.until_all_work().await;
    assert!(took < SOON, "{took:?} after the return");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hangs_stops_nobody_else_and_is_given_up_once_it_is_replaced() {
    let cluster = PrivateRedisCluster::start();
    for node in cluster.nodes() {
        // Time to look at the others, which serve on.
        for setting in [
            ["cluster-node-timeout", "8000"],
            ["cluster-require-full-coverage", "no"],
        ] {
            let set = node.raw(&["CONFIG", "SET", setting[0], setting[1]]);
            assert_eq!(set, "OK");
        }
    }
    let bench = Arc::new(Bench::over(&cluster.url()));
    let hung = cluster.masters()[0];
    let (mut there, mut elsewhere) = (Vec::new(), Vec::new());
    for each in 0..PHONES {
        let started = bench.start(each).await.unwrap();
        let pattern = format!("*:named:{}", started.id);
        if hung.raw(&["KEYS", &pattern]).is_empty() {
            elsewhere.push(started);
        } else {
            there.push(started);
        }
    }
    assert!(!there.is_empty() && !elsewhere.is_empty());

    let id = process_id(hung);
    // Its connections stay open: nothing but silence tells.
    signal(hung, &id, "-STOP");
    let begun = Instant::now();
    let lasts = Duration::from_secs(5);
    let silent: Vec<_> = there
        .into_iter()
        .map(|started| {
            let bench = bench.clone();
            tokio::spawn(async move {
                while begun.elapsed() < lasts {
                    assert_eq!(bench.takes(&started, &started.code).await, None);
                }
            })
        })
        .collect();
    while begun.elapsed() < lasts {
        for started in &elsewhere {
            assert_eq!(bench.takes(started, &started.code).await, Some(true));
        }
    }
    for silent in silent {
        silent.await.unwrap();
    }
    let took = bench.until_all_work().await;
    signal(hung, &id, "-CONT");
    assert!(took < Duration::from_secs(20), "{took:?}");
    cluster.wait_until_healthy();
    bench.until_all_work().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_takes_its_challenges_along() {
    let cluster = PrivateRedisCluster::start();
    let bench = Bench::over(&cluster.url());
    let started = bench.start(1).await.unwrap();
    let (source, key) = cluster
        .masters()
        .into_iter()
        .find_map(|node| {
            let keys = node.raw(&["KEYS", "*:named:*"]);
            Some((node, keys.lines().next()?.to_owned()))
        })
        .unwrap();
    let masters = cluster.masters();
    let target = masters.iter().find(|node| node.port() != source.port());
    let target = *target.unwrap();
    let slot = source.raw(&["CLUSTER", "KEYSLOT", &key]);
    let set_slot = |node: &PrivateRedis, state: &str, other: &PrivateRedis| {
        let id = other.raw(&["CLUSTER", "MYID"]);
        let answer = node.raw(&["CLUSTER", "SETSLOT", &slot, state, &id]);
        assert_eq!(answer, "OK");
    };
    set_slot(target, "IMPORTING", source);
    set_slot(source, "MIGRATING", target);
    assert_eq!(bench.takes(&started, &started.code).await, Some(true));

    let keys = source.raw(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
    assert_eq!(keys.lines().count(), 4);
    let port = target.port().to_string();
    let mut migrate = vec!["MIGRATE", "127.0.0.1", &*port, "", "0", "5000", "KEYS"];
    migrate.extend(keys.lines());
    assert_eq!(source.raw(&migrate), "OK");
    // The old owner sends each question on to the next one. Tries count there.
    let wrong = Code::parse("999999").unwrap();
    for _ in 0..4 {
        assert_eq!(bench.takes(&started, &wrong).await, Some(false));
    }
    assert_eq!(bench.takes(&started, &started.code).await, Some(true));
    // A start has keys that are on neither side: it has to wait.
    assert!(bench.start(1).await.is_none());

    for node in [target, source] {
        set_slot(node, "NODE", target);
    }
    assert_eq!(bench.takes(&started, &started.code).await, Some(true));
    assert!(bench.start(1).await.is_some());
    cluster.wait_until_healthy();
    assert!(bench.all_work().await);
}

/// As some who sell Redis have it: a cluster of one, named as a server.
#[tokio::test]
async fn a_server_that_turns_out_to_have_slots_is_asked_as_a_cluster() {
    let server = PrivateRedis::start_with(&["cluster-enabled yes"]);
    let answer = server.raw(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    assert_eq!(answer, "OK");
    let bench = Bench::over(&server.url());
    bench.until_all_work().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_users_have_passwords() {
    let cluster = PrivateRedisCluster::shared();
    for node in cluster.nodes() {
        let user = ["ACL", "SETUSER", "app", "on", ">hunter2", "~*", "+@all"];
        assert_eq!(node.raw(&user), "OK");
    }
    let url = cluster.url();
    let (_, nodes) = url.split_once("://").unwrap();
    let right = Bench::over(&format!("redis+cluster://app:hunter2@{nodes}"));
    assert!(right.all_work().await);
    let wrong = Bench::over(&format!("redis+cluster://app:hunter3@{nodes}"));
    assert!(wrong.start(1).await.is_none());
    assert!(wrong.store.ping().await.is_err());
    // Any one node tells of the others.
    let (_, last) = nodes.rsplit_once(',').unwrap();
    let by_one = Bench::over(&format!("redis+cluster://app:hunter2@{last}"));
    assert!(by_one.all_work().await);
}
