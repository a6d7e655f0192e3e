//! What tests rely on when they use a private PostgreSQL.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use testkit::PrivatePostgres;

#[test]
fn it_answers_and_every_database_is_new() {
    let postgres = PrivatePostgres::shared();
    let one = postgres.create_database("Sign-In; DROP TABLE users");
    let other = postgres.create_database("Sign-In; DROP TABLE users");
    assert_ne!(one, other);
    let start = format!(
        "postgres://postgres@127.0.0.1:{}/signindroptableusers_",
        postgres.port()
    );
    assert!(one.starts_with(&start), "{one}");
    postgres.psql(
        &one,
        "CREATE TABLE kept (number int); INSERT INTO kept VALUES (7)",
    );
    assert_eq!(postgres.psql(&one, "SELECT number, 'x' FROM kept"), "7|x");
    assert_eq!(
        postgres.psql(
            &other,
            "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"
        ),
        "0"
    );
    assert_eq!(postgres.psql(&one, "SHOW max_connections"), "300");
}

#[test]
fn a_stop_cuts_it_off_and_a_start_brings_back_port_and_data() {
    let isolation = "default_transaction_isolation = serializable";
    let postgres = PrivatePostgres::start_with(&[isolation]);
    let (url, port) = (postgres.create_database("fault"), postgres.port());
    assert_eq!(
        postgres.psql(&url, "SHOW default_transaction_isolation"),
        "serializable"
    );
    for number in 0..3 {
        postgres.psql(&url, &format!("CREATE TABLE kept_{number} ()"));
        postgres.stop();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
        postgres.start_again();
        assert_eq!(postgres.port(), port);
    }
    assert_eq!(
        postgres.psql(
            &url,
            "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'kept%'"
        ),
        "3"
    );
}

#[test]
fn a_kill_loses_nothing_that_was_committed() {
    let postgres = PrivatePostgres::start();
    let (url, port) = (postgres.create_database("fault"), postgres.port());
    postgres.psql(&url, "CREATE TABLE kept (number int)");
    for number in 1..=3 {
        postgres.psql(&url, &format!("INSERT INTO kept VALUES ({number})"));
        postgres.kill();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
        postgres.start_again();
        assert_eq!(postgres.port(), port);
        assert_eq!(
            postgres.psql(&url, "SELECT count(*) FROM kept"),
            number.to_string()
        );
    }
    // A busy session dies with it, although it would not notice for long.
    thread::scope(|scope| {
        let busy = scope
            .spawn(|| postgres.psql(&url, "SELECT count(*) FROM generate_series(1, 10000000000)"));
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate%'";
        let deadline = Instant::now() + Duration::from_secs(20);
        while postgres.psql(&url, sessions) != "2" {
            assert!(Instant::now() < deadline, "the session does not begin");
        }
        postgres.kill();
        assert!(busy.join().is_err());
    });
    // In any order, and more than once.
    postgres.kill();
    postgres.stop();
    postgres.start_again();
    assert_eq!(postgres.psql(&url, "SELECT count(*) FROM kept"), "3");
}

#[test]
fn the_environment_adds_settings_below_those_of_a_test() {
    const SETTINGS: &str = "TESTKIT_POSTGRES";
    if std::env::var_os(SETTINGS).is_some_and(|text| text == "work_mem = 5MB;max_connections=40;") {
        let postgres = PrivatePostgres::start_with(&["max_connections = 50"]);
        let url = postgres.create_database("settings");
        assert_eq!(postgres.psql(&url, "SHOW work_mem"), "5MB");
        assert_eq!(postgres.psql(&url, "SHOW max_connections"), "50");
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "the_environment_adds_settings_below_those_of_a_test",
        ])
        .env(SETTINGS, "work_mem = 5MB;max_connections=40;")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("1 passed"), "{output:?}");
}

#[test]
#[should_panic(expected = "unrecognized configuration parameter")]
fn a_server_that_does_not_start_says_why() {
    PrivatePostgres::start_with(&["no_such_setting = on"]);
}

#[test]
#[should_panic(expected = "syntax error")]
fn sql_that_fails_says_why() {
    let postgres = PrivatePostgres::shared();
    postgres.psql(&postgres.create_database("broken"), "SELEC 1");
}
