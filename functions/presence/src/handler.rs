use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{ThingName, Timestamp};
use loam_runtime::{BatchItem, Invocation, KeptEvent, each_message};
use serde_json::Value;

use crate::error::Refused;
use crate::event::Message;
use crate::fact::Fact;
use crate::keeper::{Keeper, Kept};
use crate::{Config, PresenceFailure};

/// Brings the truth up to date with what AWS IoT and the things say.
#[derive(Debug, Clone)]
pub struct Handler {
    name: &'static str,
    keeper: Keeper,
    dead_letters: DeadLetters,
    /// Whether it was said already that there are clients that are no things of ours.
    said_not_ours: Arc<AtomicBool>,
}

impl Handler {
    /// The handler with its clients; `name` is the function's name in dead letters.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: &Config, name: &'static str) -> Self {
        Self {
            name,
            keeper: Keeper::new(sdk, &config.truth),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url.clone()),
            said_not_ours: Arc::default(),
        }
    }

    /// Deals with one event of a rule, or of the topic `Events`.
    ///
    /// # Errors
    /// [`PresenceFailure`]: nothing is lost, the event is delivered again.
    pub async fn handle(&self, event: Value, invocation: &Invocation) -> Result<(), PresenceFailure> {
        match Message::from_event(&event) {
            Ok(Message::Said(thing, Ok(fact))) => self.take(&thing, &fact, invocation.now).await,
            Ok(Message::Said(thing, Err(refused))) => {
                // What strangers send is not ours to keep.
                if self.keeper.row(&thing).await?.is_none() {
                    self.leave_alone();
                    return Ok(());
                }
                self.keep(Some(&thing), &refused, event, invocation.now).await
            }
            Ok(Message::Retiring(thing)) => self.erase(&thing, invocation.now).await,
            Ok(Message::NotOurs) => {
                self.leave_alone();
                Ok(())
            }
            Err(refused) => self.keep(None, &refused, event, invocation.now).await,
        }
    }

    /// Deals with one batch of the queue, all its messages at once, and answers the ids of those that must come again.
    ///
    /// # Errors
    /// [`PresenceFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle_batch(
        &self,
        batch: Vec<BatchItem>,
        invocation: &Invocation,
    ) -> Result<Vec<String>, PresenceFailure> {
        let messages = batch.len();
        let work = |item| {
            let (handler, invocation) = (self.clone(), invocation.clone());
            async move { Box::pin(handler.handle_item(&item, &invocation)).await }
        };
        let failed = each_message(batch, messages, work).await?;
        tracing::info!(messages, failed = failed.len(), "batch decided");
        Ok(failed)
    }

    async fn handle_item(&self, item: &BatchItem, invocation: &Invocation) -> Result<(), PresenceFailure> {
        match serde_json::from_str(&item.body) {
            Ok(event) => self.handle(event, invocation).await,
            Err(_) => self.keep(None, &Refused::NotAMessage, Value::String(item.body.clone()), invocation.now).await,
        }
    }

    async fn take(&self, thing: &ThingName, fact: &Fact, now: Timestamp) -> Result<(), PresenceFailure> {
        match self.keeper.take(thing, fact, now).await? {
            Kept::Ours { verdict, row } => {
                metrics::counter!("Presences").increment(1);
                let connected = row.is_connected();
                tracing::info!(
                    thing.name = thing.as_str(),
                    verdict = verdict.as_str(),
                    connected,
                    flapping = row.is_flapping(now),
                    "presence decided"
                );
            }
            Kept::NotOurs => self.leave_alone(),
        }
        Ok(())
    }

    async fn erase(&self, thing: &ThingName, now: Timestamp) -> Result<(), PresenceFailure> {
        self.keeper.erase(thing, now).await?;
        tracing::info!(thing.name = thing.as_str(), "presence erased");
        Ok(())
    }

    /// AWS's topics belong to the whole account: what is not ours is counted, said once, and left alone.
    fn leave_alone(&self) {
        metrics::counter!("NotOurs").increment(1);
        if !self.said_not_ours.swap(true, Ordering::Relaxed) {
            tracing::info!("there are clients that are no things of ours: they are counted and left alone");
        }
    }

    async fn keep(
        &self,
        thing: Option<&ThingName>,
        refused: &Refused,
        event: Value,
        now: Timestamp,
    ) -> Result<(), PresenceFailure> {
        let (thing, code, detail) = (thing.map(ThingName::as_str), refused.code(), refused.detail());
        tracing::warn!(thing.name = thing, code, detail, "refused and kept");
        let kept_by = self.name.to_owned();
        let letter = KeptEvent { kept_by, code: code.to_owned(), detail, indexes: vec![], kept_at: now, event };
        self.dead_letters.keep(&letter).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }
}
