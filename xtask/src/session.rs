//! One local AWS with a stack and what else runs beside it: begun, or joined if it runs already; ended with all that
//! was started, on whatever path the verb is left.

use std::process::Command;

use serde_json::Value;

use crate::deploy::{self, Joining};
use crate::emulator::{self, LocalAws};
use crate::failure::Failure;
use crate::group::Started;
use crate::keys::Keys;
use crate::project::{Project, make_folder, read_text};
use crate::staging::Staging;
use crate::state::Running;
use crate::terminal;
use crate::up::WATCH;

pub(crate) struct Session<'a> {
    pub(crate) project: &'a Project,
    pub(crate) local: LocalAws,
    pub(crate) running: Running,
    started: Vec<Started>,
    stays: bool,
}

impl<'a> Session<'a> {
    /// Takes up what `earlier` left running, or begins anew.
    pub(crate) fn new(project: &'a Project, local: LocalAws, earlier: Option<Running>) -> Result<Self, Failure> {
        make_folder(&local.folder.join("log"))?;
        let running = earlier.unwrap_or_else(|| Running {
            port: local.port,
            mqtt_port: local.mqtt_port,
            stack: local.stack.clone(),
            ..Running::default()
        });
        Ok(Self { project, local, running, started: Vec::new(), stays: false })
    }

    /// The administrator's key of a local AWS that runs from here on; one that `stays` outlives this command.
    pub(crate) fn ensure_emulator(&mut self, stays: bool) -> Result<Keys, Failure> {
        if self.running.members.is_empty() {
            emulator::forget_things(&self.local.folder)?;
            let started = self.local.start(self.project, stays)?;
            self.adopt(started)?;
        }
        self.local.admin(self.project)
    }

    /// Deploys unless exactly this is deployed; answers with what is in `stack.json`.
    pub(crate) fn ensure_deployed(
        &mut self,
        staging: &Staging,
        keys: &Keys,
        joining: Joining,
    ) -> Result<Value, Failure> {
        let wanted = staging.fingerprint(&deploy::parameters(&self.local))?;
        if self.running.deployed == wanted {
            terminal::note("  same  template and programs are unchanged: nothing to deploy");
            let text = read_text(&self.local.folder.join(deploy::STACK_FILE))?;
            return serde_json::from_str(&text)
                .map_err(|error| Failure::new("unexpected-answer", format!("stack.json cannot be read: {error}")));
        }
        deploy::deploy(self.project, &self.local, staging, keys)?;
        let stack = deploy::furnish(self.project, &self.local, staging, keys, joining)?;
        self.running.deployed = wanted;
        self.end_found(WATCH);
        self.running.save(&self.local.folder)?;
        Ok(stack)
    }

    /// Starts a program beside the local AWS unless it runs already.
    pub(crate) fn ensure_member(&mut self, name: &str, command: Command) -> Result<(), Failure> {
        if self.running.has(name) {
            return Ok(());
        }
        let log = self.local.log(&format!("{name}.log"));
        self.adopt(Started::new(name, command, &log)?)
    }

    // The watcher holds on to the topic and the bucket that it began with.
    fn end_found(&mut self, name: &str) {
        for member in self.running.members.extract_if(.., |member| member.name == name) {
            member.end();
        }
    }

    fn adopt(&mut self, started: Started) -> Result<(), Failure> {
        self.running.members.push(started.member.clone());
        // First in the list, then in the file: whatever happens, somebody ends it.
        self.started.push(started);
        self.running.save(&self.local.folder)
    }

    /// The names of what was started here and not found.
    pub(crate) fn started(&self) -> Vec<String> {
        self.started.iter().map(|started| started.member.name.clone()).collect()
    }

    /// Leaves everything running.
    pub(crate) fn stay(mut self) {
        self.stays = true;
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if self.stays || self.started.is_empty() {
            return;
        }
        terminal::note("  ending what was started here");
        while let Some(mut started) = self.started.pop() {
            started.end();
            self.running.members.retain(|member| *member != started.member);
        }
        if self.running.members.is_empty() {
            Running::forget(&self.local.folder);
        } else {
            drop(self.running.save(&self.local.folder));
        }
    }
}
