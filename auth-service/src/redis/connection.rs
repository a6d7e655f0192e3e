//! A connection to Redis, be it one server or a cluster, and what is done when
//! an answer is missing.
//!
//! No question takes longer than [`PATIENCE`]. A question that was surely not
//! heeded is asked again, whatever it was: the server refused the connection,
//! or said that it is loading, or that another node is to be asked. When a
//! connection breaks, the question may or may not have been heeded: only what
//! may happen [`Twice`] is asked again, and once.

use std::{
    borrow::Cow,
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::redis::{
    Cmd, ConnectionInfo, ErrorKind, FromRedisValue, ProtocolVersion, RedisError, RedisResult,
    ServerErrorKind, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cmd, from_redis_value,
    io::tcp::TcpSettings,
};

use kit::{backoff::jittered, metrics::Metrics};
use tokio::{
    sync::Semaphore,
    task::yield_now,
    time::{Instant, timeout},
};

use super::{
    cluster::{Address, Cluster},
    figures::Figures,
    pipeline::{Asking, Pipeline},
    script::Question,
};
use crate::challenges::store::Unavailable;

/// How long a question may take, repeats and waiting for a connection
/// included, before Redis counts as down.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection may take to be made.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a connection to a server lives on which nothing that was sent is
/// acknowledged.
#[cfg(target_os = "linux")]
const SILENCE: Duration = Duration::from_secs(5);
/// Questions at once; further ones wait for their turn, and their time does not
/// run: of ten thousand at one moment the last must not be late for that.
const AT_ONCE: usize = 128;
/// How often a question is asked again at the most.
const REPEATS: u32 = 6;

/// Whether a question may be heeded twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twice {
    /// That is the same as once.
    IsTheSame,
    /// That would count something twice.
    Counts,
}

/// How many servers have the keys.
#[derive(Clone, Copy)]
pub(crate) enum Servers {
    /// One has all: a script may touch them all.
    One,
    /// Each has some of the slots: a script touches one slot.
    Cluster,
}

/// Makes connections when they are needed, and again when they were lost.
pub(crate) struct Connection {
    kind: Kind,
    turns: Semaphore,
    pipeline: Pipeline<RedisResult<Value>>,
    /// The one server has turned out to have slots: it is in cluster mode.
    has_slots: AtomicBool,
    /// The last question has had no answer in time.
    silent: AtomicBool,
    /// Not there where nobody counts.
    figures: OnceLock<Figures>,
}

enum Kind {
    Server(Box<ConnectionManager>),
    Cluster(Arc<Cluster>),
}

impl Connection {
    pub(crate) fn to_server(server: &ConnectionInfo) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            // Its own comes after ours, which looks twice.
            .set_response_timeout(Some(2 * PATIENCE))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_number_of_retries(0);
        let client = ::redis::Client::open(given_up_when_silent(&prepared(server)))?;
        let manager = ConnectionManager::new_lazy_with_config(client, config)?;
        Ok(Self::new(Kind::Server(Box::new(manager))))
    }

    pub(crate) fn to_cluster(nodes: &[ConnectionInfo]) -> RedisResult<Self> {
        let nodes = nodes.iter().map(prepared).collect();
        Ok(Self::new(Kind::Cluster(Cluster::open(nodes)?)))
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            turns: Semaphore::new(AT_ONCE),
            pipeline: Pipeline::new(),
            has_slots: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            figures: OnceLock::new(),
        }
    }

    /// How many servers have the keys, as far as is known.
    pub(crate) fn servers(&self) -> Servers {
        match self.kind {
            Kind::Server(_) if !self.has_slots.load(Ordering::Relaxed) => Servers::One,
            _ => Servers::Cluster,
        }
    }

    /// Counts its questions from now on.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub(crate) fn count(&self, metrics: &Metrics) {
        // Whoever counts first counts.
        let _ = self.figures.set(Figures::new(metrics));
    }

    /// Asks a question.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        question: &impl Question,
        twice: Twice,
    ) -> Result<T, Unavailable> {
        let late = || Unavailable("no answer in time".to_owned());
        let turn = self.turns.try_acquire();
        let waits = turn.is_err();
        let _turn = match turn {
            Ok(turn) => turn,
            // It is never closed.
            Err(_) => self.turns.acquire().await.map_err(|_| late())?,
        };
        // Whoever waited for those who got no answer would get none.
        if waits && self.silent.load(Ordering::Relaxed) {
            return Err(late());
        }
        let begun = Instant::now();
        let answer = in_time(pin!(self.answer(question, twice))).await;
        if let Some(figures) = self.figures.get() {
            figures.note(answer.as_ref(), begun.elapsed().as_secs_f64());
        }
        let silent = match &answer {
            Some(answer) => answer.as_ref().is_err_and(RedisError::is_timeout),
            None => true,
        };
        self.silent.store(silent, Ordering::Relaxed);
        let Some(answer) = answer else {
            self.mend();
            return Err(late());
        };
        Ok(from_redis_value(answer?).map_err(RedisError::from)?)
    }

    /// Succeeds when all can be asked.
    pub(crate) async fn ping(&self) -> Result<(), Unavailable> {
        match &self.kind {
            Kind::Server(_) => self.ask(&cmd("PING"), Twice::IsTheSame).await,
            Kind::Cluster(_) => {
                let mut info = cmd("CLUSTER");
                info.arg("INFO");
                let info: String = self.ask(&info, Twice::IsTheSame).await?;
                let whole = ["cluster_state:ok", "cluster_slots_ok:16384"];
                if whole.iter().all(|line| info.contains(line)) {
                    return Ok(());
                }
                Err(Unavailable("some of the cluster's slots are down".into()))
            }
        }
    }

    async fn answer(&self, question: &impl Question, twice: Twice) -> RedisResult<Value> {
        match self.ask_once(question.usual(), None).await {
            // It is rare, and on the heap: for the others it would be moved about.
            Err(error) => Box::pin(self.answer_after(error, question, twice)).await,
            answer => answer,
        }
    }

    /// Asks again after an error, as often as that may help.
    async fn answer_after(
        &self,
        mut error: RedisError,
        question: &impl Question,
        twice: Twice,
    ) -> RedisResult<Value> {
        let mut command = Cow::Borrowed(question.usual());
        let mut knows_script = true;
        let mut instead = None;
        let mut may_break = twice == Twice::IsTheSame;
        let mut attempt = 0;
        loop {
            if error.kind() == ServerErrorKind::NoScript.into() && knows_script {
                knows_script = false;
                command = Cow::Owned(question.in_full());
            } else {
                if error.kind() == ServerErrorKind::CrossSlot.into() {
                    self.has_slots.store(true, Ordering::Relaxed);
                }
                let again = match self.fate(&error) {
                    Fate::NotHeeded => true,
                    Fate::Refused => false,
                    Fate::Unknown => {
                        self.mend();
                        std::mem::take(&mut may_break)
                    }
                };
                if !again || attempt == REPEATS {
                    return Err(error);
                }
                if error.kind() == ServerErrorKind::Ask.into() {
                    instead = named(&error);
                }
                tokio::time::sleep(pause(attempt)).await;
                attempt += 1;
            }
            error = match self.ask_once(&command, instead.take()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
        }
    }

    async fn ask_once(&self, command: &Cmd, instead: Option<Address>) -> RedisResult<Value> {
        let command = command.clone();
        let asking: Asking<_> = match &self.kind {
            Kind::Server(manager) => {
                let mut manager = (**manager).clone();
                Box::pin(async move { command.query_async(&mut manager).await })
            }
            Kind::Cluster(cluster) => {
                let cluster = cluster.clone();
                Box::pin(async move { cluster.ask(&command, instead).await })
            }
        };
        let lost = || RedisError::from((ErrorKind::Client, "the question was not asked"));
        let answer = self.pipeline.ask(asking).await;
        answer.unwrap_or_else(|| Err(lost()))
    }

    /// An answer is missing. A server's connection mends itself.
    fn mend(&self) {
        if let Kind::Cluster(cluster) = &self.kind {
            cluster.renew();
        }
    }

    fn fate(&self, error: &RedisError) -> Fate {
        match error.kind() {
            // Each is said before anything is done. A script that writes is told
            // so at its first write, and ends by that.
            ErrorKind::Server(
                ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::ReadOnly,
            ) => Fate::NotHeeded,
            // In a cluster it may be another question's error: the library
            // gives what it met while it learnt the slots to all that wait.
            ErrorKind::Io
                if error.is_connection_refusal() && matches!(self.kind, Kind::Server(_)) =>
            {
                Fate::NotHeeded
            }
            ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound => {
                Fate::Unknown
            }
            _ => Fate::Refused,
        }
    }
}

/// The answer, if it is there when the patience is over. A process in which
/// thousands of requests begin at one moment may have it and not have read it yet:
/// before Redis counts as silent, what has come is read, and handed over.
async fn in_time<T>(mut answer: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    if let Ok(answer) = timeout(PATIENCE, answer.as_mut()).await {
        return Some(answer);
    }
    Box::pin(late(answer)).await
}

async fn late<T>(mut answer: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    for _ in 0..2 {
        yield_now().await;
        if let Ok(answer) = timeout(Duration::ZERO, answer.as_mut()).await {
            return Some(answer);
        }
    }
    None
}

/// What became of a question that brought an error.
enum Fate {
    /// Nothing was done, and it may be otherwise in a moment.
    NotHeeded,
    /// It may have been done.
    Unknown,
    /// The answer will be the same again.
    Refused,
}

/// The settings of a connection that says at once when it breaks: RESP3 is
/// watched while it is idle, so that a server that was started again costs no
/// question.
fn prepared(node: &ConnectionInfo) -> ConnectionInfo {
    let settings = node.redis_settings().clone();
    node.clone()
        .set_tcp_settings(TcpSettings::default().set_nodelay(true))
        .set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3))
}

/// A server that is silent may have moved to another host, under its address.
/// (A node of a cluster has a successor, which the library must not look for
/// again and again while there is none: see `cluster.rs`.)
#[cfg(target_os = "linux")]
fn given_up_when_silent(server: &ConnectionInfo) -> ConnectionInfo {
    let tcp = server.tcp_settings().clone().set_user_timeout(SILENCE);
    server.clone().set_tcp_settings(tcp)
}

#[cfg(not(target_os = "linux"))]
fn given_up_when_silent(server: &ConnectionInfo) -> ConnectionInfo {
    server.clone()
}

/// The node that an error names.
fn named(error: &RedisError) -> Option<Address> {
    let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

/// 5 to 10 ms at first, doubled each time.
fn pause(attempt: u32) -> Duration {
    jittered(Duration::from_millis(5 << attempt.min(REPEATS)))
}
