//! Finding and running the programs that come with the servers.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Where Debian keeps one folder for each version of PostgreSQL; what is in
/// PATH there are wrappers, or nothing.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The program with this name in PATH, or a panic that names the package.
pub(crate) fn in_path(name: &str, package: &str) -> PathBuf {
    path()
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| missing(name, package))
}

/// The folder with the newest complete PostgreSQL.
pub(crate) fn postgres() -> PathBuf {
    newest_postgres(Path::new(DEBIAN), path())
        .unwrap_or_else(|| missing("postgresql", "postgresql"))
}

fn missing(name: &str, package: &str) -> ! {
    panic!("{name} is not installed: run ./scripts/test, or apt-get install {package}")
}

fn path() -> Vec<PathBuf> {
    env::var_os("PATH").map_or_else(Vec::new, |path| env::split_paths(&path).collect())
}

fn newest_postgres(versions: &Path, path: Vec<PathBuf>) -> Option<PathBuf> {
    let mut installed: Vec<(u32, PathBuf)> = std::fs::read_dir(versions)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    installed.sort();
    let newest_first = installed.into_iter().rev().map(|(_, folder)| folder);
    // A folder may hold the client alone.
    newest_first.chain(path).find(|folder| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|name| folder.join(name).is_file())
    })
}

/// A command that the settings of the machine's user do not reach, and whose
/// messages are in English.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") || name == "REDISCLI_AUTH" {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C");
    command
}

/// What the command printed, without the line end. Panics with its complaint
/// when it fails.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        panic!("{command:?}: {}\n{printed}{complaint}", output.status);
    }
    printed.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(folder: &Path, names: &[&str]) {
        std::fs::create_dir_all(folder).unwrap();
        for name in names {
            std::fs::write(folder.join(name), "").unwrap();
        }
    }

    #[test]
    fn the_newest_complete_postgres_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let complete = ["initdb", "postgres", "psql"];
        let in_path = root.path().join("in-path");
        install(&in_path, &complete);
        let found = || newest_postgres(&root.path().join("versions"), vec![in_path.clone()]);
        assert_eq!(found(), Some(in_path.clone()));
        for (version, names) in [("9", &complete[..]), ("15", &complete), ("18", &["psql"])] {
            install(
                &root.path().join("versions").join(version).join("bin"),
                names,
            );
        }
        assert_eq!(found(), Some(root.path().join("versions/15/bin")));
        assert_eq!(newest_postgres(Path::new("/nowhere"), Vec::new()), None);
    }

    #[test]
    #[should_panic(
        expected = "no-such-server is not installed: run ./scripts/test, or apt-get install some-package"
    )]
    fn a_missing_program_is_a_failure_that_says_what_to_install() {
        in_path("no-such-server", "some-package");
    }
}
