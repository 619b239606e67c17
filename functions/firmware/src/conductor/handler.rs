//! The queue's function: the schedule's rounds, and what others ask for.

use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::ThingName;
use loam_releases::names::Id;
use loam_runtime::{BatchItem, Invocation, KeptEvent, each_message};

use super::Conductor;
use super::run::Cause;
use crate::aws::table::{Written, wait_after};
use crate::clock::Clock;
use crate::queue::Work;
use crate::rollout::definition::Targets;
use crate::rollout::{Joining, KNOWN_AFTER_SECONDS};
use crate::{ConductorConfig, FirmwareFailure};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "firmware-conductor";

/// For how long a rollout is kept after its end, in milliseconds: 90 days. Its rows are the evidence of who got what.
const KEPT_MILLIS: i64 = 90 * 24 * 3_600 * 1_000;

/// Deals with the conductor's queue.
#[derive(Debug, Clone)]
pub struct ConductorHandler {
    conductor: Conductor,
    dead_letters: DeadLetters,
}

impl ConductorHandler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: &ConductorConfig) -> Self {
        let dead_letters = DeadLetters::new(sdk, config.dead_letters_url.clone());
        Self { conductor: Conductor::new(sdk, config), dead_letters }
    }

    /// Deals with one batch of the queue, one message after the other, and answers the ids of those that must come again.
    ///
    /// # Errors
    /// [`FirmwareFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(&self, batch: Vec<BatchItem>, invocation: &Invocation) -> Result<Vec<String>, FirmwareFailure> {
        let clock = Clock::start(invocation.now);
        each_message(batch, 1, |item| {
            let handler = self.clone();
            async move { Box::pin(handler.deal_with(&item, clock)).await }
        })
        .await
    }

    async fn deal_with(&self, item: &BatchItem, clock: Clock) -> Result<(), FirmwareFailure> {
        let Ok(work) = serde_json::from_str::<Work>(&item.body) else { return self.keep(item, clock).await };
        let (id, cause) = match &work {
            Work::Tick(_) => return self.round(clock).await,
            Work::Join(thing) => return self.join(thing, clock).await,
            Work::Forget(id) => return self.forget(id, clock).await,
            Work::Rollout(id) => (id, Cause::News),
            Work::Round(id) => (id, Cause::Round),
            Work::Sign(id) => (id, Cause::Sign),
        };
        let ran = Box::pin(self.conductor.run(id, cause, clock)).await?;
        tracing::info!(rollout.id = id.as_str(), outcome = ran.as_str(), "rollout conducted");
        if ran.goes_on(cause) {
            self.conductor.queue.send(&work).await?;
        }
        Ok(())
    }

    /// Asks for a run over each rollout that is not over. That there is a round at all is counted: an alarm misses it.
    async fn round(&self, clock: Clock) -> Result<(), FirmwareFailure> {
        metrics::counter!("Rounds").increment(1);
        let conductor = &self.conductor;
        let live = conductor.rollouts.live().await?;
        for id in &live {
            conductor.queue.send(&Work::Round(id.clone())).await?;
        }
        for id in conductor.rollouts.over_by(clock.now().plus_millis(-KEPT_MILLIS)).await? {
            conductor.queue.send(&Work::Forget(id)).await?;
        }
        tracing::info!(rollouts = live.len(), "round begun");
        Ok(())
    }

    /// Forgets a rollout and who was in it. What is not over, or was not long ago, was asked for by nobody: it stays.
    async fn forget(&self, id: &Id, clock: Clock) -> Result<(), FirmwareFailure> {
        let rollouts = &self.conductor.rollouts;
        let Some(rollout) = rollouts.get(id).await? else { return Ok(()) };
        if !rollout.status.is_done() {
            return Ok(());
        }
        for place in rollout.places() {
            while !rollouts.erase_things(id, place).await? {
                // The next round asks for the rest.
                if clock.is_over() {
                    return Ok(());
                }
            }
        }
        rollouts.erase(&rollout).await?;
        tracing::info!(rollout.id = id.as_str(), outcome = "forgotten", "rollout conducted");
        Ok(())
    }

    /// Adds a thing to each rollout that takes late joiners and of which it comes to be a target. Where targets are still
    /// being written down it is looked at once more.
    async fn join(&self, thing: &ThingName, clock: Clock) -> Result<(), FirmwareFailure> {
        let conductor = &self.conductor;
        let mut again = false;
        for id in conductor.rollouts.live().await? {
            again |= self.join_one(&id, thing, clock).await? == Joining::NotYet;
        }
        if again {
            conductor.queue.send_later(&Work::Join(thing.clone()), KNOWN_AFTER_SECONDS).await?;
        }
        Ok(())
    }

    /// The same for one rollout; what it does with the thing.
    async fn join_one(&self, id: &Id, thing: &ThingName, clock: Clock) -> Result<Joining, FirmwareFailure> {
        let conductor = &self.conductor;
        let mut tries = 0;
        loop {
            let Some(rollout) = conductor.rollouts.get(id).await? else { return Ok(Joining::No) };
            let joining = rollout.late_joiner(clock.now());
            if joining == Joining::No || !self.is_target(thing, &rollout.definition.targets).await? {
                return Ok(Joining::No);
            }
            let Joining::Wave(wave) = joining else { return Ok(joining) };
            if conductor.executions.is_in(&rollout, thing).await? {
                return Ok(joining);
            }
            if conductor.executions.join(&rollout, wave, thing).await? == Written::Yes {
                tracing::info!(rollout.id = id.as_str(), thing.name = thing.as_str(), wave, "thing joined late");
                conductor.queue.send(&Work::Rollout(id.clone())).await?;
                return Ok(joining);
            }
            tries = wait_after(tries).await?;
        }
    }

    async fn is_target(&self, thing: &ThingName, targets: &Targets) -> Result<bool, FirmwareFailure> {
        let Ok(Some(filter)) = targets.filter() else { return Ok(false) };
        let (twins, _) = self.conductor.twins.batch(std::slice::from_ref(thing)).await?;
        Ok(twins.first().is_some_and(|twin| filter.matches(&twin.document())))
    }

    async fn keep(&self, item: &BatchItem, clock: Clock) -> Result<(), FirmwareFailure> {
        let (code, detail) = ("not-work", "expected one of rollout, round, sign, join, forget, tick");
        tracing::warn!(code, detail, "refused and kept");
        self.dead_letters.keep(&KeptEvent::of_body(NAME, code, detail.to_owned(), &item.body, clock.now())).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }
}
