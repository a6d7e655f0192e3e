//! A connection to a Redis Cluster.
//!
//! The library's connection keeps one to each node, learns which node has
//! which slot, and mends what breaks. Two things it must not or cannot do:
//!
//! - Its own repeats are off. They do not ask whether the command may have been
//!   done already, and a try would be counted twice. So a redirection comes
//!   back as an error; the slots are learnt anew meanwhile.
//! - A node that is there no more without having closed its connections is
//!   asked for ever, and nodes that all came back under new addresses are never
//!   found. So whenever an answer is missing, a new connection is made from the
//!   addresses in the settings, and takes the place of the old one once it
//!   reaches every master. Until then the old one does better: to learn the
//!   slots anew, the library makes all questions wait for the node that is
//!   silent.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::redis::{
    Cmd, ConnectionInfo, ErrorKind, RedisError, RedisResult, Value,
    cluster::{ClusterClient, ClusterConfig},
    cluster_async::ClusterConnection,
    cluster_routing::{RoutingInfo, SingleNodeRoutingInfo},
    cmd, from_redis_value, pipe,
};
use tokio::sync::Semaphore;

use super::connection::{CONNECT_TIMEOUT, PATIENCE};

/// At the most so often a connection is made anew.
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// A node's address.
pub(super) type Address = (String, u16);

pub(super) struct Cluster {
    client: ClusterClient,
    current: Mutex<ClusterConnection>,
    /// Whether a node answered since the last renewal.
    answers: AtomicBool,
    /// Held by a renewal.
    renewal: Arc<Semaphore>,
}

impl Cluster {
    /// A cluster with these nodes, and others that they name.
    pub(super) fn open(nodes: Vec<ConnectionInfo>) -> RedisResult<Arc<Self>> {
        let tcp = nodes.first().map(|node| node.tcp_settings().clone());
        let client = ClusterClient::builder(nodes)
            .retries(0)
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(PATIENCE)
            .tcp_settings(tcp.unwrap_or_default())
            .build()?;
        Ok(Arc::new(Self {
            current: Mutex::new(lazy(&client)),
            client,
            answers: AtomicBool::new(false),
            renewal: Arc::new(Semaphore::new(1)),
        }))
    }

    /// Asks the node that has the first key, or `instead` the one that is about
    /// to get it.
    pub(super) async fn ask(&self, command: &Cmd, instead: Option<Address>) -> RedisResult<Value> {
        let mut connection = self.current().clone();
        let answer = match instead {
            None => command.query_async(&mut connection).await,
            Some(node) => ask_next_owner(&mut connection, command, node).await,
        };
        if answer.as_ref().err().is_none_or(is_an_answer) {
            self.answers.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Makes a new connection, in the background: an answer was missing. The
    /// old one serves until the new one can.
    pub(super) fn renew(self: &Arc<Self>) {
        let Ok(permit) = self.renewal.clone().try_acquire_owned() else {
            return;
        };
        let cluster = self.clone();
        tokio::spawn(async move {
            let answers = cluster.answers.swap(false, Ordering::Relaxed);
            let renewed = match cluster.client.get_async_connection().await {
                Ok(connection) if !answers || reaches_masters(&connection).await => {
                    Some(connection)
                }
                Ok(_) => None,
                Err(error) => {
                    // What the calls come back with says less.
                    tracing::warn!(%error, "no new connection to the Redis Cluster");
                    // An old connection to nobody may go on looking for its
                    // nodes without a pause; a new one looks when it is asked.
                    (!answers).then(|| lazy(&cluster.client))
                }
            };
            if let Some(connection) = renewed {
                *cluster.current() = connection;
            }
            tokio::time::sleep(RENEW_EVERY).await;
            drop(permit);
        });
    }

    fn current(&self) -> std::sync::MutexGuard<'_, ClusterConnection> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is made in the background.
fn lazy(client: &ClusterClient) -> ClusterConnection {
    let config = ClusterConfig::new()
        .set_connection_timeout(CONNECT_TIMEOUT)
        .set_response_timeout(PATIENCE);
    client.get_pending_async_connection_with_config(config)
}

/// Whether every node that has slots answers.
async fn reaches_masters(connection: &ClusterConnection) -> bool {
    let mut connection = connection.clone();
    let mut slots = cmd("CLUSTER");
    slots.arg("SLOTS");
    let any = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
    let Ok(slots) = connection.route_command(slots, any).await else {
        return false;
    };
    for (host, port) in masters(slots) {
        let node = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
        if connection.route_command(cmd("PING"), node).await.is_err() {
            return false;
        }
    }
    true
}

/// The masters in what `CLUSTER SLOTS` says, as far as they have names: each
/// item is a range's first and last slot, its master and its replicas.
fn masters(slots: Value) -> Vec<Address> {
    let Value::Array(ranges) = slots else {
        return Vec::new();
    };
    let masters = ranges.into_iter().filter_map(|range| {
        let Value::Array(range) = range else {
            return None;
        };
        let Some(Value::Array(master)) = range.into_iter().nth(2) else {
            return None;
        };
        let mut master = master.into_iter();
        let host: String = from_redis_value(master.next()?).ok()?;
        let port = from_redis_value(master.next()?).ok()?;
        (!host.is_empty()).then_some((host, port))
    });
    masters.collect()
}

/// Both in one piece, so that nobody else's command comes between.
async fn ask_next_owner(
    connection: &mut ClusterConnection,
    command: &Cmd,
    (host, port): Address,
) -> RedisResult<Value> {
    let mut asking = pipe();
    asking.cmd("ASKING").add_command(command.clone());
    let node = SingleNodeRoutingInfo::ByAddress { host, port };
    let mut answers = connection.route_pipeline(asking, 0, 2, node).await?;
    let none = RedisError::from((ErrorKind::UnexpectedReturnType, "no answer"));
    answers.pop().ok_or(none)?.extract_error()
}

/// Whether an error is what a node said.
fn is_an_answer(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}
