//! The replicas of a service: which there are, and which takes the next call.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::watch, time::Instant};

use super::{
    replica::{Condition, Lease, Replica},
    target::Target,
};

/// How long the addresses of a name are taken for true, and how long if none
/// of them can be reached.
const FRESH: Duration = Duration::from_secs(5);
const FRESH_IN_TROUBLE: Duration = Duration::from_millis(500);
/// How long a look-up of a name may take.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// Finds the addresses of a name.
#[async_trait]
pub(super) trait Resolver: Send + Sync {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The operating system's resolver.
pub(super) struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// No replica can be reached; why.
pub(super) struct Unreachable(pub(super) Arc<str>);

/// The replicas of a service.
pub(super) struct Replicas {
    /// URLs with a name: their addresses are looked up now and then.
    names: Vec<Target>,
    resolver: Box<dyn Resolver>,
    known: RwLock<Known>,
    looking_up: AtomicBool,
    /// Told when a connection was made or not, and when names were looked up.
    news: watch::Sender<()>,
    turn: AtomicUsize,
}

struct Known {
    replicas: Arc<[Arc<Replica>]>,
    /// When the names were last looked up.
    looked_up: Option<Instant>,
    /// What went wrong then.
    trouble: Option<Arc<str>>,
}

impl Replicas {
    pub(super) fn new(targets: Vec<Target>, resolver: Box<dyn Resolver>) -> Self {
        let (mut replicas, mut names) = (Vec::new(), Vec::new());
        for target in targets {
            match target.address() {
                Some(address) => replicas.push(Arc::new(Replica::new(target, address))),
                None => names.push(target),
            }
        }
        Self {
            names,
            resolver,
            known: RwLock::new(Known {
                replicas: replicas.into(),
                looked_up: None,
                trouble: None,
            }),
            looking_up: AtomicBool::new(false),
            news: watch::Sender::new(()),
            turn: AtomicUsize::new(0),
        }
    }

    /// How many there are, as far as is known.
    pub(super) fn count(&self) -> usize {
        self.replicas().len()
    }

    /// To how many there is a connection.
    pub(super) fn connected(&self) -> usize {
        let replicas = self.replicas();
        let is_up = |replica: &&Arc<Replica>| matches!(replica.condition(), Condition::Up);
        replicas.iter().filter(is_up).count()
    }

    fn known<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replicas(&self) -> Arc<[Arc<Replica>]> {
        self.known(|known| known.replicas.clone())
    }

    /// The connection for the next call: of those that there are, the one
    /// with the fewest calls; one that has just said that it cannot do it comes
    /// last. Replicas without one are connected to meanwhile;
    /// if none has one, the first is waited for.
    pub(super) async fn pick(self: &Arc<Self>) -> Result<Lease, Unreachable> {
        match self.ready() {
            Some(lease) => Ok(lease),
            // Rare, and large.
            None => Box::pin(self.wait_for_one()).await,
        }
    }

    /// The connection for the next call, if there is one now.
    fn ready(self: &Arc<Self>) -> Option<Lease> {
        let replicas = self.replicas();
        let lease = self.least_busy(&replicas)?;
        self.look_up_if_due(FRESH);
        // It is the only one that there is, as a rule.
        if replicas.len() > 1 {
            let rested = replicas.iter().filter(|replica| replica.is_rested());
            rested.for_each(|replica| replica.connect(&self.news));
        }
        Some(lease)
    }

    async fn wait_for_one(self: &Arc<Self>) -> Result<Lease, Unreachable> {
        let arrived = Instant::now();
        let mut news = self.news.subscribe();
        loop {
            if let Some(lease) = self.ready() {
                return Ok(lease);
            }
            self.look_up_if_due(FRESH_IN_TROUBLE);
            let replicas = self.replicas();
            if let Some(why) = self.failed_since(arrived, &replicas) {
                return Err(Unreachable(why));
            }
            // The sender is in `self`, so there will be news.
            let _ = news.changed().await;
        }
    }

    fn least_busy(&self, replicas: &[Arc<Replica>]) -> Option<Lease> {
        let is_up = |replica: &&Arc<Replica>| matches!(replica.condition(), Condition::Up);
        if let [only] = replicas {
            return Some(only).filter(is_up)?.lease();
        }
        let mut up: Vec<_> = replicas.iter().filter(is_up).collect();
        // Of several that are equally busy, each in its turn.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % up.len().max(1);
        up.rotate_left(turn);
        up.sort_by_key(|replica| (replica.is_sick(), replica.calls()));
        // The first may have lost its connection just now.
        up.into_iter().find_map(Replica::lease)
    }

    /// Begins whatever may lead to a connection. If there is nothing to wait
    /// for, since all of it has failed after that time: why.
    fn failed_since(&self, arrived: Instant, replicas: &[Arc<Replica>]) -> Option<Arc<str>> {
        let mut failed = None;
        let mut waiting = false;
        for replica in replicas {
            match replica.condition() {
                Condition::Down { since, why } if since >= arrived => failed = Some(why),
                Condition::Up | Condition::Connecting => waiting = true,
                Condition::Idle | Condition::Down { .. } => {
                    replica.connect(&self.news);
                    waiting = true;
                }
            }
        }
        if waiting {
            return None;
        }
        failed.or_else(|| {
            self.known(|known| {
                let looked_up = known.looked_up.is_some_and(|at| at >= arrived);
                known.trouble.clone().filter(|_| looked_up)
            })
        })
    }

    fn look_up_if_due(self: &Arc<Self>, fresh: Duration) {
        if self.names.is_empty() {
            return;
        }
        let due = self.known(|known| match known.looked_up {
            Some(at) => known.replicas.is_empty() || at.elapsed() >= fresh,
            None => true,
        });
        if !due || self.looking_up.swap(true, Ordering::AcqRel) {
            return;
        }
        let replicas = self.clone();
        tokio::spawn(async move {
            replicas.look_up().await;
            replicas.looking_up.store(false, Ordering::Release);
            replicas.news.send_replace(());
        });
    }

    /// Looks all names up. One that cannot be looked up keeps the addresses
    /// that it had.
    async fn look_up(&self) {
        let old = self.replicas();
        let is_named = |replica: &&Arc<Replica>| replica.target.address().is_none();
        let mut new: Vec<_> = old.iter().filter(|one| !is_named(one)).cloned().collect();
        let mut trouble = None;
        for name in &self.names {
            let known = old.iter().filter(|replica| replica.target.is(name));
            match self.addresses(name).await {
                Ok(addresses) => new.extend(addresses.into_iter().map(|address| {
                    let known = known.clone().find(|replica| replica.address == address);
                    let fresh = || Arc::new(Replica::new(name.clone(), address));
                    known.cloned().unwrap_or_else(fresh)
                })),
                Err(error) => {
                    let (host, _) = name.host_and_port();
                    tracing::warn!(host, %error, "a name cannot be looked up");
                    trouble = Some(format!("{host}: {error}").into());
                    new.extend(known.cloned());
                }
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = Known {
            replicas: new.into(),
            looked_up: Some(Instant::now()),
            trouble,
        };
    }

    async fn addresses(&self, name: &Target) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = name.host_and_port();
        let looking_up = self.resolver.resolve(host, port);
        let mut addresses = tokio::time::timeout(LOOK_UP_TIMEOUT, looking_up)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        addresses.sort();
        addresses.dedup();
        if addresses.is_empty() {
            return Err(io::Error::other("the name has no address"));
        }
        Ok(addresses)
    }
}
