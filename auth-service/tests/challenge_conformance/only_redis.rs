//! What only Redis can get wrong: its keys, and that it goes away.

use super::*;

#[tokio::test]
async fn every_redis_key_expires_and_none_holds_a_code() {
    let redis = PrivateRedis::start();
    let bench = Bench::over(&redis.url());
    let started = bench.start(ANNA, HOME).await;
    let wrong = other(&started.code);
    assert!(!bench.takes(Carrier::Id(started.id), &wrong, HOME).await);
    assert!(!bench.takes(Carrier::Bare, &wrong, HOME).await);
    let keys = redis.raw(&["KEYS", "*"]);
    assert_eq!(keys.lines().count(), 8, "{keys}");
    for key in keys.lines() {
        let life: i64 = redis.raw(&["PTTL", key]).trim().parse().unwrap();
        assert!(life > 0, "{key} never expires");
        let content = match redis.raw(&["TYPE", key]).trim() {
            "zset" => redis.raw(&["ZRANGE", key, "0", "-1"]),
            _ => redis.raw(&["GET", key]),
        };
        let values: Vec<&str> = content.split_whitespace().collect();
        assert!(
            !values.contains(&started.code.digits()),
            "{key} holds the code"
        );
        assert!(!content.contains(HOME), "{key} holds the address");
    }
    bench.spend(&started).await;
    let keys = redis.raw(&["KEYS", "*"]);
    assert!(
        !keys.contains(":named:") && !keys.contains(":bare:"),
        "{keys}"
    );
    assert!(!keys.contains(":row:"), "{keys}");
}

#[tokio::test]
async fn redis_that_is_down_is_told_and_used_again_when_it_is_back() {
    let redis = PrivateRedis::start();
    let bench = Bench::over(&redis.url());
    bench.start(ANNA, HOME).await;
    redis.stop();
    let refused = bench
        .challenges
        .start(&number(ANNA), None, ip(HOME), DELIVERY, bench.clock.now())
        .await;
    assert!(refused.is_err());
    redis.start_again();
    // The connection is made again in the background: within a few seconds.
    for attempt in 0.. {
        let started = bench
            .challenges
            .start(&number(ANNA), None, ip(HOME), DELIVERY, bench.clock.now())
            .await;
        match started {
            Ok(started) => {
                assert!(
                    bench
                        .takes(Carrier::Id(started.id), &started.code, HOME)
                        .await
                );
                break;
            }
            Err(error) => assert!(attempt < 50, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
