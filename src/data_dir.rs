//! The data directory: SQLite files and keys, for this user's eyes alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use kit::{
    random::{SystemRandom, bytes},
    settings::SecretKey,
};
use ring::signature::Ed25519KeyPair;

/// The files of a data directory that was given no settings.
pub(crate) const AUTH_DATABASE: &str = "auth.db";
pub(crate) const PROFILE_DATABASE: &str = "profile.db";
pub(crate) const SIGNING_KEY: &str = "signing-key.pem";
pub(crate) const CODE_PEPPER: &str = "code-pepper";
pub(crate) const SERVICE_KEY: &str = "service-key";
pub(crate) const GATEWAY_KEY: &str = "gateway-key";

/// A data directory that no other process uses as long as this lives.
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Opens the directory, made (with mode 0700) if it is not there.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)))
            .with_context(|| format!("cannot make the data directory {}", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("cannot use the data directory {}", path.display()))?;
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path of the signing key, drawn at the first start.
    pub(crate) fn signing_key(&self) -> anyhow::Result<String> {
        let path = self.path(SIGNING_KEY);
        self.keep(SIGNING_KEY, || {
            let seed: [u8; 32] = bytes(&SystemRandom::default());
            Ok(pem::encode(&pem::Pem::new("PRIVATE KEY", pkcs8(&seed)?)))
        })?;
        Ok(path.display().to_string())
    }

    /// A secret key in base64, drawn at the first start.
    pub(crate) fn secret_key(&self, name: &str) -> anyhow::Result<String> {
        self.keep(name, || {
            let key = SecretKey::new(bytes(&SystemRandom::default()));
            Ok(key.to_base64())
        })
    }

    /// The content of a file, written first if it is not there. A process that
    /// is killed in between leaves the whole file or none.
    fn keep(
        &self,
        name: &str,
        make: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<String> {
        let path = self.path(name);
        if !path.exists() {
            let content = make()?;
            self.write_whole(&path, &content)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn write_whole(&self, path: &Path, content: &str) -> std::io::Result<()> {
        let unfinished = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(&self.path)?.sync_all()
    }
}

/// PKCS#8 version 1 of an Ed25519 key: what RFC 8410, section 7 puts before the
/// seed, and the seed. It is the form that openssl reads and writes.
fn pkcs8(seed: &[u8; 32]) -> anyhow::Result<Vec<u8>> {
    const PREFIX: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let der = [&PREFIX[..], seed].concat();
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
        .map_err(|error| anyhow::anyhow!("a drawn key cannot be read back: {error}"))?;
    Ok(der)
}

fn lock(directory: &Path) -> anyhow::Result<File> {
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "the data directory {} is in use by another process",
            directory.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
