//! Programs of the product as processes of their own.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The path of one of the programs. They are built by
/// `cargo build --workspace`, which `scripts/test` runs first.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_customauth")).with_file_name(name);
    assert!(
        path.exists(),
        "{} is not built: run ./scripts/test, or cargo build --workspace",
        path.display()
    );
    path
}

/// A command for one of the programs, in an environment without settings.
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs a program to its end.
pub(crate) fn output(name: &str, flags: &[&str]) -> Output {
    command(name).args(flags).output().unwrap()
}

/// A running program. It is killed when it is dropped.
pub(crate) struct Process(pub(crate) Child, BufReader<ChildStdout>);

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self(child, stdout)
    }

    /// Reads lines of the standard output until one contains `text`; what
    /// follows `text` in it.
    pub(crate) fn line_after(&mut self, text: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.1.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "the program ended without saying '{text}'");
            if let Some((_, rest)) = line.split_once(text) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Sends a signal by the `kill` program.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.0.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end, at most so long; the exit status and what it wrote
    /// on the standard error.
    pub(crate) fn end(mut self, patience: Duration) -> (Option<i32>, String) {
        let mut stderr = self.0.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(
                started.elapsed() < patience,
                "it did not end in {patience:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        (status.code(), reader.join().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
