//! Who a server runs as.

use std::{
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use crate::programs;

/// The user that started the tests, or a lesser one in place of root.
pub(crate) struct Account {
    /// User and group to change to, when it is not the user of the tests.
    other: Option<(u32, u32)>,
}

impl Account {
    /// The user of the tests.
    pub(crate) fn own() -> Self {
        Self { other: None }
    }

    /// As [`Account::own`], but for root: `postgres`, else `nobody`.
    /// PostgreSQL refuses to run as root.
    pub(crate) fn not_root() -> Self {
        if id("-u", None) != Some(0) {
            return Self::own();
        }
        let other = ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| Some((id("-u", Some(name))?, id("-g", Some(name))?)));
        assert!(
            other.is_some(),
            "PostgreSQL does not run as root, and there is no user postgres or nobody"
        );
        Self { other }
    }

    /// A folder that this user can reach and delete from. A root's TMPDIR may
    /// be closed to others; `/tmp` is nobody's own.
    pub(crate) fn temporary(&self) -> PathBuf {
        match self.other {
            Some(_) => "/tmp".into(),
            None => std::env::temp_dir(),
        }
    }

    /// Makes the path this user's.
    pub(crate) fn give(&self, path: &Path) {
        if let Some((user, group)) = self.other {
            chown(path, Some(user), Some(group))
                .unwrap_or_else(|error| panic!("cannot chown {}: {error}", path.display()));
        }
    }

    /// Makes the command run as this user, in a folder that every user may enter.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Some((user, group)) = self.other {
            command.uid(user).gid(group);
        }
        command.current_dir("/");
    }
}

/// What `id` says. `None`: there is no such user.
fn id(what: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new(programs::in_path("id", "coreutils"))
        .arg(what)
        .args(user)
        .output()
        .unwrap_or_else(|error| panic!("cannot run id: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
