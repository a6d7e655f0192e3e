//! What the stores in Redis share: a connection to one server or a cluster, and
//! scripts.

mod cluster;
mod connection;
mod figures;
mod pipeline;
mod script;

use ::redis::RedisError;

pub(crate) use connection::{Connection, Servers, Twice};
pub(crate) use script::{Call, Script};

use crate::challenges::store::Unavailable;

impl From<RedisError> for Unavailable {
    fn from(error: RedisError) -> Self {
        // The kind and the detail of the server's answer; never an argument.
        Self(error.to_string())
    }
}
