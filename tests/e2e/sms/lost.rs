//! A replica is killed with messages in its queue: another one tells which they
//! were, each once, when their codes are over.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use kit::client::{self, Outgoing, ServiceChannel};
use proto::auth::v1::{RequestCodeRequest, auth_service_client::AuthServiceClient};
use testkit::{PrivatePostgres, PrivateRedis};
use tonic::Status;

use super::{
    ending::told,
    flags, phone,
    receivers::{Receiver, Reply, until},
};
use crate::common::{
    http::request,
    processes::{END, GATEWAY_KEY, PEPPER, Process, SERVICE_KEY, SIGNING_KEY, command},
};

/// What is sent at once, and what may wait.
const AT_ONCE: usize = 2;
const QUEUE: usize = 5;
/// A code's life in seconds.
const LIFE: u64 = 8;
/// How long after a code's end its message is taken for lost, and how long a
/// look for such messages lets wait; and some time for a busy machine.
const TOLD_WITHIN: Duration = Duration::from_secs(LIFE + 10 + 14 + 10);

/// What the replicas share.
struct Shared {
    redis: PrivateRedis,
    database: String,
}

impl Shared {
    fn new() -> Self {
        Self {
            redis: PrivateRedis::start(),
            database: PrivatePostgres::shared().create_database("auth"),
        }
    }

    fn replica(&self, receiver: &Receiver) -> Replica {
        let mut auth = command("auth-service");
        auth.args(["--auth-listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"])
            .arg(format!("--auth-redis-url={}", self.redis.url()))
            .arg(format!("--auth-database-url={}", self.database))
            .arg("--profile-url=http://127.0.0.1:1")
            .args([SERVICE_KEY, GATEWAY_KEY, PEPPER, SIGNING_KEY])
            .args(flags("webhook", receiver, receiver))
            .arg(format!("--auth-sms-at-once={AT_ONCE}"))
            .arg(format!("--auth-sms-queue={QUEUE}"))
            .arg(format!("--auth-otp-ttl-secs={LIFE}"));
        let mut process = Process::start(auth);
        let address = process.line_after("auth-service listens on ");
        let metrics = format!("http://{}/metrics", process.line_after("metrics on "));
        let urls = format!("http://{address}").parse().unwrap();
        let channel = client::channel("auth-service", &urls, Outgoing::default());
        Replica {
            process,
            metrics,
            auth: AuthServiceClient::new(channel),
        }
    }

    /// How many messages are under way, in all replicas.
    fn under_way(&self) -> usize {
        let count = self.redis.raw(&["ZCARD", "customauth:{sms}:under_way"]);
        count.trim().parse().unwrap()
    }
}

struct Replica {
    process: Process,
    metrics: String,
    auth: AuthServiceClient<ServiceChannel>,
}

impl Replica {
    async fn ask(&mut self, phone: &str) -> Result<(), Status> {
        let request = RequestCodeRequest {
            phone_number: phone.to_owned(),
            ..RequestCodeRequest::default()
        };
        let asked = self.auth.request_code(request).await;
        asked.map(|_| ())
    }

    async fn lost(&self) -> usize {
        let page = request("GET", &self.metrics, &[], "").await.body;
        let of = |line: &str| {
            let value = line.strip_prefix("customauth_sms_lost_total ")?;
            value.parse().ok()
        };
        // While it starts, nothing is counted yet.
        page.lines().find_map(of).unwrap_or(0)
    }

    fn killed(mut self) -> String {
        self.process.signal("-KILL");
        self.process.0.wait().unwrap();
        self.process.end(END).1
    }

    fn ended(self) -> String {
        self.process.signal("-TERM");
        let (status, log) = self.process.end(END);
        assert_eq!(status, Some(0), "{log}");
        log
    }
}

/// Kills a replica that has as many messages as it may have; which of them its
/// log has no end of.
async fn kill_one(shared: &Shared) -> BTreeSet<String> {
    let script = [Reply::Takes, Reply::Takes, Reply::Holds];
    let receiver = Receiver::start(&script).await;
    let mut replica = shared.replica(&receiver);
    let mut answered = 0;
    while replica.ask(&phone(answered)).await.is_ok() {
        answered += 1;
        // Each is on its way before the next, as far as there is room.
        if answered <= 2 + AT_ONCE {
            receiver.requests(answered).await;
        }
    }
    assert_eq!(answered, 2 + AT_ONCE + QUEUE);
    until("two of them have ended", || {
        (shared.under_way() == AT_ONCE + QUEUE).then_some(())
    })
    .await;
    let log = replica.killed();
    let queued = told(&log, "queued");
    assert_eq!(queued.len(), answered, "{log}");
    let left: BTreeSet<_> = &queued - &told(&log, "delivered");
    assert_eq!(left.len(), AT_ONCE + QUEUE, "{log}");
    left
}

/// Waits until these have told, together, of so many, and nothing is left to
/// tell; how many each of them counted.
async fn tell(shared: &Shared, replicas: &[Replica], lost: usize) -> Vec<usize> {
    let began = Instant::now();
    loop {
        let mut counted = Vec::new();
        for replica in replicas {
            counted.push(replica.lost().await);
        }
        if counted.iter().sum::<usize>() >= lost && shared.under_way() == 0 {
            return counted;
        }
        assert!(began.elapsed() < TOLD_WITHIN, "{counted:?} of {lost}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_that_is_started_again_tells_what_was_lost() {
    let shared = Shared::new();
    let lost = kill_one(&shared).await;
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let again = shared.replica(&receiver);
    assert_eq!(again.lost().await, 0, "their codes are still good");
    let counted = tell(&shared, std::slice::from_ref(&again), lost.len()).await;
    assert_eq!(counted, [lost.len()]);
    let log = again.ended();
    assert_eq!(told(&log, "lost"), lost, "{log}");
    let warned = log
        .lines()
        .filter(|line| line.contains("messages are lost"));
    assert!(warned.count() >= 1, "{log}");
    assert!(receiver.seen().is_empty(), "nothing is sent late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_other_replicas_each_message_is_told_once() {
    let shared = Shared::new();
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let mut replicas = [shared.replica(&receiver), shared.replica(&receiver)];
    let lost = kill_one(&shared).await;
    // What they send themselves is not lost.
    for (each, replica) in replicas.iter_mut().enumerate() {
        replica.ask(&phone(100 + each)).await.unwrap();
    }
    receiver.messages(replicas.len()).await;
    let counted = tell(&shared, &replicas, lost.len()).await;
    assert_eq!(counted.iter().sum::<usize>(), lost.len());
    let mut all = BTreeSet::new();
    for (replica, counted) in replicas.into_iter().zip(counted) {
        let ids = told(&replica.ended(), "lost");
        assert_eq!(ids.len(), counted);
        assert!(all.is_disjoint(&ids));
        all.extend(ids);
    }
    assert_eq!(all, lost);
}
