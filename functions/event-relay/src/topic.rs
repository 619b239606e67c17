use aws_config::SdkConfig;
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::types::{BatchResultErrorEntry, MessageAttributeValue, PublishBatchRequestEntry};

use crate::event::Told;
use crate::{Refused, RelayFailure};

/// What SNS says of a message that is wrong in itself and would be at each try.
/// Source: SNS API reference, "Common errors" and the errors of `Publish`.
const WRONG_IN_ITSELF: [&str; 4] =
    ["InvalidParameter", "InvalidParameterValue", "InvalidParameterCombination", "ValidationError"];

/// The topic that events go to.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    client: aws_sdk_sns::Client,
    arn: String,
}

/// What became of one event of a call.
#[derive(Debug)]
pub(crate) enum Fate {
    /// SNS has it.
    Taken,
    /// SNS will never take it.
    Refused(Refused),
    /// SNS did not take it this time.
    Failed(RelayFailure),
}

impl Topic {
    pub(crate) fn new(sdk: &SdkConfig, arn: String) -> Self {
        Self { client: aws_sdk_sns::Client::new(sdk), arn }
    }

    /// Publishes up to [`crate::decide::MOST_PER_CALL`] events; says of each what became of it, in their order.
    pub(crate) async fn publish(&self, events: &[(usize, Told)]) -> Result<Vec<Fate>, RelayFailure> {
        let entries = events.iter().enumerate().map(|(id, (_, told))| entry(id, told)).collect::<Result<_, _>>()?;
        let request = self.client.publish_batch().topic_arn(&self.arn);
        let answer = request.set_publish_batch_request_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| RelayFailure::NotTold(Box::new(error)))?;
        let fate = |id: usize| {
            let id = id.to_string();
            if answer.successful().iter().any(|entry| entry.id() == Some(&id)) {
                return Fate::Taken;
            }
            fate_of(answer.failed().iter().find(|entry| entry.id() == id))
        };
        Ok((0..events.len()).map(fate).collect())
    }
}

/// A sender's fault is not enough to give an event up: SNS calls missing rights one, and they come back.
fn fate_of(failed: Option<&BatchResultErrorEntry>) -> Fate {
    let code = failed.map_or("no-answer", BatchResultErrorEntry::code).to_owned();
    if failed.is_some_and(BatchResultErrorEntry::sender_fault) && WRONG_IN_ITSELF.contains(&code.as_str()) {
        return Fate::Refused(Refused::ByTopic { code });
    }
    Fate::Failed(RelayFailure::NotTaken { code })
}

fn entry(id: usize, told: &Told) -> Result<PublishBatchRequestEntry, BuildError> {
    let mut entry = PublishBatchRequestEntry::builder().id(id.to_string()).message(&told.message);
    for (name, value) in told.event.attributes() {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value).build()?;
        entry = entry.message_attributes(name, value);
    }
    entry.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(code: &str, ours: bool) -> Fate {
        fate_of(Some(&BatchResultErrorEntry::builder().id("0").code(code).sender_fault(ours).build().unwrap()))
    }

    #[test]
    fn an_event_is_given_up_only_for_what_is_wrong_in_itself() {
        assert!(matches!(fate("InvalidParameter", true), Fate::Refused(_)));
        assert!(matches!(fate("InvalidParameter", false), Fate::Failed(_)));
        assert!(matches!(fate("AuthorizationError", true), Fate::Failed(_)));
        assert!(matches!(fate("InternalError", false), Fate::Failed(_)));
        assert!(matches!(fate_of(None), Fate::Failed(_)));
    }
}
