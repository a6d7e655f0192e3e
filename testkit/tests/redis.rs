//! What tests rely on when they use a private Redis.

use std::{net::TcpListener, thread, time::Duration};

use testkit::PrivateRedis;

#[test]
fn it_answers_and_is_set_up_as_the_service_wants_it() {
    let redis = PrivateRedis::shared();
    assert_eq!(redis.url(), format!("redis://127.0.0.1:{}", redis.port()));
    assert_eq!(redis.raw(&["PING"]), "PONG");
    assert_eq!(
        redis.raw(&["CONFIG", "GET", "maxmemory-policy"]),
        "maxmemory-policy\nnoeviction"
    );
    assert_eq!(redis.raw(&["CONFIG", "GET", "save"]), "save");
    assert!(std::ptr::eq(redis, PrivateRedis::shared()));
}

#[test]
fn a_stop_or_a_kill_cuts_it_off_and_a_start_brings_back_the_port_without_keys() {
    let redis = PrivateRedis::start_with(&["maxmemory 8mb"]);
    let port = redis.port();
    assert_eq!(
        redis.raw(&["CONFIG", "GET", "maxmemory"]),
        "maxmemory\n8388608"
    );
    for end in [PrivateRedis::stop, PrivateRedis::kill] {
        assert_eq!(redis.raw(&["SET", "key", "value"]), "OK");
        assert_eq!(redis.raw(&["KEYS", "*"]), "key");
        end(&redis);
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
        redis.start_again();
        assert_eq!(redis.port(), port);
        assert_eq!(redis.raw(&["KEYS", "*"]), "");
    }
}

#[test]
fn a_start_waits_for_its_port_and_takes_no_other_server_for_its_own() {
    let redis = PrivateRedis::start();
    redis.stop();
    let taken = TcpListener::bind(("127.0.0.1", redis.port())).unwrap();
    let freed = thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        drop(taken);
    });
    redis.start_again();
    assert_eq!(redis.raw(&["PING"]), "PONG");
    freed.join().unwrap();
}

#[test]
#[should_panic(expected = "Bad directive")]
fn a_server_that_does_not_start_says_why() {
    PrivateRedis::start_with(&["no-such-setting on"]);
}
