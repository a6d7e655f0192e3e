//! The gRPC contract: the messages and services of the `.proto` files beside
//! this crate, and the reasons that errors carry. It does no I/O.

mod codec;
mod details;
mod idempotency;
mod methods;
pub mod reason;
pub mod refusal;

pub use idempotency::is_idempotent;
pub use methods::paths;
pub use reason::Reason;
pub use refusal::Refusal;

/// Everything reflection serves: the files with their comments and imports.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("descriptors");

/// The package `auth`.
pub mod auth {
    /// The package `auth.v1`.
    #[expect(clippy::pedantic, clippy::allow_attributes, reason = "generated code")]
    pub mod v1 {
        tonic::include_proto!("auth.v1");
    }
}

/// The package `profile`.
pub mod profile {
    /// The package `profile.v1`.
    #[expect(clippy::pedantic, clippy::allow_attributes, reason = "generated code")]
    pub mod v1 {
        tonic::include_proto!("profile.v1");
    }
}
