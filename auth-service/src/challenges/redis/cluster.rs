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
//!   addresses in the settings, and takes the place of the old one.

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
    cluster_routing::SingleNodeRoutingInfo,
    pipe,
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
            let answered = cluster.answers.swap(false, Ordering::Relaxed);
            match cluster.client.get_async_connection().await {
                Ok(connection) => *cluster.current() = connection,
                // An old connection to nobody may go on looking for its nodes
                // without a pause; a new one looks when it is asked.
                Err(_) if !answered => *cluster.current() = lazy(&cluster.client),
                // The nodes in the settings are down, but not all of them.
                Err(_) => {}
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
