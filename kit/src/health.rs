//! `grpc.health.v1`: asks a service's own stores at the moment of the question.
//!
//! Known names are "", the full name of the service, and the names of its
//! stores, so that whoever asks can find out which one is down.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_server::Health as HealthRpc,
};

/// How long a store may take to answer before it counts as down.
const PATIENCE: Duration = Duration::from_secs(1);
/// For how long an answer stands: however many ask, the stores are asked this
/// often at the most.
const FRESH: Duration = Duration::from_millis(100);
/// How often the log says that a store is still down.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// How often a watched status is looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Something that a service cannot work without.
#[async_trait]
pub trait Dependency: Send + Sync {
    /// Succeeds when it can be used now.
    async fn ping(&self) -> anyhow::Result<()>;
}

/// A dependency, and what it said last. Held while it is asked: one at a time.
struct Watched {
    name: &'static str,
    dependency: Arc<dyn Dependency>,
    last: Mutex<Said>,
}

/// What a dependency said last.
#[derive(Clone, Copy, Default)]
struct Said {
    /// When it was asked, and whether it can be used.
    answer: Option<(Instant, bool)>,
    /// When the log was last told that it cannot be.
    told: Option<Instant>,
}

/// A service's health.
#[derive(Clone)]
pub struct Health {
    services: &'static [&'static str],
    dependencies: Arc<[Watched]>,
    stop: CancellationToken,
}

impl Health {
    /// The health of `services` (full names), which all need every one of the
    /// named `dependencies`. After `stop` they are no longer serving.
    pub fn new(
        services: &'static [&'static str],
        dependencies: impl IntoIterator<Item = (&'static str, Arc<dyn Dependency>)>,
        stop: CancellationToken,
    ) -> Self {
        let watched = |(name, dependency)| Watched {
            name,
            dependency,
            last: Mutex::default(),
        };
        Self {
            services,
            dependencies: dependencies.into_iter().map(watched).collect(),
            stop,
        }
    }

    /// Asks until every dependency could be used once, so that the log tells
    /// what a service that has just started is waiting for.
    pub async fn wait_for_dependencies(self) {
        let all = 0..self.dependencies.len();
        let each = all.map(|index| {
            let (dependencies, stop) = (self.dependencies.clone(), self.stop.clone());
            async move {
                while !stop.is_cancelled() && !dependencies[index].is_usable().await {
                    tokio::time::sleep(WATCH_INTERVAL).await;
                }
            }
        });
        each.collect::<JoinSet<()>>().join_all().await;
    }

    async fn status(&self, name: &str) -> Option<ServingStatus> {
        let whole = name.is_empty() || self.services.contains(&name);
        if !whole && !self.dependencies.iter().any(|known| known.name == name) {
            return None;
        }
        if self.stop.is_cancelled() {
            return Some(ServingStatus::NotServing);
        }
        for dependency in self.dependencies.iter() {
            if (whole || dependency.name == name) && !dependency.is_usable().await {
                return Some(ServingStatus::NotServing);
            }
        }
        Some(ServingStatus::Serving)
    }

    async fn watch_into(
        self,
        name: String,
        sender: mpsc::Sender<Result<HealthCheckResponse, Status>>,
    ) {
        let mut told = None;
        loop {
            let unknown = ServingStatus::ServiceUnknown;
            let status = self.status(&name).await.unwrap_or(unknown);
            if told != Some(status) {
                told = Some(status);
                if sender.send(Ok(answer(status))).await.is_err() {
                    return;
                }
            }
            if self.stop.is_cancelled() {
                return;
            }
            tokio::select! {
                () = sender.closed() => return,
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
            }
        }
    }
}

impl Watched {
    async fn is_usable(&self) -> bool {
        let mut last = self.last.lock().await;
        if let Some((asked, usable)) = last.answer
            && asked.elapsed() < FRESH
        {
            return usable;
        }
        let said = self.ask().await;
        last.answer = Some((Instant::now(), said.is_ok()));
        last.told = self.tell(last.told, said.as_ref().err());
        said.is_ok()
    }

    async fn ask(&self) -> Result<(), String> {
        match tokio::time::timeout(PATIENCE, self.dependency.ping()).await {
            Ok(said) => said.map_err(|error| format!("{error:#}")),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    /// Tells the log of a change, and now and then that there is none; when it
    /// was told of the trouble that there is.
    fn tell(&self, told: Option<Instant>, trouble: Option<&String>) -> Option<Instant> {
        let dependency = self.name;
        match (told, trouble) {
            (None, None) => None,
            (Some(_), None) => {
                tracing::info!(dependency, "usable again");
                None
            }
            (Some(told), Some(_)) if told.elapsed() < TELL_EVERY => Some(told),
            (_, Some(error)) => {
                tracing::warn!(dependency, error, "not usable: waiting for it");
                Some(Instant::now())
            }
        }
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[async_trait]
impl HealthRpc for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match self.status(&request.get_ref().service).await {
            Some(status) => Ok(Response::new(answer(status))),
            None => Err(Status::not_found("no such service is here")),
        }
    }

    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (sender, receiver) = mpsc::channel(1);
        let name = request.into_inner().service;
        tokio::spawn(self.clone().watch_into(name, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
