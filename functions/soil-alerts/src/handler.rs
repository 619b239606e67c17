use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{Reading, Refusal};
use loam_runtime::{Invocation, KeptEvent};
use serde_json::Value;

use crate::classic::{Decision, decide};
use crate::{AlertFailure, Config, Notice, Notices, SoilMessage};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "soil-alerts";

/// Understands a message, decides on each reading, sends what is due.
#[derive(Debug, Clone)]
pub struct Handler {
    config: Config,
    notices: Notices,
    dead_letters: DeadLetters,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: Config) -> Self {
        let notices = Notices::new(aws_sdk_sns::Client::new(sdk), config.topic_arn.clone());
        let dead_letters = DeadLetters::new(sdk, config.dead_letters_url.clone());
        Self { config, notices, dead_letters }
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
            Err(refusal) => self.keep(&refusal, vec![], event, invocation).await,
            Ok(message) => self.alert(message, event, invocation).await,
        }
    }

    async fn alert(&self, message: SoilMessage, event: Value, invocation: &Invocation) -> Result<(), AlertFailure> {
        if let Some(first) = message.readings.refused.first() {
            let indexes = message.readings.refused.iter().map(|refused| refused.index).collect();
            self.keep(&first.refusal.clone(), indexes, event, invocation).await?;
        }
        let accepted = message.readings.accepted.iter().map(|(_, reading)| reading);
        let notices: Vec<Notice> = accepted.filter_map(|reading| self.notice(&message, reading)).collect();
        self.notices.send(&notices).await?;
        metrics::counter!("Readings").increment(message.readings.accepted.len() as u64);
        metrics::counter!("Notices").increment(notices.len() as u64);
        tracing::info!(
            thing.name = message.thing.as_str(),
            readings = message.readings.accepted.len(),
            notices = notices.len(),
            "readings decided"
        );
        Ok(())
    }

    fn notice(&self, message: &SoilMessage, reading: &Reading) -> Option<Notice> {
        match decide(&message.thing, reading, self.config.threshold) {
            Decision::Notify(notice) => Some(notice),
            Decision::Nothing => None,
        }
    }

    async fn keep(
        &self,
        refusal: &Refusal,
        indexes: Vec<usize>,
        event: Value,
        invocation: &Invocation,
    ) -> Result<(), AlertFailure> {
        let refused = indexes.len().max(1);
        tracing::warn!(code = refusal.code.as_str(), detail = refusal.detail, readings = refused, "refused and kept");
        self.dead_letters.keep(&KeptEvent::new(NAME, refusal, indexes, invocation.now, event)).await?;
        metrics::counter!("Refused").increment(refused as u64);
        Ok(())
    }
}
