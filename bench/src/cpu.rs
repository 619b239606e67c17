//! CPU time in nanoseconds.
//!
//! The kernel's clock of a process counts all of its threads, also those that have ended. The ticks of
//! `/proc/<pid>/stat` are 10 ms, ten times what is to be measured; `/proc/<pid>/schedstat` is the first thread alone.

use std::time::Duration;

use crate::failure::Failure;

/// CPU time, user and system, that the process `pid` has used since its start.
#[cfg(target_os = "linux")]
pub(crate) fn of_process(pid: u32) -> Result<Duration, Failure> {
    let failed = |error: nix::Error| Failure::stand("read the CPU clock of a process", error);
    let pid = i32::try_from(pid).map_err(|error| Failure::stand("a process id", error))?;
    let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(pid)).map_err(failed)?;
    Ok(nix::time::clock_gettime(clock).map_err(failed)?.into())
}

/// CPU time of the thread that asks.
#[cfg(target_os = "linux")]
pub(crate) fn of_this_thread() -> Result<Duration, Failure> {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    Ok(time.map_err(|error| Failure::stand("read the CPU clock of this thread", error))?.into())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn of_process(_pid: u32) -> Result<Duration, Failure> {
    Err(Failure::NeedsLinux)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn of_this_thread() -> Result<Duration, Failure> {
    Err(Failure::NeedsLinux)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn work_moves_both_clocks() {
        let before = (of_this_thread().unwrap(), of_process(std::process::id()).unwrap());
        std::hint::black_box((0..1_000_000_u64).fold(0_u64, |sum, value| std::hint::black_box(sum ^ value)));
        assert!(of_this_thread().unwrap() > before.0);
        assert!(of_process(std::process::id()).unwrap() > before.1);
    }

    #[test]
    fn a_process_that_has_ended_has_no_clock() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(of_process(child.id()).is_err());
    }
}
