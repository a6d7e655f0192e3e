//! What must not differ between the processes: how they serve, call each
//! other, check tokens, read settings, log and stop.
//!
//! Of the product's own words this crate knows only "user" and "session id",
//! as claims of a token.

pub mod access_token;
pub mod admission;
pub mod backoff;
pub mod client;
pub mod client_address;
pub mod clock;
pub mod context;
pub mod cors;
pub mod crypto;
pub mod deadline;
pub mod grpc;
pub mod health;
pub mod jwks;
pub mod listener;
pub mod metrics;
pub mod process;
pub mod random;
pub mod service_token;
pub mod settings;
pub mod stop;
pub mod telemetry;
pub mod tls;
mod together;
pub mod turns;
mod verified;
pub mod wait;
