//! The signing keys in force: read again when their file changes, so that a
//! rotation needs no restart and ends no session.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use jsonwebtoken::DecodingKey;
use kit::access_token::KeyFinder;
use proto::Refusal;
use tokio_util::sync::CancellationToken;

use crate::signing_keys::{KeyError, SigningKeys};

/// How often the file is looked at. A change is in force within 5 s.
const LOOK: Duration = Duration::from_secs(2);

/// Keys that may change.
pub struct KeyRing {
    setting: String,
    current: RwLock<Arc<SigningKeys>>,
}

impl KeyRing {
    /// The keys of `AUTH_SIGNING_KEY`: PEM blocks, or the path of a file.
    ///
    /// # Errors
    /// When there is no Ed25519 key, or something else among them.
    pub fn open(setting: &str) -> Result<Self, KeyError> {
        Ok(Self {
            setting: setting.to_owned(),
            current: RwLock::new(Arc::new(SigningKeys::from_setting(setting)?)),
        })
    }

    /// The keys in force now.
    pub fn current(&self) -> Arc<SigningKeys> {
        let keys = self.current.read().unwrap_or_else(PoisonError::into_inner);
        keys.clone()
    }

    /// Looks for changes until `stop`. Keys that cannot be read leave the ones
    /// in force as they are: half a file is no reason to end everybody's
    /// session.
    pub async fn watch(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => self.look(),
            }
        }
    }

    fn look(&self) {
        match SigningKeys::from_setting(&self.setting) {
            Ok(read) if read.jwks() == self.current().jwks() => {}
            Ok(read) => {
                tracing::info!(keys = ?read, "the signing keys have changed");
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
            }
            Err(error) => tracing::error!(%error, "the signing keys cannot be read again"),
        }
    }
}

#[async_trait]
impl KeyFinder for KeyRing {
    async fn find(&self, kid: &str) -> Result<Option<DecodingKey>, Refusal> {
        Ok(self.current().public(kid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";
    const TWO: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n\
        -----END PRIVATE KEY-----\n";

    #[test]
    fn a_changed_file_is_read_and_a_broken_one_changes_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| std::fs::write(file.path(), text).unwrap();
        write(ONE);
        let ring = KeyRing::open(file.path().to_str().unwrap()).unwrap();
        let first = ring.current().signing().0.to_owned();
        // Publish the next one, then let it sign.
        write(&format!("{ONE}{TWO}"));
        ring.look();
        assert_eq!(ring.current().signing().0, first);
        assert_eq!(ring.current().jwks().len(), 2);
        write(&format!("{TWO}{ONE}"));
        ring.look();
        let second = ring.current().signing().0.to_owned();
        assert_ne!(second, first);
        assert!(ring.current().public(&first).is_some());
        for broken in ["", "-----BEGIN PRIVATE KEY-----\nMC4CAQ", "rubbish"] {
            write(broken);
            ring.look();
            assert_eq!(ring.current().signing().0, second);
        }
    }
}
