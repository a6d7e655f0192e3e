//! The life of a process: settings, log, work, signal, end.

use std::{future::Future, io, process::ExitCode, thread};

use clap::Parser;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    crypto,
    settings::{self, ProcessSettings, SettingsError},
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
    process: impl FnOnce(&S) -> &ProcessSettings,
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
    let process = process(&settings);
    let threads = process
        .worker_threads
        .map_or_else(worker_threads, usize::from);
    if let Err(error) = telemetry::install(&process.rust_log) {
        return fail(BAD_SETTINGS, &error.to_string());
    }
    crypto::install();
    // A connection is a descriptor, and shells start programs with 1,024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
    let runtime = match runtime(threads) {
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

/// How many threads a process has for its requests, unless it is told: half as many as
/// there are cores. The others are for the databases and the other services; and a thread
/// that is woken for every few requests costs more than it helps.
fn worker_threads() -> usize {
    thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_has_the_threads_that_it_is_given() {
        for threads in [1, 3] {
            let runtime = runtime(threads).unwrap();
            assert_eq!(runtime.metrics().num_workers(), threads);
        }
    }

    #[test]
    fn half_of_the_cores_are_left_to_others() {
        let cores = thread::available_parallelism().unwrap().get();
        let threads = worker_threads();
        assert!(threads >= 1 && (threads * 2 <= cores || threads == 1));
        assert!(threads * 2 + 1 >= cores, "{threads} of {cores}");
    }
}
