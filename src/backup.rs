//! `customauth backup`: a data directory, copied whole.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use database::{
    DatabaseUrl,
    backup::{Copy, copy_both},
};
use kit::settings::{SettingsError, parsed};

use crate::{
    data_dir::{
        AUTH_DATABASE, CODE_PEPPER, GATEWAY_KEY, PROFILE_DATABASE, SERVICE_KEY, SIGNING_KEY,
    },
    settings::Settings,
};

const KEYS: [&str; 4] = [SIGNING_KEY, CODE_PEPPER, SERVICE_KEY, GATEWAY_KEY];

/// What a backup holds.
#[derive(Debug)]
pub struct Backup {
    /// Its files.
    pub files: Vec<&'static str>,
    /// Keys that are not in the data directory: they are set in another way,
    /// and kept by whoever set them.
    pub absent: Vec<&'static str>,
}

/// Copies the databases and keys to `target`, which is made, all of it or
/// nothing. The product may run meanwhile.
///
/// auth's database is the first of the two, and nothing is written to it
/// between the two copies' moments. So no user is known to have a profile who
/// has none in the copy (profiles are made first and are still there), and none
/// is known as alive whose profile is erased (an erasure begins in auth).
///
/// # Errors
/// [`SettingsError`] when a database is PostgreSQL; otherwise when there is
/// none, `target` is in use, or something cannot be read or written.
pub async fn back_up(settings: &Settings, target: &Path) -> anyhow::Result<Backup> {
    let data = &settings.data_dir;
    let auth = settings.auth.auth_database_url.as_deref();
    let auth = sqlite(auth, "AUTH_DATABASE_URL", data.join(AUTH_DATABASE))?;
    let profile = settings.profile.profile_database_url.as_deref();
    let profile = sqlite(profile, "PROFILE_DATABASE_URL", data.join(PROFILE_DATABASE))?;

    let copy = Unfinished::begin(target)?;
    let mut made = Backup {
        files: vec![AUTH_DATABASE, PROFILE_DATABASE],
        absent: Vec::new(),
    };
    for name in KEYS {
        match fs::read(data.join(name)) {
            Ok(key) => {
                copy.create(name)?.write_all(&key)?;
                made.files.push(name);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => made.absent.push(name),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {name}"));
            }
        }
    }
    for name in [AUTH_DATABASE, PROFILE_DATABASE] {
        copy.create(name)?;
    }
    let (to_auth, to_profile) = (copy.path(AUTH_DATABASE), copy.path(PROFILE_DATABASE));
    copy_both(
        Copy {
            from: &auth,
            to: &to_auth,
        },
        Copy {
            from: &profile,
            to: &to_profile,
        },
    )
    .await?;
    copy.finish(&made.files, target)?;
    Ok(made)
}

/// The file of a database, which has to be there.
fn sqlite(url: Option<&str>, name: &str, default: PathBuf) -> anyhow::Result<PathBuf> {
    let path = match url {
        None => default,
        Some(_) => match parsed(url, name, "the database to copy")? {
            DatabaseUrl::Sqlite(path) => path,
            DatabaseUrl::Postgres(_) => bail!(SettingsError(format!(
                "{name} is PostgreSQL, which is backed up by pg_dump: see docs/backup.md"
            ))),
        },
    };
    ensure!(
        path.is_file(),
        "there is no database {}: nothing was backed up",
        path.display()
    );
    Ok(path)
}

/// A directory beside the one to be, which goes away if it is not finished.
struct Unfinished {
    path: PathBuf,
    lock: File,
}

impl Unfinished {
    fn begin(target: &Path) -> anyhow::Result<Self> {
        let shown = target.display();
        match fs::read_dir(target) {
            Ok(mut files) => ensure!(files.next().is_none(), "{shown} is not empty"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot use {shown}")),
        }
        let mut name = target
            .file_name()
            .with_context(|| format!("{shown} has no name of its own"))?
            .to_owned();
        name.push(".unfinished");
        let path = target.with_file_name(name);
        let cannot = || format!("cannot make {}", path.display());
        let make = || DirBuilder::new().mode(0o700).create(&path);
        match make() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Somebody is at it, or was killed.
                let _lock = lock(&path)?;
                fs::remove_dir_all(&path)
                    .and_then(|()| make())
                    .with_context(cannot)?;
            }
            made => made.with_context(cannot)?,
        }
        let lock = lock(&path)?;
        Ok(Self { path, lock })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn create(&self, name: &str) -> anyhow::Result<File> {
        let path = self.path(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot make {}", path.display()))
    }

    /// Gives it its name, when all of it is on the disk.
    fn finish(self, files: &[&str], target: &Path) -> anyhow::Result<()> {
        for name in files {
            File::open(self.path(name))?.sync_all()?;
        }
        self.lock.sync_all()?;
        fs::rename(&self.path, target)
            .with_context(|| format!("cannot make {}", target.display()))?;
        let parent = target.parent().filter(|parent| *parent != Path::new(""));
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let shown = path.display();
    let directory = File::open(path).with_context(|| format!("cannot open {shown}"))?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => bail!("another backup is writing {shown}"),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {shown}"))
        }
    }
}
