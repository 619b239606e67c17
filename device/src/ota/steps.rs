//! What the device does in one step.

use super::faults::Fault;
use super::flash::NoWrite;
use super::heard::Told;
use super::machine::{Machine, Turn, fresh};
use super::notice::Signed;
use super::source::{NoPiece, Source};
use super::words::{self, Word};
use crate::http::NoAnswer;
use crate::state::StateError;
use loam_domain::Timestamp;
use loam_releases::accept::Device;
use loam_releases::journal::{Journal, Stage, Verdict};
use loam_releases::manifest::{Firmware, MOST_IMAGE_BYTES};
use loam_releases::names::Id;
use loam_releases::next::{Do, Sight, next};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer is waited for before it is asked for once more, and how often the device looks at its window.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// How long the device waits after the line broke, times the number of breaks.
const AFTER_A_CUT: Duration = Duration::from_secs(1);

impl Machine {
    /// Does the next thing. `offset_minutes`: how far the device's own clock on the wall is ahead of UTC.
    ///
    /// # Errors
    /// [`StateError`]: the device cannot remember, so it does nothing.
    pub async fn step(&mut self, now: Timestamp, offset_minutes: i32) -> Result<Turn, StateError> {
        if let Some(word) = self.end_of_job() {
            return Ok(Turn::Say(vec![word]));
        }
        self.look(now, offset_minutes);
        let turn = match next(&self.journal, &self.sight) {
            Do::Save(journal) => self.save(*journal),
            Do::Fetch { from, bytes } => Box::pin(self.fetch(from, bytes)).await,
            Do::CheckImage => self.check_image(),
            Do::Restart => Ok(Turn::Restart),
            Do::SelfTest => {
                self.sight.healthy = Some(self.fault != Some(Fault::SelfTest));
                Ok(Turn::On)
            }
            Do::Tell { rollout, verdict } => Ok(self.tell(&rollout, verdict)),
            Do::Wait => Ok(self.ask()),
        };
        match turn {
            Ok(turn) => Ok(turn),
            Err(NoWrite::PowerGone) => {
                tracing::warn!(thing.name = self.settings.thing, "the power is gone, as was ordered");
                Ok(Turn::Restart)
            }
            Err(NoWrite::State(error)) => Err(error),
        }
    }

    fn look(&mut self, now: Timestamp, offset_minutes: i32) {
        let device = Device {
            hardware: self.settings.hardware.clone(),
            running: self.journal.running.clone(),
            security_counter: self.journal.security_counter,
            seen: self.journal.seen,
            slot_bytes: MOST_IMAGE_BYTES,
        };
        let told = self.heard.told();
        self.sight.wanted = told.judge(&self.settings.keys, &device, now);
        self.sight.may_restart = match told {
            Told::Order { window, .. } => window.is_none_or(|window| window.is_open(now, offset_minutes)),
            Told::Unknown | Told::Nothing => false,
        };
        self.sight.waited_in_vain = Instant::now() >= self.trial_ends;
    }

    fn save(&mut self, journal: Journal) -> Result<Turn, NoWrite> {
        self.flash.save(&journal)?;
        let before = std::mem::replace(&mut self.journal, journal);
        let thing = &self.settings.thing;
        match &self.journal.stage {
            Stage::Fetching { written: 0, .. } => {
                self.source = None;
                let Sight { runs, connected, wanted, .. } = self.sight.clone();
                self.sight = Sight { connected, wanted, ..fresh(runs) };
            }
            Stage::Trying { .. } if self.settings.fault == Some(Fault::Install) => {
                self.flash.rot(self.journal.active.other())?;
            }
            Stage::Over { told: false, verdict, .. } => {
                let (state, code) = words::end(*verdict).unwrap_or(("withdrawn", None));
                tracing::info!(thing.name = thing, state, code, "the update is over");
                self.sight.told = false;
            }
            Stage::Idle | Stage::Fetching { .. } | Stage::Trying { .. } | Stage::Over { .. } => {}
        }
        if self.journal.active != before.active {
            return Ok(Turn::Say(vec![Word::report(thing, &self.journal, &self.settings.hardware)]));
        }
        match words::phase(&before, &self.journal) {
            Some((rollout, said)) => Ok(Turn::Say(self.progress(rollout, said))),
            None => Ok(Turn::On),
        }
    }

    /// Progress goes to Loam, and to the job if there is one.
    fn progress(&self, rollout: &Id, said: Value) -> Vec<Word> {
        let thing = &self.settings.thing;
        let job = self.heard.job().filter(|job| job.rollout == *rollout);
        let details = json!({"state": said.get("state")});
        let job = job.map(|job| Word::job(thing, &job.id, "IN_PROGRESS", &details));
        [Some(Word::progress(thing, rollout, said)), job].into_iter().flatten().collect()
    }

    async fn fetch(&mut self, from: u64, bytes: u64) -> Result<Turn, NoWrite> {
        if self.settings.fault == Some(Fault::Download) {
            self.sight.source_bytes = Some(from);
            return Ok(Turn::On);
        }
        let Some((signed, firmware)) = self.image() else { return Ok(self.ask()) };
        match self.read(&signed, &firmware, from, bytes).await {
            Ok(mut piece) => {
                if let (Some(Fault::Verify), Some(first)) = (self.settings.fault, piece.first_mut()) {
                    *first ^= 1;
                }
                self.cuts = 0;
                self.flash.write(self.journal.active.other(), from, &piece)?;
                self.sight.written = Some(from + piece.len() as u64);
                Ok(Turn::On)
            }
            Err(NoPiece::NoAnswer(NoAnswer::Broken(why))) => {
                (self.source, self.cuts) = (None, self.cuts.saturating_add(1).min(60));
                tracing::info!(thing.name = self.settings.thing, detail = why, "the download was cut and goes on");
                Ok(Turn::Wait(AFTER_A_CUT * self.cuts))
            }
            Err(NoPiece::NoAnswer(why @ (NoAnswer::UrlOver(_) | NoAnswer::Url))) => {
                tracing::info!(thing.name = self.settings.thing, "{why}");
                self.source = None;
                self.heard.forget_url();
                Ok(Turn::On)
            }
            Err(NoPiece::Refused(why, code)) => {
                tracing::warn!(thing.name = self.settings.thing, code, "the image is refused");
                (self.source, self.sight.refused) = (None, Some(why));
                Ok(Turn::On)
            }
        }
    }

    /// Where what is fetched comes from, and what it is; another order's leads to another image.
    fn image(&self) -> Option<(Signed, Firmware)> {
        let Stage::Fetching { order, .. } = &self.journal.stage else { return None };
        match self.heard.told() {
            Told::Order { rollout, signed: Some(signed), .. } if *rollout == order.rollout => {
                Some((signed.clone(), order.firmware.clone()))
            }
            Told::Order { .. } | Told::Unknown | Told::Nothing => None,
        }
    }

    async fn read(&mut self, signed: &Signed, firmware: &Firmware, from: u64, bytes: u64) -> Result<Vec<u8>, NoPiece> {
        let mut source = match (self.source.take().filter(|source| source.at() == from), &signed.seal) {
            (Some(source), _) => source,
            (None, None) => Source::open(&self.http, &signed.url, from).await?,
            (None, Some(seal)) => Source::unseal(&self.http, &signed.url, seal, firmware, from).await?,
        };
        let piece = source.read(usize::try_from(bytes).unwrap_or(usize::MAX)).await?;
        if piece.is_empty() && source.whole().is_some_and(|whole| whole > from) {
            return Err(NoAnswer::Broken("the body ended early".to_owned()).into());
        }
        let ended = (piece.len() as u64) < bytes;
        self.sight.source_bytes = source.whole().or(ended.then(|| source.at()));
        self.source = Some(source);
        Ok(piece)
    }

    fn check_image(&mut self) -> Result<Turn, NoWrite> {
        let Stage::Fetching { order, .. } = &self.journal.stage else { return Ok(Turn::On) };
        let found = self.flash.digest(self.journal.active.other(), order.firmware.size)?;
        self.sight.whole = Some(found == order.firmware.sha256);
        Ok(Turn::Say(self.progress(&order.rollout, json!({"state": "verifying"}))))
    }

    fn tell(&mut self, rollout: &Id, verdict: Verdict) -> Turn {
        self.telling = true;
        let word = words::end(verdict).map(|(state, code)| {
            let thing = &self.settings.thing;
            Word::progress(thing, rollout, words::ended(state, code))
        });
        Turn::Say(word.into_iter().collect())
    }

    /// A job whose order is over, and told, is ended.
    fn end_of_job(&mut self) -> Option<Word> {
        let Stage::Over { rollout, attempt, verdict, told: true } = &self.journal.stage else { return None };
        let job = self.heard.job().filter(|job| job.rollout == *rollout && job.attempt <= *attempt)?;
        let (state, code) = words::end(*verdict).unwrap_or(("failed", Some("withdrawn")));
        let details = code.map_or_else(|| json!({}), |code| json!({ "reasonCode": code }));
        let word = Word::job(&self.settings.thing, &job.id, &state.to_uppercase(), &details);
        self.heard.forget_job();
        Some(word)
    }

    /// Asks for what comes with a wanted order, if there is something to ask for; otherwise waits.
    fn ask(&mut self) -> Turn {
        if let Stage::Trying { .. } = self.journal.stage {
            return Turn::Wait(self.trial_ends.saturating_duration_since(Instant::now()).min(ASK_AGAIN));
        }
        let done = |rollout: &Id, attempt: u32| match &self.journal.stage {
            Stage::Over { rollout: last, attempt: tried, .. } => last == rollout && *tried >= attempt,
            Stage::Idle | Stage::Fetching { .. } | Stage::Trying { .. } => false,
        };
        let word = match self.heard.told() {
            Told::Order { rollout, attempt, signed: None, .. } if !done(rollout, attempt) => match self.heard.job() {
                Some(_) => Word::start_job(&self.settings.thing),
                None => Word::request(&self.settings.thing, rollout, attempt),
            },
            Told::Order { .. } | Told::Unknown | Told::Nothing => return Turn::Wait(ASK_AGAIN),
        };
        let waits = self.asked.map(|asked| ASK_AGAIN.saturating_sub(asked.elapsed())).unwrap_or_default();
        if !self.sight.connected || !waits.is_zero() {
            return Turn::Wait(if waits.is_zero() { ASK_AGAIN } else { waits });
        }
        self.asked = Some(Instant::now());
        Turn::Say(vec![word])
    }
}
