//! A private Redis Cluster.

use std::{
    ops::RangeInclusive,
    sync::OnceLock,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{port, programs, redis::PrivateRedis};

const MASTERS: usize = 3;
const NODES: usize = 2 * MASTERS;
/// A node that nobody hears from for so long counts as dead: a fail-over takes
/// about twice that.
const NODE_TIMEOUT: Duration = Duration::from_millis(1500);
/// The same in a cluster that is to have no fail-over, however busy the machine.
const PATIENT_NODE_TIMEOUT: Duration = Duration::from_mins(1);
/// What else differs from an operator's cluster. A replica stands for election
/// however long it has not heard from its master, and keeps to this one: a test
/// knows who comes next. Nor does it keep what it was sent in a file.
const SETTINGS: [&str; 5] = [
    "cluster-enabled yes",
    "cluster-replica-validity-factor 0",
    "cluster-allow-replica-migration no",
    "repl-diskless-sync-delay 0",
    "rdb-del-sync-files yes",
];
/// How long a change of the cluster may take. Generous: only a failure waits
/// for all of it.
const WITHIN: Duration = Duration::from_mins(1);
const POLL_EVERY: Duration = Duration::from_millis(20);

/// A Redis Cluster of its own on loopback ports: three masters, each with a
/// replica, without a password. It serves only while all slots are served, as
/// is Redis's default. A node that is killed and started again is part of it
/// by itself, as a replica if it was replaced meanwhile. Dropping it ends all.
#[derive(Debug)]
pub struct PrivateRedisCluster {
    nodes: Vec<PrivateRedis>,
}

/// One node as another one sees it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    port: u16,
    id: String,
    /// The id of its master.
    replica_of: Option<String>,
    slots: Vec<(u16, u16)>,
    is_sound: bool,
}

impl PrivateRedisCluster {
    /// Starts a healthy cluster; takes some five seconds. Needs Redis 7.
    pub fn start() -> Self {
        Self::start_with(NODE_TIMEOUT)
    }

    fn start_with(node_timeout: Duration) -> Self {
        let nodes: Vec<PrivateRedis> = (0..NODES).map(|_| start_node(node_timeout)).collect();
        let mut create = programs::command(nodes[0].client());
        create.args(["--cluster", "create"]);
        for node in &nodes {
            let bus = node.raw(&["CONFIG", "GET", "cluster-port"]);
            let bus = bus.lines().last().unwrap_or_default();
            create.arg(format!("127.0.0.1:{}@{bus}", node.port()));
        }
        create.args(["--cluster-replicas", "1", "--cluster-yes"]);
        programs::output(&mut create);
        let cluster = Self { nodes };
        cluster.wait_until_healthy();
        cluster
    }

    /// The one cluster of this test binary, started by whoever asks first. It
    /// replaces no master: a test that kills a node needs one of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PrivateRedisCluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_with(PATIENT_NODE_TIMEOUT))
    }

    /// `redis+cluster://127.0.0.1:PORT,127.0.0.1:PORT,…` with all nodes.
    pub fn url(&self) -> String {
        let nodes: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        format!("redis+cluster://{}", nodes.join(","))
    }

    /// All six nodes, living or not: each can be asked by
    /// [`PrivateRedis::raw`], killed and started again.
    pub fn nodes(&self) -> &[PrivateRedis] {
        &self.nodes
    }

    /// The nodes that have slots now.
    pub fn masters(&self) -> Vec<&PrivateRedis> {
        let seen = self.living().map(view).next().unwrap_or_default();
        seen.iter()
            .filter(|node| !node.slots.is_empty())
            .map(|node| self.at(node.port))
            .collect()
    }

    /// The node that has the key's slot now.
    pub fn master_of(&self, key: &str) -> &PrivateRedis {
        let (slot, seen) = self
            .living()
            .map(|node| (node.raw(&["CLUSTER", "KEYSLOT", key]), view(node)))
            .next()
            .unwrap_or_else(|| panic!("no node lives"));
        let slot: u16 = slot
            .parse()
            .unwrap_or_else(|_| panic!("no slot of {key}: {slot}"));
        let owner = seen.iter().find(|node| {
            let mut slots = node.slots.iter();
            slots.any(|&(first, last)| RangeInclusive::new(first, last).contains(&slot))
        });
        let owner = owner.unwrap_or_else(|| panic!("nobody has slot {slot}: {seen:?}"));
        self.at(owner.port)
    }

    /// The node that follows this master now.
    pub fn replica_of(&self, master: &PrivateRedis) -> &PrivateRedis {
        let seen = self.living().map(view).next().unwrap_or_default();
        let id = seen.iter().find(|node| node.port == master.port());
        let id = id.map(|node| &node.id);
        let replica = seen
            .iter()
            .find(|node| id.is_some() && node.replica_of.as_ref() == id);
        let replica = replica.unwrap_or_else(|| panic!("no replica of {master:?}: {seen:?}"));
        self.at(replica.port)
    }

    /// Waits until every living node sees all slots with living nodes: after a
    /// kill, until the dead one is replaced.
    pub fn wait_until_served(&self) {
        self.wait_until("all slots are served", || {
            let living: Vec<&PrivateRedis> = self.living().collect();
            living.iter().all(|node| {
                is_ok(node)
                    && view(node).iter().all(|seen| {
                        seen.slots.is_empty() || living.iter().any(|node| node.port() == seen.port)
                    })
            })
        });
    }

    /// Waits until the replica of this master has all that was written there. (WAIT
    /// tells it of what its own connection wrote, and each question here has one.)
    pub fn wait_until_replicated(&self, master: &PrivateRedis) {
        self.wait_until("the replica has all", || {
            let info = master.raw(&["INFO", "replication"]);
            let written = info.lines().find_map(|line| {
                let offset = line.strip_prefix("master_repl_offset:")?;
                Some(format!("offset={},", offset.trim()))
            });
            written.is_some_and(|written| info.contains(&written))
        });
    }

    /// Waits until all six nodes live, see the same three masters with all
    /// slots, and each master has a replica in sync.
    pub fn wait_until_healthy(&self) {
        self.wait_until("the cluster is healthy", || {
            if self.living().count() < NODES || !self.nodes.iter().all(is_ok) {
                return false;
            }
            let views: Vec<Vec<Seen>> = self.nodes.iter().map(view).collect();
            let first = &views[0];
            let masters = first.iter().filter(|node| !node.slots.is_empty());
            masters.count() == MASTERS
                && first.len() == NODES
                && first.iter().all(|node| node.is_sound)
                && views.iter().all(|view| view == first)
                && self.nodes.iter().all(is_in_sync)
        });
    }

    fn at(&self, port: u16) -> &PrivateRedis {
        self.nodes
            .iter()
            .find(|node| node.port() == port)
            .unwrap_or_else(|| panic!("the cluster has no node on port {port}"))
    }

    fn living(&self) -> impl Iterator<Item = &PrivateRedis> {
        self.nodes.iter().filter(|node| node.answers())
    }

    fn wait_until(&self, what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + WITHIN;
        while !done() {
            if Instant::now() >= deadline {
                let views: Vec<_> = self.living().map(view).collect();
                panic!("not within {WITHIN:?}: {what}\n{views:#?}");
            }
            sleep(POLL_EVERY);
        }
    }
}

fn start_node(timeout: Duration) -> PrivateRedis {
    PrivateRedis::launch(|| {
        let mut settings: Vec<String> = SETTINGS.map(str::to_owned).into();
        settings.push(format!("cluster-node-timeout {}", timeout.as_millis()));
        // Its default, 10,000 above the other port, may be no port at all.
        settings.push(format!("cluster-port {}", port::free_port()));
        settings
    })
}

/// How this node sees all nodes, by their ports.
fn view(node: &PrivateRedis) -> Vec<Seen> {
    let printed = node.raw(&["CLUSTER", "NODES"]);
    let mut seen: Vec<Seen> = printed.lines().filter_map(parse).collect();
    seen.sort();
    seen
}

/// `id ip:port@bus flags master ping pong epoch link slot slot…`
fn parse(line: &str) -> Option<Seen> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let &[id, address, flags, master, _, _, _, _, ref slots @ ..] = words.as_slice() else {
        return None;
    };
    let (_, port) = address.split_once('@')?.0.rsplit_once(':')?;
    let slots = slots.iter().filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    Some(Seen {
        port: port.parse().ok()?,
        id: id.to_owned(),
        replica_of: (master != "-").then(|| master.to_owned()),
        slots: slots.collect(),
        is_sound: !flags
            .split(',')
            .any(|flag| ["fail", "fail?", "handshake", "noaddr"].contains(&flag)),
    })
}

fn is_ok(node: &PrivateRedis) -> bool {
    let info = node.raw(&["CLUSTER", "INFO"]);
    info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
}

/// Whether a replica follows its master, or a master is followed.
fn is_in_sync(node: &PrivateRedis) -> bool {
    let info = node.raw(&["INFO", "replication"]);
    if info.contains("role:master") {
        info.contains("state=online")
    } else {
        info.contains("master_link_status:up")
    }
}
