use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{Refusal, RefusalCode, RuleMessage, ThingName, Timestamp};
use serde::Deserialize as _;
use serde_json::Value;

use crate::Refused;
use crate::description::Described;

/// A device's description of itself, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeMessage {
    /// The thing of the topic `loam/{thing}/describe`.
    pub thing: ThingName,
    /// What it says.
    pub described: Described,
    /// When AWS IoT took the message; the same in every delivery, and the order of descriptions.
    pub received_at: Timestamp,
}

impl DescribeMessage {
    /// Understands the event that the rule hands over.
    ///
    /// # Errors
    /// [`Refused`]: the message can never succeed.
    pub fn from_event(event: &Value) -> Result<Self, Refused> {
        let message = RuleMessage::deserialize(event).map_err(|_| {
            Refusal::new(
                RefusalCode::NotARuleMessage,
                "expected the fields payload, topic and receivedAt that the rule selects",
            )
        })?;
        let thing = thing_of_topic(&message.topic)?;
        let payload = STANDARD
            .decode(&message.payload)
            .map_err(|_| Refusal::new(RefusalCode::NotBase64, "the field `payload` is not base64"))?;
        Ok(Self { described: Described::parse(&payload, &thing)?, thing, received_at: message.received_at })
    }
}

/// The thing that published on `topic`.
///
/// # Errors
/// [`RefusalCode::UnknownTopic`], [`RefusalCode::InvalidThingName`].
pub(crate) fn thing_of_topic(topic: &str) -> Result<ThingName, Refusal> {
    let name = topic.strip_prefix("loam/").and_then(|rest| rest.strip_suffix("/describe"));
    match name {
        Some(name) if !name.contains('/') => ThingName::parse(name),
        _ => Err(Refusal::new(RefusalCode::UnknownTopic, "expected loam/{thing}/describe")),
    }
}

/// The thing of whose topic `event` tells, for the log line of an event that is refused; `None` where even that cannot
/// be understood.
pub(crate) fn thing_of_event(event: &Value) -> Option<ThingName> {
    thing_of_topic(event.get("topic")?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_topic_of_descriptions_is_understood() {
        assert_eq!(thing_of_topic("loam/t1/describe").unwrap().as_str(), "t1");
        for topic in
            ["", "loam/describe", "loam/t1/x/describe", "loam//describe/", "device/t1/describe", "loam/t1/describe/x"]
        {
            assert_eq!(thing_of_topic(topic).unwrap_err().code, RefusalCode::UnknownTopic, "{topic}");
        }
        assert_eq!(thing_of_topic("loam/a*/describe").unwrap_err().code, RefusalCode::InvalidThingName);
        assert_eq!(thing_of_topic("loam/loam/describe").unwrap_err().code, RefusalCode::InvalidThingName);
    }
}
