//! Memory of a process.

use std::fs;
use std::path::PathBuf;

use crate::failure::Failure;

/// The most resident memory that the process `pid` has had, in KiB.
pub(crate) fn peak_kib(pid: u32) -> Result<u64, Failure> {
    let path = PathBuf::from(format!("/proc/{pid}/status"));
    let status = fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, error))?;
    high_water_mark(&status).ok_or_else(|| Failure::stand("read the memory of a process", "VmHWM is missing"))
}

/// Source: proc_pid_status(5), `VmHWM: <number> kB`.
fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_and_not_the_present_size() {
        assert_eq!(high_water_mark("Name:\tx\nVmRSS:\t    6100 kB\nVmHWM:\t    7240 kB\n"), Some(7240));
    }

    #[test]
    fn a_process_that_has_ended_has_no_peak() {
        assert_eq!(high_water_mark("Name:\tx\nState:\tZ (zombie)\n"), None);
    }
}
