//! The whole product in one process: profile-service, auth-service and the
//! gateway, which talk real gRPC over loopback, on SQLite and an in-process
//! challenge store. Nothing has to be installed or set.
//!
//! The embedded defaults live here and nowhere else.

mod backup;
mod data_dir;
mod settings;
mod stack;

pub use backup::{Backup, back_up};
pub use settings::{Command, Settings};
pub use stack::{Addresses, Stack};
