//! The process that keeps a server, so that none is left behind.
//!
//! Rust never drops a `static`, and nothing drops when a test aborts or is
//! killed. The end of a pipe is seen in every case: a shell reads orders from
//! one, and its end is the last order (`keeper.sh`).

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{account::Account, programs};

/// How long a server may take until it serves. Generous: a machine that also
/// compiles takes its time, and only a failure waits for all of it.
const READY_WITHIN: Duration = Duration::from_mins(1);
const POLL_EVERY: Duration = Duration::from_millis(10);
/// How many ports are tried before a start counts as failed.
const ATTEMPTS: usize = 5;

/// A server's signals, by name.
pub(crate) struct Signals {
    /// Stops it in good order: what it promised to keep is kept.
    pub(crate) stop: &'static str,
    /// Ends it as fast as can be; nothing is needed any more.
    pub(crate) end: &'static str,
}

/// One server, running or stopped, and its directory.
#[derive(Debug)]
pub(crate) struct Keeper {
    directory: PathBuf,
    shell: Mutex<Shell>,
}

#[derive(Debug)]
struct Shell {
    process: Child,
    /// Taken when the keeper is to end.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Keeper {
    /// A keeper for a server that is started by this command line, made for
    /// the server's new directory. It does not run yet.
    pub(crate) fn new(
        account: &Account,
        signals: &Signals,
        command_line: impl FnOnce(&Path) -> Command,
    ) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("customauth-test-")
            .tempdir_in(account.temporary())
            .unwrap_or_else(|error| panic!("cannot make a temporary directory: {error}"));
        account.give(directory.path());
        let server = command_line(directory.path());
        let mut shell = programs::command(Path::new("/bin/sh"));
        account.apply(&mut shell);
        let mut process = shell
            .arg("-c")
            .arg(include_str!("keeper.sh"))
            .arg("keeper")
            .arg(directory.path())
            .args([signals.stop, signals.end])
            .arg(server.get_program())
            .args(server.get_args())
            // Ctrl-C in a terminal is for the test alone; the keeper would
            // die of it before it could tidy up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run /bin/sh: {error}"));
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            panic!("the keeper has no pipes");
        };
        Self {
            // From here on the shell deletes it.
            directory: directory.keep(),
            shell: Mutex::new(Shell {
                process,
                orders: Some(orders),
                answers: BufReader::new(answers),
            }),
        }
    }

    /// The server's directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts the server on the first of a few free ports that it gets.
    /// `configure` writes the port where the server looks for it; `ready` says
    /// whether the process with this id serves there.
    pub(crate) fn start_on_free_port(
        &self,
        configure: impl Fn(u16),
        ready: impl Fn(u16, u32) -> bool,
    ) -> u16 {
        let deadline = Instant::now() + READY_WITHIN;
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            let port = crate::port::free_port();
            configure(port);
            match self.try_start(deadline, |id| ready(port, id)) {
                Ok(()) => return port,
                Err(said) => log = said,
            }
        }
        panic!("the server does not start:\n{log}")
    }

    /// Starts the server again as it was configured, on the same port: waits
    /// for the port, should somebody have taken it meanwhile.
    pub(crate) fn start_again(&self, ready: impl Fn(u32) -> bool) {
        let deadline = Instant::now() + READY_WITHIN;
        while let Err(log) = self.try_start(deadline, &ready) {
            assert!(
                Instant::now() < deadline,
                "the server does not start again:\n{log}"
            );
            sleep(POLL_EVERY * 10);
        }
    }

    /// Stops the server in good order; returns when its process is gone.
    pub(crate) fn stop(&self) {
        self.order("stop");
    }

    /// Kills the server and its children, which keep nothing that was only in
    /// their memory; returns when they are gone.
    pub(crate) fn kill(&self) {
        self.order("kill");
    }

    /// An error is the log of a server that ended instead of serving.
    fn try_start(&self, deadline: Instant, ready: impl Fn(u32) -> bool) -> Result<(), String> {
        self.order("start");
        loop {
            if self.directory.join("ended").exists() {
                return Err(self.log());
            }
            if self.process_id().is_some_and(&ready) {
                return Ok(());
            }
            self.wait_a_little(deadline);
        }
    }

    fn wait_a_little(&self, deadline: Instant) {
        assert!(
            Instant::now() < deadline,
            "the server is not ready after {READY_WITHIN:?}:\n{}",
            self.log()
        );
        sleep(POLL_EVERY);
    }

    /// The server's process, while it runs.
    pub(crate) fn process_id(&self) -> Option<u32> {
        let text = fs::read_to_string(self.directory.join("pid")).ok()?;
        text.trim().parse().ok()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn order(&self, order: &str) {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        let Shell {
            orders: Some(orders),
            answers,
            ..
        } = &mut *shell
        else {
            panic!("the keeper has ended");
        };
        let mut answer = String::new();
        let answered = writeln!(orders, "{order}").and_then(|()| answers.read_line(&mut answer));
        assert!(
            answered.is_ok_and(|length| length > 0),
            "the keeper of {} died",
            self.directory.display()
        );
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(shell.orders.take());
        // Waits until the server is gone. A failure to do so fails no test.
        let _ = shell.process.wait();
    }
}
