//! The processor time of processes, from /proc.

use std::{fs, time::Duration};

/// In which `/proc/PID/stat` counts: a hundredth of a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// One process with all its threads.
    Process(u32),
    /// A server that has a process for each connection, with all of them.
    WithChildren(u32),
}

impl Who {
    /// User and system time so far. Of a process that has ended nothing is told.
    ///
    /// It is the scheduler's own sum, to the nanosecond; `/proc/PID/stat` splits
    /// the same into user and system, but rounds it for each of some forty
    /// processes. A child that ended counts with its parent, by hundredths.
    pub(crate) fn used(self) -> Duration {
        match self {
            Self::Process(id) => of_threads(id),
            Self::WithChildren(id) => {
                let children = children(id).into_iter().map(of_threads);
                of_threads(id) + children.sum::<Duration>() + of_ended_children(id)
            }
        }
    }
}

/// The processes that a process has started itself.
pub(crate) fn children(id: u32) -> Vec<u32> {
    let read = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let read = read.unwrap_or_default();
    read.split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}

fn of_threads(id: u32) -> Duration {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
        return Duration::ZERO;
    };
    threads
        .filter_map(|thread| {
            let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            let nanos = text.split_whitespace().next()?.parse().ok()?;
            Some(Duration::from_nanos(nanos))
        })
        .sum()
}

fn of_ended_children(id: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name is in brackets, and may have spaces in it. `cutime` and `cstime`
    // are the fields 16 and 17 of proc(5), the 14th and 15th after it.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u32 = fields
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|field| field.parse::<u32>().ok())
        .sum();
    TICK * ticks
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, process::Command, time::Instant};

    use super::*;

    #[test]
    fn work_is_seen_and_so_are_children_that_ended() {
        let me = Who::WithChildren(std::process::id());
        let before = me.used();
        let begun = Instant::now();
        while me.used().saturating_sub(before) < Duration::from_millis(50) {
            black_box(());
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "it does not count"
            );
        }
        let before = of_ended_children(std::process::id());
        let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let ended = Command::new("/bin/sh").args(["-c", busy]).status();
        assert!(ended.unwrap().success());
        assert!(of_ended_children(std::process::id()) > before);
    }
}
