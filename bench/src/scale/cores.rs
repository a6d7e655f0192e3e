//! Who may run on which cores, by `taskset`.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::cpu::{Who, children};

/// How many cores this process may use; it may have fewer than the machine.
pub(super) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Binds a running process with all its threads and children to cores, as
/// `taskset -c` takes them; new ones are born there.
pub(super) fn bind(who: Who, cores: &str) -> anyhow::Result<()> {
    let processes = match who {
        Who::Process(id) => vec![id],
        Who::WithChildren(id) => std::iter::once(id).chain(children(id)).collect(),
    };
    for (place, process) in processes.iter().enumerate() {
        let bound = Command::new("taskset")
            .args(["-a", "-c", "-p", cores, &process.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("cannot run taskset, which is in the package util-linux")?;
        // A child may have ended meanwhile.
        ensure!(
            place > 0 || bound.success(),
            "taskset refuses process {process}"
        );
    }
    Ok(())
}
