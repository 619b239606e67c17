//! The conductor's queue.

use aws_config::SdkConfig;
use loam_domain::ThingName;
use loam_releases::names::Id;
use serde::{Deserialize, Serialize};

use crate::FirmwareFailure;
use crate::error::Asked;

/// What the conductor is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Work {
    /// Look at a rollout: something may follow from what happened.
    Rollout(Id),
    /// The same, and look for things that said nothing in time: the schedule's.
    Round(Id),
    /// The same, and sign its manifest anew if it ends soon: a device asked for it.
    Sign(Id),
    /// Look whether a thing comes to be a target of a rollout that takes late joiners.
    Join(ThingName),
    /// Forget a rollout that was over long ago, and who was in it.
    Forget(Id),
    /// Look at all rollouts: the schedule's message. Its value means nothing.
    Tick(bool),
}

/// Puts messages into a queue: the conductor's, or a function's own.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    pub(crate) fn new(sdk: &SdkConfig, url: String) -> Self {
        Self { client: aws_sdk_sqs::Client::new(sdk), url }
    }

    /// Asks the conductor for work.
    pub(crate) async fn send(&self, work: &Work) -> Result<(), FirmwareFailure> {
        self.send_text(&serde_json::to_string(work)?, 0).await
    }

    /// The same, held back for so many seconds: 900 at most.
    pub(crate) async fn send_later(&self, work: &Work, seconds: i32) -> Result<(), FirmwareFailure> {
        self.send_text(&serde_json::to_string(work)?, seconds).await
    }

    /// Any message, held back for so many seconds: 900 at most.
    pub(crate) async fn send_text(&self, body: &str, seconds: i32) -> Result<(), FirmwareFailure> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(seconds);
        request.send().await.map(drop).map_err(|error| FirmwareFailure::service(Asked::Send, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_an_object_of_one_field() {
        let id = Id::of("rollout", &["r"]);
        let text = |work: &Work| serde_json::to_string(work).unwrap();
        assert_eq!(text(&Work::Rollout(id.clone())), format!("{{\"rollout\":\"{id}\"}}"));
        assert_eq!(text(&Work::Tick(true)), r#"{"tick":true}"#);
        for work in [
            Work::Round(id.clone()),
            Work::Sign(id.clone()),
            Work::Forget(id),
            Work::Join(ThingName::parse("t1").unwrap()),
        ] {
            assert_eq!(serde_json::from_str::<Work>(&text(&work)).unwrap(), work);
        }
        assert!(serde_json::from_str::<Work>(r#"{"rollout":"x"}"#).is_err());
    }
}
