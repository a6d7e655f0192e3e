//! Programs of the product as processes of their own.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    os::unix::fs::FileExt as _,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// The keys that the programs of a test share.
pub(crate) const SERVICE_KEY: &str = "--service-key=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
pub(crate) const GATEWAY_KEY: &str = "--gateway-key=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
pub(crate) const PEPPER: &str = "--auth-code-pepper=AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
/// The example of RFC 8037, appendix A.
pub(crate) const SIGNING_KEY: &str = "--auth-signing-key=-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";
/// How long a program may take to end.
pub(crate) const END: Duration = Duration::from_secs(10);

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

/// A running program. It is killed when it is dropped.
pub(crate) struct Process(pub(crate) Child, BufReader<ChildStdout>, Log);

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let log = Log(tempfile::tempfile().unwrap());
        command.stdout(Stdio::piped());
        command.stderr(log.0.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self(child, stdout, log)
    }

    /// Reads lines of the standard output until one contains `text`; what
    /// follows `text` in it.
    pub(crate) fn line_after(&mut self, text: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.1.read_line(&mut line).unwrap();
            assert_ne!(
                read,
                0,
                "the program ended without saying '{text}':\n{}",
                self.2.text()
            );
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
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(
                started.elapsed() < patience,
                "it did not end in {patience:?}:\n{}",
                self.2.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        (status.code(), self.2.text())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program writes on the standard error: in a file without a name, since
/// a pipe that nobody reads would hold up a program that has much to say.
struct Log(File);

impl Log {
    /// All of it so far. The program shares the file's position, so that it is
    /// not touched.
    fn text(&self) -> String {
        let mut text = vec![0; usize::try_from(self.0.metadata().unwrap().len()).unwrap()];
        let read = self.0.read_at(&mut text, 0).unwrap();
        String::from_utf8_lossy(&text[..read]).into_owned()
    }
}
