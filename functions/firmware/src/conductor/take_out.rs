//! What a rollout that stops takes back: the order first, then the row. A run that dies between the two finds the row open, and
//! takes the order back once more; the other way round nobody would.

use loam_domain::Timestamp;

use super::{Conductor, Stepped};
use crate::FirmwareFailure;
use crate::aws::rollouts::Bucket;
use crate::aws::shadows::TakenBack;
use crate::clock::Clock;
use crate::execution::{End, Execution, Intent, State};
use crate::rollout::definition::Delivery;
use crate::rollout::{Change, Rollout};
use crate::tally::Tally;

/// How many rows of things one page has.
const PAGE: i32 = 100;

/// The same where most of them are only looked at.
const SCAN: i32 = 1_000;

impl Conductor {
    /// Takes out whatever of a wave is not being delivered or installed.
    pub(super) async fn take_out(
        &self,
        rollout: &Rollout,
        wave: usize,
        clock: Clock,
    ) -> Result<Stepped, FirmwareFailure> {
        let mut ended = Stepped::Still;
        for shard in rollout.shards(wave) {
            for bucket in [Bucket::Queued, Bucket::AtWork] {
                let mut after = None;
                loop {
                    if clock.is_over() {
                        return Ok(Stepped::More);
                    }
                    let place = (wave, shard);
                    let page = self.rollouts.things_page(&rollout.id, place, bucket, after.as_deref(), PAGE).await?;
                    // Whoever was never claimed has no order.
                    let (claimed, waiting): (Vec<_>, Vec<_>) =
                        page.executions.iter().partition(|row| row.claimed_at.is_some());
                    if self.apply_to_many(&waiting, shard, &Intent::End(End::Stopped), clock).await? {
                        ended = Stepped::On;
                    }
                    for row in claimed {
                        if clock.is_over() {
                            return Ok(Stepped::More);
                        }
                        if self.take_one_out(rollout, shard, row, clock).await? {
                            ended = Stepped::On;
                        }
                    }
                    after = page.last;
                    if after.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(ended)
    }

    /// Whether the thing was taken out. What is installing, being delivered, or written to at this moment: later.
    async fn take_one_out(
        &self,
        rollout: &Rollout,
        shard: u32,
        row: &Execution,
        clock: Clock,
    ) -> Result<bool, FirmwareFailure> {
        if row.state() == State::Installing || row.in_flight(clock.now()).is_some() {
            return Ok(false);
        }
        self.unorder(rollout, shard, row, &Intent::End(End::Stopped), clock).await
    }

    /// Takes back the orders of who was given up in these waves; with the last of them the rollout is over.
    pub(super) async fn withdraw(
        &self,
        rollout: &Rollout,
        waves: &[usize],
        tallies: &[Tally],
        clock: Clock,
    ) -> Result<Stepped, FirmwareFailure> {
        let mut all = true;
        for place in rollout.places().filter(|(wave, _)| waves.contains(wave)) {
            let mut after = None;
            loop {
                if clock.is_over() {
                    return Ok(Stepped::More);
                }
                let page = self.rollouts.things_page(&rollout.id, place, Bucket::Rest, after.as_deref(), SCAN).await?;
                for row in page.executions.iter().filter(|row| row.is_given_up()) {
                    if clock.is_over() {
                        return Ok(Stepped::More);
                    }
                    all &= self.withdraw_one(rollout, place.1, row, clock).await?;
                }
                after = page.last;
                if after.is_none() {
                    break;
                }
            }
        }
        // What could not be taken back at this moment: in the next round.
        if all { self.write(rollout, Change::Stopped, tallies, clock).await } else { Ok(Stepped::Still) }
    }

    /// Whether the thing has no order any more. What is being delivered or written to at this moment: later.
    async fn withdraw_one(
        &self,
        rollout: &Rollout,
        shard: u32,
        row: &Execution,
        clock: Clock,
    ) -> Result<bool, FirmwareFailure> {
        if row.in_flight(clock.now()).is_some() {
            return Ok(false);
        }
        self.unorder(rollout, shard, row, &Intent::Withdraw, clock).await
    }

    /// Takes the order back, then tells the row; whether both are done.
    async fn unorder(
        &self,
        rollout: &Rollout,
        shard: u32,
        row: &Execution,
        intent: &Intent,
        clock: Clock,
    ) -> Result<bool, FirmwareFailure> {
        if self.take_back(rollout, row, clock.now()).await? == TakenBack::Later {
            return Ok(false);
        }
        Ok(self.apply(row, shard, intent, clock.now()).await?.is_some())
    }

    /// Takes an order back, by whichever way it went out.
    pub(super) async fn take_back(
        &self,
        rollout: &Rollout,
        row: &Execution,
        now: Timestamp,
    ) -> Result<TakenBack, FirmwareFailure> {
        match rollout.definition.delivery {
            Delivery::Shadow => self.shadows.take_back(&row.thing, &rollout.id).await,
            Delivery::Job => self.jobs.cancel(row, now).await,
        }
    }
}
