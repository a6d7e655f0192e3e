//! The program `profile-service`: its settings, its listener,
//! [`profile_service::serve`].

use std::process::ExitCode;

use anyhow::Context as _;
use profile_service::config::{Cli, Config};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    kit::process::run(|cli: &Cli| &cli.common.log, run)
}

#[expect(clippy::print_stdout, reason = "the address is for whoever started it")]
async fn run(cli: Cli, stop: CancellationToken) -> anyhow::Result<()> {
    let config = Config::from_cli(&cli)?;
    let address = cli.settings.profile_listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    println!("profile-service listens on {}", listener.local_addr()?);
    profile_service::serve(config, listener, stop.into()).await
}
