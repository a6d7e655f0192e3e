//! The parts of the work alone, in processes of their own: `server` answers with
//! nothing behind it, `worker` asks the stores, signs, and calls that server.

mod bare;
pub(crate) mod drive;
mod front;
mod orders;
pub(crate) mod server;
mod server_calls;
mod stores;
mod way;
pub(crate) mod worker;

pub(crate) use drive::{Floor, sum};

use clap::ValueEnum;

/// A part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Part {
    /// An HTTP/1.1 request with a small JSON body, answered with another by axum
    Http,
    /// The same, a profile with 20 followers
    Http20,
    /// The same with 1,000
    Http1000,
    /// A unary call by tonic, both sides: a code and a pair of tokens
    Hop,
    /// The same, a profile with 20 followers
    Hop20,
    /// The same with 1,000
    Hop1000,
    /// The callee's side of a unary call, from a connection each: a code and a
    /// pair of tokens
    Call,
    /// The same, a profile with 20 followers
    Call20,
    /// All that is asked of Redis for a sign-in with a bare code
    RedisBare,
    /// The same with a challenge that is named
    RedisNamed,
    /// A wrong code for a challenge that is named
    RedisWrong,
    /// A known user's sign-in: one statement, one commit
    SqlReturning,
    /// The same by the product's own store
    StoreReturning,
    /// A new user, a session and a profile: three INSERTs, one commit
    SqlThreeRows,
    /// A new user's sign-in as the product's stores write it
    StoreNew,
    /// A profile without followers
    SqlProfile,
    /// With 20
    SqlProfile20,
    /// With 1,000
    SqlProfile1000,
    /// A profile without followers by the product's own store
    StoreProfile,
    /// With 20
    StoreProfile20,
    /// With 1,000
    StoreProfile1000,
    /// An Ed25519 signature
    Sign,
    /// Its check
    Verify,
}

impl Part {
    /// What the worker and the command line call it.
    pub(crate) fn word(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// What it is, in a few words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP answer, axum",
            Self::Http20 => "HTTP answer, 20 followers",
            Self::Http1000 => "HTTP answer, 1,000 followers",
            Self::Hop => "gRPC hop, both sides",
            Self::Hop20 => "gRPC hop, 20 followers",
            Self::Hop1000 => "gRPC hop, 1,000 followers",
            Self::Call => "gRPC answer to a client",
            Self::Call20 => "gRPC answer, 20 followers",
            Self::RedisBare => "Redis, sign-in, bare code",
            Self::RedisNamed => "Redis, sign-in, named challenge",
            Self::RedisWrong => "Redis, wrong code",
            Self::SqlReturning => "SQL, returning sign-in",
            Self::SqlThreeRows => "SQL, three rows, one commit",
            Self::StoreReturning => "store, returning sign-in",
            Self::StoreNew => "store, new sign-in as it is",
            Self::StoreProfile => "store, profile",
            Self::StoreProfile20 => "store, profile, 20 followers",
            Self::StoreProfile1000 => "store, profile, 1,000 followers",
            Self::SqlProfile => "SQL, profile",
            Self::SqlProfile20 => "SQL, profile, 20 followers",
            Self::SqlProfile1000 => "SQL, profile, 1,000 followers",
            Self::Sign => "Ed25519 signature",
            Self::Verify => "Ed25519 check",
        }
    }

    /// The players ask for it, not the worker.
    pub(crate) fn is_asked_from_outside(self) -> bool {
        matches!(
            self,
            Self::Http | Self::Http20 | Self::Http1000 | Self::Call | Self::Call20
        )
    }

    /// How many followers are in its answer.
    pub(crate) fn followers(self) -> usize {
        match self {
            Self::Http20
            | Self::Hop20
            | Self::Call20
            | Self::SqlProfile20
            | Self::StoreProfile20 => 20,
            Self::Http1000 | Self::Hop1000 | Self::SqlProfile1000 | Self::StoreProfile1000 => 1_000,
            _ => 0,
        }
    }
}
