//! What tests rely on when they use a private Redis Cluster.

use testkit::PrivateRedisCluster;

#[test]
fn a_killed_master_is_replaced_and_comes_back_as_a_replica() {
    let cluster = PrivateRedisCluster::start();
    assert_eq!(cluster.url().matches("127.0.0.1:").count(), 6);
    assert_eq!(cluster.nodes().len(), 6);
    assert_eq!(cluster.masters().len(), 3);

    let first = cluster.master_of("{phone}a");
    assert_eq!(first.raw(&["MSET", "{phone}a", "1", "{phone}b", "2"]), "OK");
    let refused = first.raw(&["MSET", "{phone}a", "1", "b", "2"]);
    assert!(refused.starts_with("CROSSSLOT"), "{refused}");
    cluster.wait_until_replicated(first);

    let second = cluster.replica_of(first);
    assert_ne!(first.port(), second.port());
    first.kill();
    cluster.wait_until_served();
    assert_eq!(cluster.master_of("{phone}a").port(), second.port());
    assert_eq!(second.raw(&["GET", "{phone}a"]), "1");

    first.start_again();
    cluster.wait_until_healthy();
    assert_eq!(cluster.replica_of(second).port(), first.port());

    // And back again, by the other way to end.
    second.stop();
    cluster.wait_until_served();
    assert_eq!(first.raw(&["GET", "{phone}b"]), "2");
    second.start_again();
    cluster.wait_until_healthy();

    // All at once: each comes back as what it was, without keys.
    for node in cluster.nodes() {
        node.kill();
    }
    for node in cluster.nodes() {
        node.start_again();
    }
    cluster.wait_until_healthy();
    assert_eq!(cluster.master_of("{phone}a").raw(&["GET", "{phone}a"]), "");
}
