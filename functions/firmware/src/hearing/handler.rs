use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{ThingName, Timestamp};
use loam_runtime::{BatchItem, Invocation, KeptEvent, each_message};
use loam_things::{Erasure, SECOND_LOOK_SECONDS};

use super::message::{Heard, Refused};
use super::requests::Grants;
use super::rows::{Applied, Rows};
use crate::aws::table::{Written, wait_after};
use crate::clock::Clock;
use crate::execution::{End, Intent, Outcome, Running};
use crate::progress::reported;
use crate::queue::{Queue, Work};
use crate::rollout::KNOWN_AFTER_SECONDS;
use crate::{FirmwareFailure, ProgressConfig};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "firmware-progress";

/// This capability's name among those that a thing's end awaits.
const CAPABILITY: &str = "firmware";

/// How many messages of a batch are dealt with at once.
const AT_ONCE: usize = 4;

/// Deals with what devices say, and with the end of things.
#[derive(Debug, Clone)]
pub struct ProgressHandler {
    rows: Rows,
    grants: Grants,
    own_queue: Queue,
    dead_letters: DeadLetters,
}

impl ProgressHandler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ProgressConfig) -> Self {
        let rows = Rows::new(sdk, &config.firmware_table, config.things_table.clone(), config.queue_url.clone());
        Self {
            grants: Grants::new(sdk, rows.clone(), &config),
            rows,
            own_queue: Queue::new(sdk, config.own_queue_url),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url),
        }
    }

    /// Deals with one batch of the queue and answers the ids of the messages that must come again.
    ///
    /// # Errors
    /// [`FirmwareFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(&self, batch: Vec<BatchItem>, invocation: &Invocation) -> Result<Vec<String>, FirmwareFailure> {
        let clock = Clock::start(invocation.now);
        each_message(batch, AT_ONCE, |item| {
            let handler = self.clone();
            async move { Box::pin(handler.deal_with(&item, clock.now())).await }
        })
        .await
    }

    async fn deal_with(&self, item: &BatchItem, now: Timestamp) -> Result<(), FirmwareFailure> {
        match Heard::parse(&item.body) {
            Err(refused) => self.keep(item, refused, now).await,
            Ok(Heard::Nothing) => Ok(()),
            Ok(Heard::Word(thing, rollout, intent)) => {
                let applied = self.rows.apply(&thing, Some(&rollout), &intent, now).await?;
                if matches!(applied, Applied::NotOurs | Applied::Nothing(Outcome::Refused(_))) {
                    metrics::counter!("LateWords").increment(1);
                }
                let (name, id) = (thing.as_str(), rollout.as_str());
                tracing::info!(thing.name = name, rollout.id = id, outcome = applied.as_str(), "device heard");
                Ok(())
            }
            Ok(Heard::Report(thing, running)) => self.report(&thing, running, now).await,
            Ok(Heard::Request(thing, rollout)) => {
                let answered = Box::pin(self.grants.answer(&thing, &rollout, now)).await?;
                let (name, id) = (thing.as_str(), rollout.as_str());
                tracing::info!(thing.name = name, rollout.id = id, outcome = answered.as_str(), "request answered");
                Ok(())
            }
            Ok(Heard::Described(thing)) => self.described(&thing, now).await,
            Ok(Heard::Erasure(erasure)) => self.end(&erasure, now).await,
        }
    }

    async fn report(&self, thing: &ThingName, running: Running, now: Timestamp) -> Result<(), FirmwareFailure> {
        let version = running.version.to_string();
        let applied = self.rows.apply(thing, None, &Intent::Report(running), now).await?;
        tracing::info!(thing.name = thing.as_str(), version, outcome = applied.as_str(), "report heard");
        Ok(())
    }

    /// What it runs by its description; and whether it comes to be a target of what goes on, once the catalog knows of it too.
    async fn described(&self, thing: &ThingName, now: Timestamp) -> Result<(), FirmwareFailure> {
        let Some(record) = self.rows.things.get(thing).await? else { return Ok(()) };
        if let (Some(firmware), Some(at)) = (&record.firmware, record.described_at)
            && let Some(running) = reported(firmware, at).0
        {
            self.report(thing, running, now).await?;
        }
        if !self.rows.rollouts.take_joiners(now).await? {
            return Ok(());
        }
        self.rows.queue.send_later(&Work::Join(thing.clone()), KNOWN_AFTER_SECONDS).await
    }

    /// The end of a thing: what is open of it is taken out, and whose it is forgotten. The rows of rollouts keep its name, as
    /// evidence of who got what.
    async fn end(&self, erasure: &Erasure, now: Timestamp) -> Result<(), FirmwareFailure> {
        let thing = erasure.thing();
        if let Erasure::Over(_) = erasure {
            return self.own_queue.send_text(&Erasure::once_more(thing)?, SECOND_LOOK_SECONDS).await;
        }
        self.forget(thing, now).await?;
        if let Erasure::Asked(_) = erasure {
            self.rows.things.acknowledge_retirement(thing, CAPABILITY, now).await?;
        }
        tracing::info!(thing.name = thing.as_str(), outcome = "forgotten", "thing ended");
        Ok(())
    }

    async fn forget(&self, thing: &ThingName, now: Timestamp) -> Result<(), FirmwareFailure> {
        let mut tries = 0;
        loop {
            self.rows.apply(thing, None, &Intent::End(End::Retired), now).await?;
            let Some(held) = self.rows.executions.assignment(thing).await? else {
                return self.rows.executions.erase_events(thing).await;
            };
            if self.rows.executions.free(thing, &held).await? == Written::Yes {
                continue;
            }
            tries = wait_after(tries).await?;
        }
    }

    async fn keep(&self, item: &BatchItem, refused: Refused, now: Timestamp) -> Result<(), FirmwareFailure> {
        tracing::warn!(code = refused.code(), detail = %refused, "refused and kept");
        let letter = KeptEvent::of_body(NAME, refused.code(), refused.to_string(), &item.body, now);
        self.dead_letters.keep(&letter).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }
}
