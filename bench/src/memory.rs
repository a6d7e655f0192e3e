//! The memory of processes, from /proc.

use std::fs;

/// What a process holds, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Resident, with the pages that others have too.
    pub(crate) resident: u64,
    /// The same, pages that are shared counted in parts. 0 if it is not told.
    pub(crate) proportional: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

impl Memory {
    /// Of this process now; all 0 if there is none.
    pub(crate) fn of(id: u32) -> Self {
        let status = read(id, "status");
        Self {
            resident: field(&status, "VmRSS:"),
            peak: field(&status, "VmHWM:"),
            proportional: field(&read(id, "smaps_rollup"), "Pss:"),
        }
    }

    /// What is resident now, which is quickly told.
    pub(crate) fn resident(id: u32) -> u64 {
        field(&read(id, "status"), "VmRSS:")
    }
}

fn read(id: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default()
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let size = line.and_then(|line| line.split_whitespace().next());
    size.and_then(|size| size.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_some() {
        let own = Memory::of(std::process::id());
        assert!(own.resident > 100 && own.proportional > 100 && own.peak >= own.resident);
        assert_eq!(field("VmRSS:\t  12 kB\n", "VmRSS:"), 12);
    }
}
