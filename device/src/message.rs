//! What goes over the wire, in words that do not depend on the MQTT library.

use rumqttc::v5::mqttbytes::v5::Publish;

/// How often a message is delivered. AWS IoT Core knows these two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QoS {
    /// QoS 0: written to the connection and forgotten.
    AtMostOnce,
    /// QoS 1: acknowledged by the broker; the receiver may see it twice.
    AtLeastOnce,
}

/// A message that the device received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The topic it was published to, never a filter.
    pub topic: String,
    /// The bytes as they came, at most 128 KiB.
    pub payload: Vec<u8>,
    /// Where an MQTT 5 sender wants the answer, if it said so.
    pub response_topic: Option<String>,
    /// What an MQTT 5 sender wants back unchanged with the answer.
    pub correlation_data: Option<Vec<u8>>,
    /// Whether the broker says that it may have sent this message before on this connection.
    pub duplicate: bool,
}

impl From<Publish> for Message {
    fn from(publish: Publish) -> Self {
        let properties = publish.properties.unwrap_or_default();
        Self {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload.to_vec(),
            response_topic: properties.response_topic,
            correlation_data: properties.correlation_data.map(|data| data.to_vec()),
            duplicate: publish.dup,
        }
    }
}
