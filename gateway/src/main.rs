//! The program `gateway`: its settings, its listener, [`gateway::serve`].

use std::process::ExitCode;

use anyhow::Context as _;
use gateway::config::{Cli, Config};
use kit::metrics;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    kit::process::run(|cli: &Cli| &cli.common.process, run)
}

#[expect(clippy::print_stdout, reason = "the address is for whoever started it")]
async fn run(cli: Cli, stop: CancellationToken) -> anyhow::Result<()> {
    let config = Config::from_cli(&cli)?;
    let address = config.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let metrics = metrics::listen(config.metrics_listen, &config.metrics).await?;
    let scheme = if config.over_tls { "https" } else { "http" };
    println!("gateway listens on {scheme}://{}", listener.local_addr()?);
    if let Some(metrics) = &metrics {
        println!("gateway serves metrics on {}", metrics.address());
    }
    gateway::serve(config, listener, stop.into()).await
}
