//! The program `profile-service`: its settings, its listener,
//! [`profile_service::serve`].

use std::process::ExitCode;

use anyhow::Context as _;
use kit::metrics;
use profile_service::config::{Cli, Config};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    kit::process::run(|cli: &Cli| &cli.common.process, run)
}

#[expect(clippy::print_stdout, reason = "the address is for whoever started it")]
async fn run(cli: Cli, stop: CancellationToken) -> anyhow::Result<()> {
    let config = Config::from_cli(&cli)?;
    let address = cli.settings.profile_listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let metrics = metrics::listen(cli.common.metrics_listen, &config.metrics).await?;
    println!("profile-service listens on {}", listener.local_addr()?);
    if let Some(metrics) = &metrics {
        println!("profile-service serves metrics on {}", metrics.address());
    }
    profile_service::serve(config, listener, stop.into()).await
}
