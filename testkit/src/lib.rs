//! Private servers for tests: a real PostgreSQL and a real Redis, each on a
//! free loopback port and in a directory of its own.
//!
//! Nothing here needs or touches the servers of the machine, only their
//! programs. A program that is not installed fails the test, with what to
//! install: a test that skips itself proves nothing. No server outlives the
//! test that started it, not even one that aborts.
//!
//! All calls block, for at most a second or so on an idle machine; a test on
//! Tokio makes them directly. What fails panics: the caller is a test.

mod account;
mod keeper;
mod port;
mod postgres;
mod programs;
mod redis;
mod redis_cluster;

pub use port::free_port;
pub use postgres::PrivatePostgres;
pub use redis::PrivateRedis;
pub use redis_cluster::PrivateRedisCluster;
