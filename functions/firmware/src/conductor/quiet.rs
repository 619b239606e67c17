//! Things that said nothing in time, and things that are tried again.

use loam_domain::{ThingName, Timestamp};
use loam_things::twins::Twin;

use super::{Conductor, Stepped};
use crate::FirmwareFailure;
use crate::aws::rollouts::Bucket;
use crate::aws::shadows::TakenBack;
use crate::clock::Clock;
use crate::execution::{Execution, Intent, Timers};
use crate::reports;
use crate::rollout::definition::Delivery;
use crate::rollout::{Change, Rollout};

/// How many rows of things one page has.
const PAGE: i32 = 100;

/// The same where most of them are only looked at.
const SCAN: i32 = 1_000;

/// A timer is looked at so many times while it runs.
const LOOKS: i64 = 12;

impl Conductor {
    /// Looks for things of a wave whose time is over: what they report to run first, then their silence.
    pub(super) async fn look_for_silence(
        &self,
        rollout: &Rollout,
        wave: usize,
        clock: Clock,
    ) -> Result<Stepped, FirmwareFailure> {
        let timers = rollout.definition.timers();
        if !is_time_to_look(&timers, clock.now()) {
            return Ok(Stepped::Still);
        }
        let mut ended = Stepped::Still;
        for shard in rollout.shards(wave) {
            let mut after = None;
            loop {
                if clock.is_over() {
                    return Ok(Stepped::More);
                }
                let place = (wave, shard);
                let page =
                    self.rollouts.things_page(&rollout.id, place, Bucket::AtWork, after.as_deref(), PAGE).await?;
                let is_due = |row: &Execution| row.due_at(&timers).is_some_and(|due| due <= clock.now());
                let due: Vec<Execution> = page.executions.into_iter().filter(is_due).collect();
                if self.time_out(rollout, shard, due, &timers, clock).await? {
                    ended = Stepped::On;
                }
                after = page.last;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(ended)
    }

    /// Whether any of these things came to its end.
    async fn time_out(
        &self,
        rollout: &Rollout,
        shard: u32,
        due: Vec<Execution>,
        timers: &Timers,
        clock: Clock,
    ) -> Result<bool, FirmwareFailure> {
        let names: Vec<ThingName> = due.iter().map(|row| row.thing.clone()).collect();
        let (twins, _) = self.twins.batch(&names).await?;
        let mut any = false;
        for row in due {
            let mut row = row;
            for intent in self.evidence(rollout, &row, &twins).await? {
                row = self.apply(&row, shard, &intent, clock.now()).await?.unwrap_or(row);
            }
            any |= !row.state().is_open();
            if row.due_at(timers).is_none_or(|due| clock.now() < due) {
                continue;
            }
            // A job waits for its thing for ever: its own timer starts when the device does.
            if rollout.definition.delivery == Delivery::Job
                && self.take_back(rollout, &row, clock.now()).await? == TakenBack::Later
            {
                continue;
            }
            any |= self.apply(&row, shard, &Intent::TimeOut(*timers), clock.now()).await?.is_some();
        }
        Ok(any)
    }

    /// What else is known of a thing that says nothing: its report in the catalog, its job.
    async fn evidence(
        &self,
        rollout: &Rollout,
        row: &Execution,
        twins: &[Twin],
    ) -> Result<Vec<Intent>, FirmwareFailure> {
        let twin = twins.iter().find(|twin| twin.thing == row.thing);
        let running = twin.and_then(|twin| reports::glimpse(twin).running);
        let mut evidence: Vec<Intent> = running.map(Intent::Report).into_iter().collect();
        if rollout.definition.delivery == Delivery::Job {
            evidence.extend(self.jobs.heard(row).await?);
        }
        Ok(evidence)
    }

    /// Puts everything of the open waves that failed in an earlier attempt back into its queue.
    pub(super) async fn retry(&self, rollout: &Rollout, clock: Clock) -> Result<Stepped, FirmwareFailure> {
        let open = |wave: usize| rollout.waves.get(wave).is_some_and(|wave| wave.opened_at.is_some());
        for place in rollout.places().filter(|(wave, _)| open(*wave)) {
            let mut after = None;
            loop {
                if clock.is_over() {
                    return Ok(Stepped::More);
                }
                let page = self.rollouts.things_page(&rollout.id, place, Bucket::Rest, after.as_deref(), SCAN).await?;
                let rows: Vec<_> = page.executions.iter().filter(|row| row.attempt < rollout.attempts).collect();
                self.apply_to_many(&rows, place.1, &Intent::Retry, clock).await?;
                after = page.last;
                if after.is_none() {
                    break;
                }
            }
        }
        self.write(rollout, Change::Retried, &[], clock).await
    }
}

/// Whether things that said nothing are looked for in this minute: [`LOOKS`] times in the shorter timer, once an hour at
/// least. It reads all things at work.
fn is_time_to_look(timers: &Timers, now: Timestamp) -> bool {
    let shorter = timers.offline_millis.min(timers.progress_millis) / 60_000;
    let every = (shorter / LOOKS).clamp(1, 60);
    now.as_secs().div_euclid(60).rem_euclid(every) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_timers_are_looked_at_each_minute_and_long_ones_each_hour() {
        let looks = |offline: i64, progress: i64| {
            let (offline_millis, progress_millis) = (offline * 60_000, progress * 60_000);
            let timers = Timers { offline_millis, waiting_millis: progress_millis, progress_millis };
            (0..120).filter(|minute| is_time_to_look(&timers, Timestamp::from_millis(minute * 60_000))).count()
        };
        assert_eq!([looks(10_080, 1), looks(10_080, 23), looks(10_080, 24)], [120, 120, 60]);
        assert_eq!([looks(10_080, 60), looks(10_080, 10_080)], [24, 2]);
    }
}
