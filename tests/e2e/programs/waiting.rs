//! Thousands who wait for their message at once.

use serde_json::json;

use super::*;

/// How much of the memory is a process's own, in KiB.
fn resident(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let size = line.unwrap().split_whitespace().nth(1);
    size.unwrap().parse().unwrap()
}

/// How many wait at once. `WAITING=10000` is what is promised; a debug build on
/// a busy machine has a hard time with it.
#[expect(clippy::disallowed_methods, reason = "a setting of the test alone")]
fn waiting() -> usize {
    let set = std::env::var("WAITING").ok();
    set.map_or(2_000, |set| set.parse().unwrap())
}

/// The number of threads of a process.
fn threads(process: &Process) -> usize {
    let tasks = format!("/proc/{}/task", process.0.id());
    std::fs::read_dir(tasks).unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_wait_for_their_message_without_a_thread_each() {
    let waiting = waiting();
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut slow = customauth(data.path());
    // As long as it takes to begin them all, and a little more.
    let delay = 3_000 + waiting / 2;
    slow.arg(format!("--auth-sms-delay-ms={delay}"));
    slow.arg("--rust-log=warn");
    let mut process = Process::start(slow);
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    let before = threads(&process);
    let empty = resident(&process);
    let requests: Vec<_> = (0..waiting)
        .map(|each| {
            let auths = format!("{base}/api/v1/auths/");
            let body = json!({ "phone_number": format!("+7701{each:07}") });
            tokio::spawn(async move { send("POST", &auths, None, body).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1500 + waiting as u64 / 2)).await;
    let each = (resident(&process) - empty) * 1024 / waiting;
    println!("{waiting} requests wait, with {each} bytes each");
    let finished = requests.iter().filter(|request| request.is_finished());
    assert_eq!(finished.count(), 0, "all of them wait at once");
    // A stray one may have been started by a store.
    assert!(
        threads(&process) <= before + 4,
        "{before}: {}",
        threads(&process)
    );
    let mut codes = std::collections::HashSet::new();
    for request in requests {
        let answer = request.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        codes.insert(answer.code());
    }
    assert_eq!(
        codes.len(),
        waiting,
        "the codes at one address are distinct"
    );
}
