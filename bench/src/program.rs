//! Processes that are measured. None outlives this one.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::machine::Runs;

/// A running program. It is ended when this is dropped, and also when this
/// process is killed: a shell, or the program itself, sees its input end.
pub(crate) struct Program {
    name: String,
    /// What runs it, or is it.
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    process_id: u32,
}

impl Program {
    /// Starts one of the product's programs; its log goes to a file.
    pub(crate) fn of_product(
        name: &str,
        settings: &[String],
        runs: &Runs,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let path = match &runs.built {
            Some(folder) => folder.join(name),
            None => std::env::current_exe()?.with_file_name(name),
        };
        if !path.exists() {
            bail!("{} is not there", path.display());
        }
        let path = path.display().to_string();
        let pinned = runs
            .cores
            .as_deref()
            .map(|cores| ["taskset", "-c", cores].map(ToOwned::to_owned));
        let words = pinned.into_iter().flatten().chain([path]);
        let line: Vec<String> = words.chain(settings.iter().cloned()).collect();
        Self::kept(name, &line, log)
    }

    /// Starts a program of the machine that runs until it is ended.
    pub(crate) fn kept(name: &str, line: &[String], log: &Path) -> anyhow::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(include_str!("keeper.sh"))
            .arg("keeper")
            .arg(log)
            .args(line)
            .env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            shell.env("PATH", path);
        }
        let mut program = Self::spawn(name, shell)?;
        program.process_id = program.line_after("pid ")?.parse()?;
        Ok(program)
    }

    /// Starts this very program for a part of its work. It ends by itself when
    /// its input does.
    pub(crate) fn of_this_one(arguments: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::spawn(arguments.first().map_or("floor", |name| name), command)
    }

    fn spawn(name: &str, mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            // Ctrl-C in a terminal is for the one that measures alone.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.context("a child has an output")?;
        Ok(Self {
            name: name.to_owned(),
            process_id: child.id(),
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its process.
    pub(crate) fn process_id(&self) -> u32 {
        self.process_id
    }

    /// Reads lines of its output until one contains `text`; what follows in it.
    pub(crate) fn line_after(&mut self, text: &str) -> anyhow::Result<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line)? == 0 {
                bail!("{} ended without saying \"{text}\"", self.name);
            }
            if let Some((_, rest)) = line.split_once(text) {
                return Ok(rest.trim().to_owned());
            }
        }
    }

    /// Writes a line to its input.
    pub(crate) fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("the input is closed")?;
        writeln!(input, "{line}")?;
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
