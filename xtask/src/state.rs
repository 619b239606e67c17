//! `run.json`: what runs here, for the next command and for the other terminal.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::group::Member;
use crate::project::write_file;

const FILE: &str = "run.json";

/// One running Loam.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) port: u16,
    pub(crate) mqtt_port: u16,
    pub(crate) stack: String,
    /// In the order of their start; the local AWS is the first.
    pub(crate) members: Vec<Member>,
    /// The fingerprint of what was deployed; empty until then.
    pub(crate) deployed: Vec<String>,
}

impl Running {
    /// What the file in `folder` tells of and still is there; `None` if the local AWS is gone.
    pub(crate) fn find(folder: &Path) -> Option<Self> {
        let mut running = Self::last(folder)?;
        if !running.members.first()?.runs() {
            return None;
        }
        running.members.retain(Member::runs);
        Some(running)
    }

    /// What the file tells of, running or not. One that cannot be read is as good as none: nothing depends on it.
    pub(crate) fn last(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(FILE)).ok()?).ok()
    }

    pub(crate) fn save(&self, folder: &Path) -> Result<(), Failure> {
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Failure::new("file", format!("cannot write {}: {error}", path.display())))?;
        write_file(&path, text)
    }

    pub(crate) fn forget(folder: &Path) {
        drop(std::fs::remove_file(folder.join(FILE)));
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::group::Started;

    fn gone() -> Member {
        Member { name: "gone".into(), pid: i32::MAX, started: "1".into(), log: "log".into() }
    }

    #[test]
    fn without_the_local_aws_nothing_runs() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Running::find(folder.path()), None);
        Running { members: vec![gone()], ..Running::default() }.save(folder.path()).unwrap();
        assert_eq!(Running::find(folder.path()), None);
    }

    #[test]
    fn a_sensor_that_ended_is_left_out_and_the_rest_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let mut sleeper = Command::new("sleep");
        sleeper.arg("600");
        let mut aws = Started::new("local AWS", sleeper, &folder.path().join("log")).unwrap();
        let running = Running { port: 1, members: vec![aws.member.clone(), gone()], ..Running::default() };
        running.save(folder.path()).unwrap();
        let found = Running::find(folder.path()).unwrap();
        assert_eq!(found.members, [aws.member.clone()]);
        assert!(found.has("local AWS") && !found.has("gone"));
        aws.end();
        assert_eq!(Running::find(folder.path()), None);
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(Running::last(folder.path()), None);
    }
}
