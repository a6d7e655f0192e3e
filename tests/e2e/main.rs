//! End to end: real HTTP and real gRPC against the running product, on the
//! embedded storage and on PostgreSQL and Redis. A file is a promise.

mod architecture;
mod bad_input;
mod common;
mod grpc;
mod journey;
mod logs;
mod outage;
mod programs;
mod races;
