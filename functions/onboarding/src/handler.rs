use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{ThingName, Timestamp};
use loam_runtime::{Invocation, KeptEvent};
use loam_things::{Described as Outcome, Description, Things, ThingsFailure};
use serde_json::Value;

use crate::catalog::Catalog;
use crate::event::thing_of_event;
use crate::projection::Projection;
use crate::{Config, DescribeMessage, OnboardingFailure, Refused};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "onboarding";

/// Understands a description, stores it where it is the newest, and shows it in registry and shadow.
#[derive(Debug, Clone)]
pub struct Handler {
    things: Things,
    catalog: Catalog,
    projection: Projection,
    dead_letters: DeadLetters,
    told_of_foreigners: Arc<AtomicBool>,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: Config) -> Self {
        let things = Things::new(sdk, config.things_table);
        Self {
            projection: Projection::new(sdk, things.clone()),
            things,
            catalog: Catalog::new(sdk, config.catalog_table),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url),
            told_of_foreigners: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Deals with one event of the rule.
    ///
    /// # Errors
    /// [`OnboardingFailure`]: nothing is lost, the event is delivered again.
    pub async fn handle(&self, event: Value, invocation: &Invocation) -> Result<(), OnboardingFailure> {
        match DescribeMessage::from_event(&event) {
            Err(refused) => self.keep(&refused, event, invocation.now).await,
            Ok(message) => self.take(&message, invocation.now).await,
        }
    }

    /// The record and the catalog first, in one transaction; then what follows from the record.
    ///
    /// A description that is as old as the record's is the same one come again: a run before may have died after the
    /// transaction, so registry and shadow are looked at again. An older one leaves that to the newer one's own event.
    async fn take(&self, message: &DescribeMessage, now: Timestamp) -> Result<(), OnboardingFailure> {
        let DescribeMessage { thing, described, received_at } = message;
        let put = self.catalog.put(&described.description).map_err(ThingsFailure::from)?;
        let description = Description {
            at: *received_at,
            told: described.description.told(),
            capabilities: described.capabilities.clone(),
            firmware: described.firmware.clone(),
        };
        let outcome = match self.things.described(thing, description, put, now).await? {
            Outcome::Applied(_) => self.projection.show(thing, now).await?,
            Outcome::Stale(record) if record.described_at == Some(*received_at) => {
                self.projection.show(thing, now).await?
            }
            Outcome::Stale(_) => "stale",
            Outcome::Retired(_) => "thing-retired",
            Outcome::Missing => {
                self.leave_alone(thing);
                return Ok(());
            }
        };
        metrics::counter!("Descriptions").increment(1);
        tracing::info!(thing.name = thing.as_str(), outcome, "description taken");
        Ok(())
    }

    /// A client that is no thing of ours is nobody's business of ours: counted, and told once in this environment.
    fn leave_alone(&self, thing: &ThingName) {
        metrics::counter!("NotOurs").increment(1);
        if !self.told_of_foreigners.swap(true, Ordering::Relaxed) {
            tracing::info!(thing.name = thing.as_str(), code = "not-ours", "no thing of ours: left alone");
        }
    }

    async fn keep(&self, refused: &Refused, event: Value, now: Timestamp) -> Result<(), OnboardingFailure> {
        let thing = thing_of_event(&event);
        let thing = thing.as_ref().map(ThingName::as_str);
        tracing::warn!(thing.name = thing, code = refused.code(), detail = refused.detail(), "refused and kept");
        let kept = KeptEvent {
            kept_by: NAME.to_owned(),
            code: refused.code().to_owned(),
            detail: refused.detail(),
            indexes: vec![],
            kept_at: now,
            event,
        };
        self.dead_letters.keep(&kept).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }
}
