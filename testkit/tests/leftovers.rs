//! No server and no directory is left when a test dies.

use std::{
    net::TcpStream,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use testkit::{PrivatePostgres, PrivateRedis};

/// Set for the process that this test starts to see it die.
const DIES: &str = "TESTKIT_DIES";

#[test]
fn an_aborted_test_leaves_nothing() {
    if std::env::var_os(DIES).is_some() {
        let stopped = PrivateRedis::start();
        stopped.stop();
        println!("port {}", PrivateRedis::shared().port());
        println!("port {}", PrivatePostgres::shared().port());
        std::process::abort();
    }
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "an_aborted_test_leaves_nothing", "--nocapture"])
        .env(DIES, "")
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let ports: Vec<u16> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("port ")?.parse().ok())
        .collect();
    assert_eq!(ports.len(), 2, "{output:?}");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let servers = ports.iter().filter(|port| is_open(**port)).count();
        let directories = directory.path().read_dir().unwrap().count();
        if servers + directories == 0 {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{servers} servers and {directories} directories left"
        );
        sleep(Duration::from_millis(20));
    }
}

fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
