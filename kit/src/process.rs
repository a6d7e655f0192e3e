//! The life of a process: settings, log, work, signal, end.

use std::{future::Future, process::ExitCode};

use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    crypto,
    settings::{self, LogSettings, SettingsError},
    telemetry,
};

/// Exit status for a wrong or missing setting.
const BAD_SETTINGS: u8 = 2;

/// Runs a program: reads its settings, starts the log, and does its `work`
/// until that ends, giving it a token that SIGTERM or Ctrl-C cancels. A second
/// signal ends the process at once.
///
/// The status is 0 after a clean end, 2 for a wrong setting and 1 for any
/// other failure; both are told in one line on stderr.
pub fn run<S, W>(
    log: impl FnOnce(&S) -> &LogSettings,
    work: impl FnOnce(S, CancellationToken) -> W,
) -> ExitCode
where
    S: Parser,
    W: Future<Output = anyhow::Result<()>>,
{
    let settings = match S::try_parse() {
        Ok(settings) => settings,
        Err(error) => {
            let Some(line) = settings::one_line(&error) else {
                error.exit();
            };
            return fail(BAD_SETTINGS, &line);
        }
    };
    if let Err(error) = telemetry::install(log(&settings)) {
        return fail(BAD_SETTINGS, &error.to_string());
    }
    crypto::install();
    // A connection is a descriptor, and shells start programs with 1,024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("cannot start the runtime: {error}")),
    };
    let ended = runtime.block_on(async {
        let stop = stop_on_signal()?;
        work(settings, stop).await
    });
    // What is still running was given its time; it must not hold up the end.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<SettingsError>() => fail(BAD_SETTINGS, &error.to_string()),
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the last word of a process is for its user"
)]
fn fail(status: u8, line: &str) -> ExitCode {
    eprintln!("error: {line}");
    ExitCode::from(status)
}

fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping: requests in flight are answered first");
        told.cancel();
        either(&mut terminate, &mut interrupt).await;
        tracing::warn!("second signal: ending at once");
        std::process::exit(1);
    });
    Ok(stop)
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
