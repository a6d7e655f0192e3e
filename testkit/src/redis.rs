//! A private Redis.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use crate::{
    account::Account,
    keeper::{Keeper, Signals},
    programs,
};

const PACKAGE: &str = "redis-server";
const SIGNALS: Signals = Signals {
    stop: "TERM",
    end: "KILL",
};
const SETTINGS: [&str; 4] = [
    "bind 127.0.0.1",
    "save \"\"",
    "appendonly no",
    "maxmemory-policy noeviction",
];
/// How long one question whether the server is ready may take.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// A Redis server of its own on a loopback port, without a password. It keeps
/// nothing on disk. Dropping it ends it.
#[derive(Debug)]
pub struct PrivateRedis {
    client: PathBuf,
    keeper: Keeper,
    port: u16,
}

impl PrivateRedis {
    /// Starts a server; takes some ten milliseconds. Panics with what to
    /// install when there is no Redis.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`PrivateRedis::start`], with settings on top, each as in
    /// `redis.conf`: `maxmemory 2mb`. A password is not among them.
    pub fn start_with(settings: &[&str]) -> Self {
        Self::launch(|| settings.iter().map(ToString::to_string).collect())
    }

    /// The one server of this test binary, started by whoever asks first. A
    /// test that stops or empties the server needs one of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PrivateRedis> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The server's process id. Panics when it does not run.
    pub fn process_id(&self) -> u32 {
        self.keeper
            .process_id()
            .unwrap_or_else(|| panic!("the server does not run"))
    }

    /// The port on 127.0.0.1; the same for the server's whole life.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs one command through `redis-cli`, as in `raw(&["KEYS", "*"])`, and
    /// returns what that prints: an array's items one a line, nil as nothing,
    /// an error as its text. Panics when the server cannot be reached.
    pub fn raw(&self, command: &[&str]) -> String {
        let mut client = programs::command(&self.client);
        client
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(command);
        programs::output(&mut client)
    }

    /// Stops the server: connections are cut and all keys are gone. Returns
    /// when nothing listens on the port any more.
    pub fn stop(&self) {
        self.keeper.stop();
    }

    /// As [`PrivateRedis::stop`], without a chance to end in order (SIGKILL).
    pub fn kill(&self) {
        self.keeper.kill();
    }

    /// Starts a server that was stopped or killed on the same port, empty;
    /// returns when it serves.
    pub fn start_again(&self) {
        self.keeper.start_again(|id| is_ready(self.port, id));
    }

    /// As [`PrivateRedis::start_with`], with settings that are made anew for
    /// each port that is tried.
    pub(crate) fn launch(settings: impl Fn() -> Vec<String>) -> Self {
        let server = programs::in_path("redis-server", PACKAGE);
        let client = programs::in_path("redis-cli", PACKAGE);
        let keeper = Keeper::new(&Account::own(), &SIGNALS, |directory| {
            let mut command = Command::new(server);
            command.arg(directory.join("redis.conf"));
            command
        });
        let port = keeper.start_on_free_port(
            |port| {
                let mut lines = vec![
                    format!("port {port}"),
                    format!("dir \"{}\"", keeper.directory().display()),
                ];
                lines.extend(SETTINGS.map(str::to_owned));
                lines.extend(settings());
                fs::write(keeper.directory().join("redis.conf"), lines.join("\n"))
                    .unwrap_or_else(|error| panic!("cannot write redis.conf: {error}"));
            },
            is_ready,
        );
        Self {
            client,
            keeper,
            port,
        }
    }

    /// The program `redis-cli`.
    pub(crate) fn client(&self) -> &Path {
        &self.client
    }

    /// Whether the server lives.
    pub(crate) fn answers(&self) -> bool {
        info(self.port).is_ok()
    }
}

/// Whether this very process answers at the port, and not one that took it first.
fn is_ready(port: u16, id: u32) -> bool {
    let wanted = format!("process_id:{id}\r\n");
    info(port).is_ok_and(|text| text.contains(&wanted))
}

/// What the server says of itself, to a client that then closes.
fn info(port: u16) -> io::Result<String> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    server.set_read_timeout(Some(ASK_WITHIN))?;
    server.write_all(b"INFO server\r\nQUIT\r\n")?;
    let mut text = String::new();
    server.read_to_string(&mut text)?;
    Ok(text)
}
