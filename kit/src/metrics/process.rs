//! What the process uses, by Prometheus's standard names. Linux tells it in
//! `/proc`; elsewhere the version alone is there.

use std::fs;

use super::Metrics;

/// How many of the kernel's ticks are a second, where it tells times to
/// programs: the same on every machine that Rust runs on.
const TICKS: u64 = 100;

pub(super) fn add_to(metrics: &Metrics) {
    let info = "The program's version, as a label; the value is 1.";
    metrics
        .gauges("customauth_build_info", info, &["version"])
        .with_label_values(&[env!("CARGO_PKG_VERSION")])
        .set(1);
    if Usage::now().is_none() {
        return;
    }
    let cpu = metrics.seconds(
        "process_cpu_seconds_total",
        "User and system CPU time spent, in seconds.",
    );
    let gauge = |name, help| metrics.gauge(name, help);
    let resident = gauge(
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
    );
    let open = gauge("process_open_fds", "Number of open file descriptors.");
    let most = gauge(
        "process_max_fds",
        "Maximum number of open file descriptors.",
    );
    let threads = gauge("process_threads", "Number of OS threads in the process.");
    let start = gauge(
        "process_start_time_seconds",
        "Start time of the process since the Unix epoch, in seconds.",
    );
    start.set(started_at().unwrap_or_default());
    metrics.before_each(move || {
        let Some(usage) = Usage::now() else { return };
        cpu.inc_by((usage.cpu_seconds - cpu.get()).max(0.0));
        resident.set(usage.resident_bytes);
        threads.set(usage.threads);
        open.set(open_files());
        most.set(rlimit::Resource::NOFILE.get_soft().map_or(0, whole));
    });
}

struct Usage {
    cpu_seconds: f64,
    resident_bytes: i64,
    threads: i64,
}

impl Usage {
    fn now() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let figure = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<i64>().ok()
        };
        Some(Self {
            cpu_seconds: cpu_seconds(&fs::read_to_string("/proc/self/stat").ok()?)?,
            resident_bytes: figure("VmRSS:")?.saturating_mul(1024),
            threads: figure("Threads:")?,
        })
    }
}

/// A field of `/proc/self/stat` by its number in proc(5). The second one is the
/// program's name in brackets, and may hold anything.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let field = after_name.split_whitespace().nth(number.checked_sub(3)?)?;
    field.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "exact for a million years")]
fn cpu_seconds(stat: &str) -> Option<f64> {
    let ticks = field(stat, 14)?.checked_add(field(stat, 15)?)?;
    Some(ticks as f64 / TICKS as f64)
}

/// Since the Unix epoch, in seconds.
fn started_at() -> Option<i64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let system = fs::read_to_string("/proc/stat").ok()?;
    let booted = system
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?;
    let booted: u64 = booted.trim().parse().ok()?;
    Some(whole(booted + field(&stat, 22)? / TICKS))
}

/// Since Linux 6.2 the directory's size is their number; before, each has to be
/// listed, this listing too.
fn open_files() -> i64 {
    const FOLDER: &str = "/proc/self/fd";
    let told = fs::metadata(FOLDER).map_or(0, |folder| folder.len());
    if told > 0 {
        return whole(told);
    }
    let listed = fs::read_dir(FOLDER).map_or(0, Iterator::count);
    whole(listed.saturating_sub(1) as u64)
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    #[test]
    fn the_fields_are_counted_from_after_the_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 4 0 900 1 2";
        assert_eq!(field(stat, 4), Some(1));
        assert_eq!(cpu_seconds(stat), Some(4.0));
        assert_eq!(field(stat, 22), Some(900));
        assert_eq!(field(stat, 99), None);
    }

    #[test]
    fn this_process_has_figures() {
        let figure = |text: &str, name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name}: {text}"))
                .trim()
                .parse()
                .unwrap()
        };
        let metrics = Metrics::of_process();
        let files = figure(&metrics.render(), "process_open_fds ");
        let opened: Vec<_> = (0..50)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        let text = metrics.render();
        // Other tests of this program open and close some too.
        assert!(figure(&text, "process_open_fds ") > files + 20.0, "{text}");
        drop(opened);
        assert!(figure(&text, "process_max_fds ") >= 256.0);
        assert!(figure(&text, "process_threads ") >= 1.0);
        assert!(figure(&text, "process_resident_memory_bytes ") > 1e6);
        assert!(figure(&text, "process_cpu_seconds_total ") >= 0.0);
        #[expect(clippy::cast_precision_loss, reason = "to the second")]
        let now = SystemClock.now().0 as f64 / 1e3;
        let age = now - figure(&text, "process_start_time_seconds ");
        assert!((-2.0..3600.0).contains(&age), "{age}");
        let version = env!("CARGO_PKG_VERSION");
        assert!(text.contains(&format!(
            "customauth_build_info{{version=\"{version}\"}} 1\n"
        )));
    }
}
