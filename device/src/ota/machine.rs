use super::faults::{Fault, LOOKS};
use super::flash::{Flash, NoWrite};
use super::heard::{Heard, Told};
use super::notice::{NoNotice, Notice};
use super::source::Source;
use super::words::Word;
use crate::description;
use crate::http::Http;
use crate::message::Message;
use crate::state::StateError;
use loam_releases::journal::{Journal, Slot, boot};
use loam_releases::names::{Digest, Hardware, Id};
use loam_releases::next::{Sight, Wanted};
use loam_releases::signature::Keyring;
use loam_releases::version::Version;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// What the device is, and what is to go wrong.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The thing's name.
    pub thing: String,
    /// What it is.
    pub hardware: Hardware,
    /// What it runs when it is new.
    pub version: Version,
    /// Whom it obeys.
    pub keys: Keyring,
    /// What goes wrong with every update.
    pub fault: Option<Fault>,
    /// At which write to its slots or its journal the power goes, from 1, once.
    pub power_cut: Option<u64>,
    /// How long a new image may take to reach the cloud.
    pub trial: Duration,
    /// How far its clock on the wall is ahead of UTC, in minutes; `None`: as far as that of the machine that simulates it.
    pub utc_offset_minutes: Option<i32>,
}

/// What comes of one step.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Go on.
    On,
    /// Tell this, then call [`Machine::said`].
    Say(Vec<Word>),
    /// Lose the connection, then call [`Machine::restart`].
    Restart,
    /// Wait for something to hear, for the connection, or so long.
    Wait(Duration),
}

/// A device that changes its own firmware, without its connection.
#[derive(Debug)]
pub struct Machine {
    pub(super) settings: Settings,
    pub(super) http: Http,
    pub(super) flash: Flash,
    pub(super) journal: Journal,
    pub(super) heard: Heard,
    pub(super) sight: Sight,
    /// What is wrong with the image that is on trial.
    pub(super) fault: Option<Fault>,
    pub(super) source: Option<Source>,
    pub(super) cuts: u32,
    pub(super) asked: Option<Instant>,
    pub(super) trial_ends: Instant,
    pub(super) telling: bool,
}

impl Machine {
    /// The device whose slots and journal lie in `directory`; it starts as after a power cut.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn start(settings: Settings, directory: &Path, http: Http) -> Result<Self, StateError> {
        let factory = Journal::factory(settings.version.clone(), 0);
        let (flash, journal) = Flash::open(directory, &factory, settings.power_cut)?;
        let (sight, heard, trial_ends) = (fresh(journal.active), Heard::default(), Instant::now());
        let mut machine = Self {
            settings,
            http,
            flash,
            journal,
            heard,
            sight,
            fault: None,
            source: None,
            cuts: 0,
            asked: None,
            trial_ends,
            telling: false,
        };
        machine.restart()?;
        Ok(machine)
    }

    /// Starts again: the boot loader chooses a slot by the journal; everything else is forgotten.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn restart(&mut self) -> Result<(), StateError> {
        (self.heard, self.source, self.cuts, self.asked, self.telling) = (Heard::default(), None, 0, None, false);
        loop {
            self.journal = self.flash.journal()?.unwrap_or_else(|| self.journal.clone());
            // A slot that cannot be read is as good as damaged.
            let digest = |slot, size| self.flash.digest(slot, size).unwrap_or_else(|_| Digest::of(&[]));
            let start = boot(&self.journal, digest);
            match start.save.map(|journal| self.flash.save(&journal).map(|()| journal)) {
                Some(Ok(journal)) => self.journal = journal,
                Some(Err(NoWrite::PowerGone)) => continue,
                Some(Err(NoWrite::State(error))) => return Err(error),
                None => {}
            }
            self.sight = fresh(start.slot);
            self.fault = self.fault_of(start.slot)?;
            tracing::info!(thing.name = self.settings.thing, slot = ?start.slot, trial = self.is_trial(), "started");
            if self.fault != Some(Fault::Start) {
                self.trial_ends = Instant::now() + self.settings.trial;
                return Ok(());
            }
        }
    }

    fn fault_of(&self, slot: Slot) -> Result<Option<Fault>, StateError> {
        if slot == self.journal.active {
            return Ok(None);
        }
        let own = Fault::of_image(&self.flash.first(slot, LOOKS)?);
        Ok(own.or(self.settings.fault))
    }

    fn is_trial(&self) -> bool {
        self.sight.runs != self.journal.active
    }

    /// Whether what runs reaches nobody, and nobody reaches it.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.is_trial() && self.fault == Some(Fault::Connect)
    }

    /// What the device says of its firmware when it describes itself: what has shown that it works.
    #[must_use]
    pub fn firmware(&self) -> description::Firmware {
        let hardware = Some(self.settings.hardware.to_string());
        description::Firmware { version: self.journal.running.to_string(), hardware }
    }

    /// The connection is there: what to tell and ask.
    pub fn connected(&mut self) -> Vec<Word> {
        if self.is_deaf() {
            return vec![];
        }
        self.sight.connected = true;
        self.asked = None;
        self.heard.forget_versions();
        let thing = &self.settings.thing;
        let mut words = vec![Word::get_shadow(thing), Word::get_job(thing)];
        if !self.is_trial() {
            words.insert(0, Word::report(thing, &self.journal, &self.settings.hardware));
        }
        words
    }

    /// The connection is lost.
    pub fn disconnected(&mut self) {
        self.sight.connected = false;
    }

    /// Takes in what the device hears.
    ///
    /// # Errors
    /// [`NoNotice`]: nothing changes.
    pub fn hear(&mut self, message: &Message) -> Result<(), NoNotice> {
        if self.is_deaf() {
            return Ok(());
        }
        let notice = Notice::parse(&self.settings.thing, message)?;
        let before = self.wanted();
        self.heard.take(notice);
        if self.wanted() != before {
            self.asked = None;
        }
        Ok(())
    }

    /// What it was to say is said.
    pub fn said(&mut self) {
        self.sight.told |= std::mem::take(&mut self.telling);
    }

    fn wanted(&self) -> Option<(Id, u32)> {
        match self.heard.told() {
            Told::Order { rollout, attempt, .. } => Some((rollout.clone(), attempt)),
            Told::Unknown | Told::Nothing => None,
        }
    }
}

/// What a device sees that has just started.
pub(super) const fn fresh(runs: Slot) -> Sight {
    Sight {
        runs,
        wanted: Wanted::Unknown,
        connected: false,
        may_restart: false,
        source_bytes: None,
        refused: None,
        written: None,
        whole: None,
        healthy: None,
        waited_in_vain: false,
        told: false,
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
