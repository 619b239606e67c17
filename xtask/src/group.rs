//! Process groups: starting one that stays, knowing it again later, ending it.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::interrupt::rest;
use crate::process;

/// So long may a program take to end itself before it is killed.
const GRACE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// A program that stays: enough to know it again from another terminal, even after its number went to another program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) pid: i32,
    /// The system's own words for when it started.
    pub(crate) started: String,
    pub(crate) log: PathBuf,
}

/// A program that this command started and is answerable for.
pub(crate) struct Started {
    pub(crate) member: Member,
    child: Child,
}

impl Started {
    /// Starts `command` as the leader of its own group with its output in `log`.
    pub(crate) fn new(name: &str, mut command: Command, log: &Path) -> Result<Self, Failure> {
        let file = File::create(log).map_err(|error| Failure::io("write", log, &error))?;
        let again = file.try_clone().map_err(|error| Failure::io("write", log, &error))?;
        command.stdin(Stdio::null()).stdout(file).stderr(again).process_group(0);
        let child = process::spawn(&mut command)?;
        let pid = i32::try_from(child.id()).unwrap_or_default();
        let started = started(pid).unwrap_or_default();
        let member = Member { name: name.to_owned(), pid, started, log: log.to_path_buf() };
        Ok(Self { member, child })
    }

    pub(crate) fn end(&mut self) {
        end_child(&mut self.child);
    }
}

impl Member {
    pub(crate) fn runs(&self) -> bool {
        started(self.pid).is_some_and(|now| now == self.started)
    }

    /// Asks it to end, waits, and kills what is left of its group. Nothing happens if it is gone already.
    pub(crate) fn end(&self) {
        if !self.runs() {
            return;
        }
        let Some(group) = Pid::from_raw(self.pid) else { return };
        tell(group, Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while self.runs() && Instant::now() < deadline {
            rest(LOOK);
        }
        tell(group, Signal::KILL);
    }
}

/// Ends the group that `child` leads.
pub(crate) fn end_child(child: &mut Child) {
    let group = Pid::from_child(child);
    tell(group, Signal::TERM);
    let deadline = Instant::now() + GRACE;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        rest(LOOK);
    }
    tell(group, Signal::KILL);
    drop(child.wait());
}

// A group that is gone by now needs no signal: that is no failure.
fn tell(group: Pid, signal: Signal) {
    let _gone = kill_process_group(group, signal);
}

/// When the program `pid` started; `None` if there is none, or only its remains that nobody has asked about yet.
fn started(pid: i32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        return started_by_proc(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    }
    let output = Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (state, started) = text.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

/// Fields 3 (state) and 22 (start, in ticks since boot) of `/proc/<pid>/stat`, counted after the name in parentheses,
/// which may itself hold spaces and parentheses.
fn started_by_proc(stat: &str) -> Option<String> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?;
    (state != "Z" && state != "X").then(|| started.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(name: &str, state: &str) -> String {
        format!("42 ({name}) {state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20")
    }

    #[test]
    fn the_start_is_read_behind_a_name_with_spaces_and_parentheses() {
        assert_eq!(started_by_proc(&stat("a) b (c", "S")), Some("777".to_owned()));
    }

    #[test]
    fn a_program_that_ended_but_was_not_asked_about_does_not_run() {
        assert_eq!(started_by_proc(&stat("python", "Z")), None);
    }

    #[test]
    fn a_program_is_known_again_and_its_whole_group_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo $!; wait"]);
        let log = folder.path().join("log");
        let Started { member, mut child } = Started::new("two sleepers", command, &log).unwrap();
        let deadline = Instant::now() + GRACE;
        let mut grandchild = String::new();
        while grandchild.is_empty() && Instant::now() < deadline {
            std::thread::yield_now();
            grandchild = std::fs::read_to_string(&log).unwrap();
        }
        let grandchild: i32 = grandchild.trim().parse().unwrap();
        assert!(member.runs());
        assert!(started(grandchild).is_some());
        member.end();
        assert!(!child.wait().unwrap().success());
        assert!(!member.runs());
        while started(grandchild).is_some() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(started(grandchild), None);
    }

    #[test]
    fn a_number_that_went_to_another_program_is_left_alone() {
        let own = i32::try_from(std::process::id()).unwrap();
        let stranger = Member { name: "emulator".into(), pid: own, started: "0".into(), log: PathBuf::new() };
        assert!(!stranger.runs());
        stranger.end();
        assert!(started(own).is_some(), "the test itself would have been ended");
    }
}
