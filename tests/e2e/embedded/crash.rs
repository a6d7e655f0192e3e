//! Killed at any moment, it starts again and has everything.

use std::{
    hash::{BuildHasher as _, RandomState},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::clients::{self, Client, Random};
use crate::{
    common::{
        http::ready,
        processes::{END, Process},
    },
    programs::customauth,
};

const ROUNDS: u64 = 16;
const CLIENTS: usize = 6;

/// A number from the environment, for longer runs and for repeating one.
#[expect(clippy::disallowed_methods, reason = "a setting of the test alone")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn quiet(data: &Path) -> Command {
    let mut command = customauth(data);
    command.arg("--rust-log=error");
    command
}

/// Kills it during its start: during the very first one, that is in the middle
/// of making the keys and tables.
async fn killed_early(data: &Path, after: Duration) {
    let mut command = quiet(data);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    tokio::time::sleep(after).await;
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ended, None, "it did not start");
}

async fn check_files(data: &Path) {
    for name in ["auth.db", "profile.db"] {
        database::backup::check(&data.join(name)).await.unwrap();
    }
}

/// `CRASH_ROUNDS` makes it longer, `CRASH_SEED` starts the same way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_loses_nothing() {
    let seed = number("CRASH_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let rounds = number("CRASH_ROUNDS").unwrap_or(ROUNDS);
    println!("CRASH_SEED={seed} CRASH_ROUNDS={rounds}");
    let started = Instant::now();
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut clients = Client::several(CLIENTS, 0, &mut random);
    for round in 0..rounds {
        if round % 3 == 0 {
            let after = Duration::from_millis(random.below(250));
            killed_early(data, after).await;
        }
        let mut process = Process::start(quiet(data));
        let base = process.line_after("HTTP/JSON");
        ready(&base).await;
        clients = clients::check(clients, &base).await;
        let tasks: Vec<_> = clients.into_iter().map(|each| each.start(&base)).collect();
        tokio::time::sleep(Duration::from_millis(random.below(300))).await;
        process.0.kill().unwrap();
        process.0.wait().unwrap();
        clients = clients::joined(tasks).await;
    }
    check_files(data).await;
    let mut process = Process::start(quiet(data));
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    clients = clients::check(clients, &base).await;
    process.signal("-TERM");
    let (status, stderr) = process.end(END);
    assert_eq!(status, Some(0), "{stderr}");
    check_files(data).await;

    let sum = |what: fn(&Client) -> usize| clients.iter().map(what).sum::<usize>();
    let (users, acknowledged) = (
        sum(|client| client.accounts.len()),
        sum(|client| client.acknowledged),
    );
    let sessions = sum(|client| client.accounts.iter().map(|each| each.sessions.len()).sum());
    println!(
        "{rounds} kills in {:?}: {acknowledged} writes acknowledged, {} in doubt; \
         {users} users with {sessions} sessions are there",
        started.elapsed(),
        sum(|client| client.in_doubt),
    );
    assert!(acknowledged > 20, "there was something to lose");
}
