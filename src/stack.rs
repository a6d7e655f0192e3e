//! The three services in one process.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use kit::{
    metrics::{self, Listening},
    stop::Stop,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    data_dir::DataDir,
    settings::{Configs, Settings},
};

/// How long the end may take in all. A process ends within 10 seconds of the
/// signal.
const END: Duration = Duration::from_secs(9);

/// Where the three services listen, and where their metrics are.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The gateway: HTTP/JSON.
    pub gateway: SocketAddr,
    /// auth-service: gRPC.
    pub auth: SocketAddr,
    /// profile-service: gRPC.
    pub profile: SocketAddr,
    /// The metrics of all three; `None` where the gateway tells them.
    pub metrics: Option<SocketAddr>,
}

/// The running product.
pub struct Stack {
    addresses: Addresses,
    gateway: Running,
    auth: Running,
    profile: Running,
    _metrics: Option<Listening>,
    _data: DataDir,
}

impl Stack {
    /// Starts everything; the listeners are bound when this returns.
    ///
    /// # Errors
    /// When the data directory or a listener cannot be had, or a setting is
    /// wrong.
    pub async fn start(mut settings: Settings) -> anyhow::Result<Self> {
        let data = DataDir::open(&settings.data_dir)?;
        settings.fill_in(&data)?;
        let gateway = bind(settings.gateway.gateway_listen).await?;
        let auth = bind(settings.auth.auth_listen).await?;
        let profile = bind(settings.profile.profile_listen).await?;
        let (auth_address, profile_address) = (auth.local_addr()?, profile.local_addr()?);
        let configs: Configs = settings.configs(auth_address, profile_address)?;
        let metrics = settings.common.metrics_listen;
        let metrics = metrics::listen(metrics, &configs.gateway.metrics).await?;
        let addresses = Addresses {
            gateway: gateway.local_addr()?,
            auth: auth_address,
            profile: profile_address,
            metrics: metrics.as_ref().map(Listening::address),
        };
        Ok(Self {
            addresses,
            profile: Running::start(|stop| profile_service::serve(configs.profile, profile, stop)),
            auth: Running::start(|stop| auth_service::serve(configs.auth, auth, stop)),
            gateway: Running::start(|stop| gateway::serve(configs.gateway, gateway, stop)),
            _metrics: metrics,
            _data: data,
        })
    }

    /// Where the services listen.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Runs until `stop`, then ends: nobody takes new connections any more, and
    /// the gateway's requests in flight, which need the two others, are answered
    /// before those end.
    ///
    /// # Errors
    /// When a service failed; the others are ended then.
    pub async fn run_until(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let failed = tokio::select! {
            () = stop.cancelled() => Ok(()),
            failed = self.gateway.ended() => failed.context("the gateway failed"),
            failed = self.auth.ended() => failed.context("auth-service failed"),
            failed = self.profile.ended() => failed.context("profile-service failed"),
        };
        let mut services = [&mut self.gateway, &mut self.auth, &mut self.profile];
        for service in &services {
            service.stop.closing.cancel();
        }
        let ending = async {
            for service in &mut services {
                service.stop.ending.cancel();
                // What it has to say at the end was said in the log.
                let _ = service.ended().await;
            }
        };
        if tokio::time::timeout(END, ending).await.is_err() {
            tracing::warn!("some requests did not end in time and are cut off");
        }
        failed
    }
}

/// A service that runs as a task.
struct Running {
    stop: Stop,
    task: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Running {
    fn start<F>(serve: impl FnOnce(Stop) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = Stop::default();
        let task = Some(tokio::spawn(serve(stop.clone())));
        Self { stop, task }
    }

    /// Waits for its end, which is told once.
    async fn ended(&mut self) -> anyhow::Result<()> {
        let Some(task) = &mut self.task else {
            return Ok(());
        };
        let ended = task.await;
        self.task = None;
        ended?
    }
}

impl Drop for Running {
    /// A stack that is dropped without `run_until`, as a failed test does.
    fn drop(&mut self) {
        self.stop.at_once();
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}
