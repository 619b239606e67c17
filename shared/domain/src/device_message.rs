use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Refusal, RefusalCode, ThingName, Timestamp, Topic};

/// What a rule into our own code selects:
/// `SELECT encode(*, 'base64') AS payload, topic() AS topic, clientid() AS clientId, timestamp() AS receivedAt`.
///
/// A Lambda action takes no binary payload, and SQL drops a payload that it cannot parse; encoded, any bytes arrive.
/// Source: AWS IoT Core developer guide, "Working with binary payloads".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleMessage {
    /// The device's bytes in base64.
    pub payload: String,
    /// The topic on which they were published.
    pub topic: String,
    /// The MQTT client id of the publisher; `n/a` for a message that was published over HTTPS.
    #[serde(default)]
    pub client_id: Option<String>,
    /// When AWS IoT took the message.
    pub received_at: Timestamp,
}

/// A device's message: its bytes, on a topic that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceMessage {
    /// Who published, and what kind of message.
    pub topic: Topic,
    /// The bytes, as the device sent them.
    pub payload: Vec<u8>,
    /// When AWS IoT took the message; the same in every redelivery of the event.
    pub received_at: Timestamp,
}

impl DeviceMessage {
    /// Understands the event that a rule hands to a function.
    ///
    /// # Errors
    /// [`RefusalCode::NotARuleMessage`], [`RefusalCode::NotBase64`], or what [`Topic::parse`] refuses.
    pub fn from_event(event: &Value) -> Result<Self, Refusal> {
        let message = RuleMessage::deserialize(event).map_err(|error| {
            Refusal::new(
                RefusalCode::NotARuleMessage,
                format!("expected the fields payload, topic and receivedAt that the rule selects: {}", kind_of(&error)),
            )
        })?;
        let topic = Topic::parse(&message.topic)?;
        let payload = STANDARD
            .decode(&message.payload)
            .map_err(|_| Refusal::new(RefusalCode::NotBase64, "the field `payload` is not base64"))?;
        Ok(Self { topic, payload, received_at: message.received_at })
    }
}

/// The thing of whose topic `event` tells, for the log line of an event that is refused; `None` where even that cannot
/// be understood.
#[must_use]
pub fn thing_of_event(event: &Value) -> Option<ThingName> {
    Topic::parse(event.get("topic")?.as_str()?).ok().map(|topic| topic.thing().clone())
}

/// What kind of mistake `error` tells of, without the text that it quotes: that text is the device's.
fn kind_of(error: &serde_json::Error) -> &'static str {
    let text = error.to_string();
    if text.starts_with("missing field") {
        "one is missing"
    } else if text.starts_with("invalid type") {
        "one has another type"
    } else {
        "the event has another shape"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(event: &Value) -> RefusalCode {
        DeviceMessage::from_event(event).unwrap_err().code
    }

    #[test]
    fn the_rules_event_becomes_the_devices_message() {
        let event = json!({"payload": "e30=", "topic": "device/t1/devicePayload", "clientId": "t1", "receivedAt": 7});
        let message = DeviceMessage::from_event(&event).unwrap();
        assert_eq!(message.payload, b"{}");
        assert_eq!(message.topic.thing().as_str(), "t1");
        assert_eq!(message.received_at, Timestamp::from_millis(7));
    }

    #[test]
    fn a_message_published_over_https_has_no_client_id() {
        let event = json!({"payload": "", "topic": "device/t1/devicePayload", "receivedAt": 7});
        assert!(DeviceMessage::from_event(&event).is_ok());
    }

    #[test]
    fn an_event_of_another_shape_is_no_rule_message() {
        for event in
            [json!(null), json!("x"), json!([]), json!({}), json!({"payload": 1, "topic": "x", "receivedAt": 1})]
        {
            assert_eq!(refused(&event), RefusalCode::NotARuleMessage, "{event}");
        }
    }

    #[test]
    fn a_payload_that_is_not_base64_is_told_apart() {
        let event = json!({"payload": "***", "topic": "device/t1/devicePayload", "receivedAt": 7});
        assert_eq!(refused(&event), RefusalCode::NotBase64);
    }

    #[test]
    fn a_refused_event_still_tells_its_thing_where_it_can() {
        let thing = |event: &Value| thing_of_event(event).map(|thing| thing.to_string());
        assert_eq!(thing(&json!({"topic": "device/t1/devicePayload"})).as_deref(), Some("t1"));
        for event in [json!(null), json!({"topic": 7}), json!({"topic": "device/a*/devicePayload"})] {
            assert_eq!(thing(&event), None, "{event}");
        }
    }

    #[test]
    fn the_refusal_never_quotes_the_event() {
        let event = json!({"payload": {"secret": 1}, "topic": "x", "receivedAt": 1});
        assert!(!DeviceMessage::from_event(&event).unwrap_err().to_string().contains("secret"));
    }
}
