//! A private PostgreSQL.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    account::Account,
    keeper::{Keeper, Signals},
    programs,
};

/// INT is a fast shutdown: sessions are cut, all commits are kept.
const SIGNALS: Signals = Signals {
    stop: "INT",
    end: "QUIT",
};

/// A server that is killed keeps what is committed, by what it gave to the
/// kernel; a machine that loses its power is not what the tests are about.
/// Sockets in a directory are one more thing to clash on.
const SETTINGS: [&str; 4] = [
    "listen_addresses = '127.0.0.1'",
    "unix_socket_directories = ''",
    "max_connections = 300",
    "fsync = off",
];

/// Settings on top for every server, separated by `;`, each as in
/// `postgresql.conf`: what a test says itself counts more.
const MORE_SETTINGS: &str = "TESTKIT_POSTGRES";

/// The longest part of a database's name that a test chooses; PostgreSQL cuts
/// a name after 63 bytes.
const MAX_HINT: usize = 40;

/// A PostgreSQL cluster of its own on a loopback port. Its only user is
/// `postgres`, without a password. Dropping it ends and deletes it.
///
/// The environment variable `TESTKIT_POSTGRES` adds settings to every such
/// cluster, separated by `;`, so that a whole suite can be run under
/// `TESTKIT_POSTGRES="default_transaction_isolation = serializable"`.
#[derive(Debug)]
pub struct PrivatePostgres {
    programs: PathBuf,
    keeper: Keeper,
    port: u16,
    databases: AtomicU32,
}

impl PrivatePostgres {
    /// Makes and starts a cluster; takes about a second. Panics with what to
    /// install when there is no PostgreSQL.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`PrivatePostgres::start`], with settings on top, each as in
    /// `postgresql.conf`: `default_transaction_isolation = serializable`.
    pub fn start_with(settings: &[&str]) -> Self {
        let everywhere = env::var_os(MORE_SETTINGS).unwrap_or_default();
        let everywhere = everywhere.to_string_lossy();
        let settings: Vec<&str> = SETTINGS
            .into_iter()
            .chain(everywhere.split(';').map(str::trim))
            .chain(settings.iter().copied())
            .collect();
        let programs = programs::postgres();
        let account = Account::not_root();
        let keeper = Keeper::new(&account, &SIGNALS, |directory| {
            let mut server = Command::new(programs.join("postgres"));
            server.arg("-D").arg(data(directory));
            server
        });
        initialize(&programs, &account, &data(keeper.directory()));
        let port = keeper.start_on_free_port(
            |port| configure(&data(keeper.directory()), port, &settings),
            |_, id| is_ready(&data(keeper.directory()), id),
        );
        Self {
            programs,
            keeper,
            port,
            databases: AtomicU32::new(0),
        }
    }

    /// A cluster that writes down the plan of every statement that it runs, for
    /// [`PrivatePostgres::plans`].
    pub fn start_explaining() -> Self {
        Self::start_with(&[
            "shared_preload_libraries = 'auto_explain'",
            "auto_explain.log_min_duration = 0",
            "logging_collector = on",
            "log_line_prefix = '%d '",
        ])
    }

    /// What was run in the database at this URL by a cluster that explains: each
    /// statement with its plan.
    pub fn plans(&self, url: &str) -> Vec<String> {
        let log = self.psql(url, "SELECT pg_read_file(pg_current_logfile())");
        let database = url.rsplit('/').next().unwrap_or_default();
        let begins = format!("{database} LOG:  duration:");
        // Further lines of an entry are indented.
        let mut plans: Vec<String> = Vec::new();
        let mut wanted = false;
        for line in log.lines() {
            if !line.starts_with('\t') {
                wanted = line.starts_with(&begins);
                if wanted {
                    plans.push(String::new());
                }
            }
            if wanted && let Some(plan) = plans.last_mut() {
                plan.push_str(line);
                plan.push('\n');
            }
        }
        plans
    }

    /// The one cluster of this test binary, started by whoever asks first. A
    /// test that stops the server needs one of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PrivatePostgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The postmaster's process id. Panics when it does not run.
    pub fn process_id(&self) -> u32 {
        self.keeper
            .process_id()
            .unwrap_or_else(|| panic!("the server does not run"))
    }

    /// The port on 127.0.0.1; the same for the cluster's whole life.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database and returns its URL,
    /// `postgres://postgres@127.0.0.1:PORT/NAME`. The name starts with the
    /// hint (of which ASCII letters, digits and `_` are kept, in lower case)
    /// and is no other database's.
    pub fn create_database(&self, name_hint: &str) -> String {
        let hint: String = name_hint
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
            .take(MAX_HINT)
            .collect::<String>()
            .to_ascii_lowercase();
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("{hint}_{number}");
        self.psql(
            &self.url("postgres"),
            &format!("CREATE DATABASE \"{name}\""),
        );
        self.url(&name)
    }

    /// Runs SQL in the database at this URL and returns what `psql` prints:
    /// a line for each row, with `|` between its columns. Panics when the SQL
    /// fails.
    pub fn psql(&self, url: &str, sql: &str) -> String {
        let mut psql = programs::command(&self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", sql, url]);
        programs::output(&mut psql)
    }

    /// Stops the server, cutting its connections; what is committed stays.
    /// Returns when nothing listens on the port any more.
    pub fn stop(&self) {
        self.keeper.stop();
    }

    /// Kills the server and all its processes without a chance to end in order
    /// (SIGKILL); what is committed stays. Returns when nothing listens on the
    /// port any more.
    pub fn kill(&self) {
        self.keeper.kill();
    }

    /// Starts a server that was stopped or killed on the same port with the
    /// same data; returns when it serves.
    pub fn start_again(&self) {
        self.keeper
            .start_again(|id| is_ready(&data(self.keeper.directory()), id));
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

fn initialize(programs: &Path, account: &Account, data: &Path) {
    let mut initdb = programs::command(&programs.join("initdb"));
    account.apply(&mut initdb);
    initdb
        .args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-N",
            "-D",
        ])
        .arg(data);
    programs::output(&mut initdb);
}

/// Adds to the end of the file: of a setting that is there twice, the last counts.
fn configure(data: &Path, port: u16, settings: &[&str]) {
    let mut text = format!("\nport = {port}\n");
    for setting in settings {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{setting}");
    }
    fs::OpenOptions::new()
        .append(true)
        .open(data.join("postgresql.conf"))
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .unwrap_or_else(|error| panic!("cannot write postgresql.conf: {error}"));
}

/// The server's own word, where `pg_ctl` reads it too. A connection would not
/// tell this server from one that took its port first.
fn is_ready(data: &Path, id: u32) -> bool {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.first() == Some(&id.to_string().as_str()) && lines.get(7) == Some(&"ready")
}
