//! The program `auth-service`: its settings, its listener, [`auth_service::serve`].

use std::process::ExitCode;

use anyhow::Context as _;
use auth_service::config::{Cli, Config};
use kit::metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    kit::process::run(|cli: &Cli| &cli.common.process, run)
}

#[expect(clippy::print_stdout, reason = "the address is for whoever started it")]
async fn run(cli: Cli, stop: CancellationToken) -> anyhow::Result<()> {
    let config = Config::from_cli(&cli)?;
    let address = cli.settings.auth_listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let metrics = metrics::listen(cli.common.metrics_listen, &config.metrics).await?;
    println!("auth-service listens on {}", listener.local_addr()?);
    if let Some(metrics) = &metrics {
        println!("auth-service serves metrics on {}", metrics.address());
    }
    auth_service::serve(config, listener, stop.into()).await
}
