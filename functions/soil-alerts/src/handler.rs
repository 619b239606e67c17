use aws_config::SdkConfig;
use loam_access::Access;
use loam_dead_letters::DeadLetters;
use loam_domain::{Reading, Refusal, ThingName, Timestamp, thing_of_event};
use loam_runtime::{Invocation, KeptEvent};
use loam_things::Things;
use serde_json::Value;

use crate::classic::{Decision, decide};
use crate::smart::{Alerts, NearestRules, StateStore};
use crate::{AlertFailure, AlertsConfig, Config, Mode, Notice, Notices, SoilMessage};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "soil-alerts";

/// Understands a message, decides on each reading, sends what is due.
#[derive(Debug, Clone)]
pub struct Handler {
    mode: Mode,
    threshold: f64,
    notices: Notices,
    alerts: Alerts,
    dead_letters: DeadLetters,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: &Config) -> Self {
        Self {
            mode: config.mode,
            threshold: config.alerts.threshold,
            notices: notices(sdk, &config.alerts),
            alerts: alerts(sdk, &config.alerts).keeping_history(config.history_days),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url.clone()),
        }
    }

    /// Deals with one event of the rule.
    ///
    /// What is refused is kept before anything is sent: should the function die in between, a copy lies twice in the
    /// dead-letter queue, and nobody gets a mail twice for it.
    ///
    /// # Errors
    /// [`AlertFailure`]: nothing is lost, the event is delivered again.
    pub async fn handle(&self, event: Value, invocation: &Invocation) -> Result<(), AlertFailure> {
        match SoilMessage::from_event(&event) {
            Err(refusal) => self.keep(&refusal, vec![], event, invocation.now).await,
            Ok(message) => self.judge(&message, event, invocation.now).await,
        }
    }

    async fn judge(&self, message: &SoilMessage, event: Value, now: Timestamp) -> Result<(), AlertFailure> {
        if let Some(first) = message.readings.refused.first() {
            let indexes = message.readings.refused.iter().map(|refused| refused.index).collect();
            self.keep(&first.refusal, indexes, event, now).await?;
        }
        let readings: Vec<_> = message.readings.accepted.iter().map(|(_, reading)| reading).collect();
        let notices = match self.mode {
            Mode::Smart => self.alerts.apply(&message.thing, &readings, message.received_at, now).await?.notices,
            Mode::Classic => self.tell_of_each(message, &readings).await?,
        };
        metrics::counter!("Readings").increment(readings.len() as u64);
        metrics::counter!("Notices").increment(notices as u64);
        let thing = message.thing.as_str();
        tracing::info!(thing.name = thing, readings = readings.len(), notices, "readings decided");
        Ok(())
    }

    async fn tell_of_each(&self, message: &SoilMessage, readings: &[&Reading]) -> Result<usize, AlertFailure> {
        let dry = |reading: &&Reading| match decide(&message.thing, reading, self.threshold) {
            Decision::Notify(notice) => Some(notice),
            Decision::Nothing => None,
        };
        let notices: Vec<Notice> = readings.iter().filter_map(dry).collect();
        self.notices.send(&notices).await?;
        Ok(notices.len())
    }

    async fn keep(
        &self,
        refusal: &Refusal,
        indexes: Vec<usize>,
        event: Value,
        now: Timestamp,
    ) -> Result<(), AlertFailure> {
        let refused = indexes.len().max(1);
        let thing = thing_of_event(&event);
        let (thing, code) = (thing.as_ref().map(ThingName::as_str), refusal.code.as_str());
        tracing::warn!(thing.name = thing, code, detail = refusal.detail, readings = refused, "refused and kept");
        self.dead_letters.keep(&KeptEvent::new(NAME, refusal, indexes, now, event)).await?;
        metrics::counter!("Refused").increment(refused as u64);
        Ok(())
    }
}

/// Looks after the things whose readings stay away; run by a schedule.
#[derive(Debug, Clone)]
pub struct Sweeper {
    alerts: Alerts,
}

impl Sweeper {
    /// The sweeper with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: &AlertsConfig) -> Self {
        Self { alerts: alerts(sdk, config) }
    }

    /// One sweep; what the schedule's event says does not matter.
    ///
    /// # Errors
    /// [`AlertFailure`]: the first one; the next sweep finds again what is still to do.
    pub async fn handle(&self, _event: Value, invocation: &Invocation) -> Result<(), AlertFailure> {
        let swept = self.alerts.sweep(invocation.now).await?;
        metrics::counter!("Notices").increment(swept.notices as u64);
        tracing::info!(looked_at = swept.looked_at, notices = swept.notices, "swept");
        Ok(())
    }
}

fn notices(sdk: &SdkConfig, config: &AlertsConfig) -> Notices {
    let things = Things::new(sdk, config.things_table.clone());
    let access = Access::new(sdk, config.memberships_table.clone(), things);
    Notices::new(aws_sdk_sns::Client::new(sdk), access, config.topic_arn.clone())
}

fn alerts(sdk: &SdkConfig, config: &AlertsConfig) -> Alerts {
    let tables = aws_sdk_dynamodb::Client::new(sdk);
    let states = StateStore::new(tables.clone(), config.states_table.clone());
    let rules = NearestRules::new(tables, config.rules_table.clone(), config.twins_table.clone());
    Alerts::new(states, rules, notices(sdk, config), config.threshold)
}
