use loam_domain::{DeviceMessage, Readings, Refusal, RefusalCode, ThingName, Timestamp, Topic};
use serde_json::Value;

/// A device's soil message, understood: who it is, and its readings.
#[derive(Debug, Clone, PartialEq)]
pub struct SoilMessage {
    /// The thing of the topic.
    pub thing: ThingName,
    /// The good and the bad readings.
    pub readings: Readings,
    /// When AWS IoT took the message; the same in every delivery.
    pub received_at: Timestamp,
}

impl SoilMessage {
    /// Understands the event that the rule hands over.
    ///
    /// # Errors
    /// The refusal of the whole message; single bad readings are in [`Readings::refused`].
    pub fn from_event(event: &Value) -> Result<Self, Refusal> {
        let message = DeviceMessage::from_event(event)?;
        let Topic::DevicePayload { thing } = message.topic else {
            return Err(Refusal::new(RefusalCode::UnknownTopic, "expected device/{thing}/devicePayload"));
        };
        let readings = Readings::parse(&message.payload, message.received_at)?;
        Ok(Self { thing, readings, received_at: message.received_at })
    }
}
