//! What is asked of Redis again when an answer is missing, and what is not: a
//! made-up server counts.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use auth_service::{
    challenges::{
        ChallengeId, ChallengeStoreUrl, Slot,
        store::{AddressKey, ChallengeStore, Matched, PhoneKey},
    },
    mac::{Hasher, Label, Mac},
    phone::PhoneNumber,
    stores::Stores,
};
use kit::{
    clock::UnixMillis,
    random::{SystemRandom, bytes},
    settings::SecretKey,
};
use testkit::PrivateRedis;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// What the server does with a command.
#[derive(Clone, Copy)]
enum Act {
    Answers(&'static str),
    /// As when it dies with the command done or not.
    HangsUp,
    SaysNothing,
}

/// A server that does one act for each command, the last one again and again.
struct MadeUp {
    store: Arc<dyn ChallengeStore>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl MadeUp {
    async fn server(acts: &'static [Act]) -> Self {
        Self::start("redis", acts).await
    }

    /// A cluster of this one node.
    async fn cluster(acts: &'static [Act]) -> Self {
        Self::start("redis+cluster", acts).await
    }

    async fn start(scheme: &str, acts: &'static [Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let url: ChallengeStoreUrl = url.parse().unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let kept = seen.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(client, acts, seen.clone()));
            }
        });
        Self {
            store: Stores::open(&url).unwrap().challenges,
            seen: kept,
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(client: TcpStream, acts: &[Act], seen: Arc<Mutex<Vec<String>>>) {
    let port = client.local_addr().unwrap().port();
    let slots = format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n");
    let mut client = BufReader::new(client);
    while let Some(command) = read(&mut client).await {
        let answer = match command.as_str() {
            "HELLO" => "%1\r\n+proto\r\n:3\r\n",
            "CLIENT" | "PING" => "+OK\r\n",
            "CLUSTER" => &slots,
            _ => {
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(command);
                    seen.len()
                };
                match acts[number.min(acts.len()) - 1] {
                    Act::Answers(answer) => answer,
                    Act::HangsUp => return,
                    Act::SaysNothing => continue,
                }
            }
        };
        client.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// The name of the next command; `None` at the end.
async fn read(client: &mut BufReader<TcpStream>) -> Option<String> {
    let mut words = Vec::new();
    for _ in 0..number(client, "*").await? {
        let length = number(client, "$").await?;
        let mut word = vec![0; length + 2];
        client.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..length]).into_owned());
    }
    words.into_iter().next()
}

async fn number(client: &mut BufReader<TcpStream>, sign: &str) -> Option<usize> {
    let mut line = String::new();
    client.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(sign)?.parse().ok()
}

fn mac(text: &str) -> Mac {
    let pepper = SecretKey::new(bytes(&SystemRandom::default()));
    Hasher::new(&pepper).mac(Label::Phone, &[text])
}

/// Deletes by name: as often as one likes.
async fn spend(server: &MadeUp) -> bool {
    let phone = PhoneKey(mac("phone"));
    let matched = Matched {
        id: ChallengeId::draw(Slot::of(&phone.0), &SystemRandom::default()),
        phone: PhoneNumber::from_stored("+77777777766".to_owned()),
        invited_by: None,
        address: AddressKey(mac("address")),
    };
    let code = mac("code");
    let spent = server.store.spend(&matched, &phone, &code);
    spent.await.is_ok()
}

/// Counts, unless there is such a challenge.
async fn answer(server: &MadeUp) -> bool {
    let (address, code) = (AddressKey(mac("address")), mac("code"));
    let answered = server.store.answer_bare(&address, &code, 30, NOW);
    answered.await.is_ok()
}

#[tokio::test]
async fn what_a_broken_connection_swallowed_is_repeated_only_if_it_counts_nothing() {
    let server = MadeUp::server(&[Act::HangsUp]).await;
    assert!(!answer(&server).await);
    assert_eq!(server.seen(), ["EVALSHA"]);

    let server = MadeUp::server(&[Act::HangsUp, Act::Answers(":2\r\n")]).await;
    assert!(spend(&server).await);
    assert_eq!(server.seen(), ["EVALSHA", "EVALSHA"]);

    let server = MadeUp::server(&[Act::HangsUp]).await;
    assert!(!spend(&server).await);
    assert_eq!(
        server.seen(),
        ["EVALSHA", "EVALSHA"],
        "once, and then no more"
    );
}

#[tokio::test]
async fn nor_does_the_connection_to_a_cluster_repeat_of_its_own_accord() {
    let server = MadeUp::cluster(&[Act::HangsUp]).await;
    assert!(!answer(&server).await);
    assert_eq!(server.seen(), ["EVALSHA"]);

    let moved = Act::Answers("-MOVED 0 127.0.0.1:1\r\n");
    let server = MadeUp::cluster(Box::leak(Box::new([moved, Act::HangsUp]))).await;
    assert!(!answer(&server).await);
    assert_eq!(server.seen(), ["EVALSHA", "EVALSHA"]);
}

#[tokio::test]
async fn what_was_refused_is_asked_again_whatever_it_is() {
    for refusal in [
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-READONLY You can't write against a read only replica.\r\n",
        "-CLUSTERDOWN The cluster is down\r\n",
        "-TRYAGAIN Multiple keys request during rehashing of slot\r\n",
    ] {
        let acts = [
            Act::Answers(refusal),
            Act::Answers(refusal),
            Act::Answers("+\r\n"),
        ];
        let server = MadeUp::server(Box::leak(Box::new(acts))).await;
        assert!(answer(&server).await, "{refusal}");
        assert_eq!(server.seen(), ["EVALSHA"; 3]);
    }
    let server = MadeUp::server(&[Act::Answers("-LOADING still\r\n")]).await;
    assert!(!answer(&server).await);
    assert_eq!(server.seen(), ["EVALSHA"; 7], "it does not go on for ever");
}

#[tokio::test]
async fn a_script_that_is_not_known_is_sent() {
    let acts = &[
        Act::Answers("-NOSCRIPT No matching script.\r\n"),
        Act::Answers("+\r\n"),
    ];
    let server = MadeUp::server(acts).await;
    assert!(answer(&server).await);
    assert_eq!(server.seen(), ["EVALSHA", "EVAL"]);
}

#[tokio::test]
async fn any_other_error_is_final() {
    for error in [
        "-ERR unknown command\r\n",
        "-NOPERM no permission\r\n",
        "-OOM command not allowed\r\n",
    ] {
        let server = MadeUp::server(Box::leak(Box::new([Act::Answers(error)]))).await;
        assert!(!spend(&server).await);
        assert_eq!(server.seen(), ["EVALSHA"], "{error}");
    }
}

#[tokio::test]
async fn silence_is_not_waited_for_longer_than_a_second() {
    let server = MadeUp::server(&[Act::SaysNothing]).await;
    for _ in 0..2 {
        let asked = Instant::now();
        assert!(!answer(&server).await);
        assert!(!spend(&server).await);
        assert!(asked.elapsed() < Duration::from_secs(3));
    }
    assert_eq!(server.seen(), ["EVALSHA"; 4]);
}

/// A process that is busy for longer than Redis has to answer. The answer came in
/// time, and was not read yet.
#[tokio::test]
async fn an_answer_that_a_busy_process_has_not_read_yet_counts() {
    let url: ChallengeStoreUrl = PrivateRedis::shared().url().parse().unwrap();
    let store = Stores::open(&url).unwrap().challenges;
    store.ping().await.unwrap();
    let busy = async { std::thread::sleep(Duration::from_millis(1_500)) };
    let (answer, ()) = tokio::join!(store.ping(), busy);
    answer.unwrap();
}
