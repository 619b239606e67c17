use crate::{Refusal, RefusalCode, ThingName};

/// The longest topic that AWS IoT takes, in bytes. Source: AWS IoT Core quotas, "Topic size".
pub const MAX_TOPIC_BYTES: usize = 256;

/// The most slashes in a topic. Source: AWS IoT Core quotas, "Maximum number of slashes in topic and topic filter".
pub const MAX_TOPIC_SLASHES: usize = 7;

/// A topic on which devices report, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// `device/{thing}/devicePayload`: soil readings.
    DevicePayload {
        /// Who publishes. The device policy makes sure of it, so the topic decides and no field of the payload.
        thing: ThingName,
    },
    /// `device/{thing}/sensor/{sensor}/v1`: general telemetry.
    Sensor {
        /// Who publishes.
        thing: ThingName,
        /// Which of the thing's sensors: a non-empty topic level without wildcards.
        sensor: String,
    },
}

impl Topic {
    /// The topic of which `text` is the name.
    ///
    /// # Errors
    /// [`RefusalCode::UnknownTopic`] for a topic that is none of these, [`RefusalCode::InvalidThingName`] for a thing
    /// that may not be one.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let levels: Vec<&str> = text.split('/').collect();
        match levels.as_slice() {
            ["device", thing, "devicePayload"] => Ok(Self::DevicePayload { thing: ThingName::parse(thing)? }),
            ["device", thing, "sensor", sensor, "v1"] if is_plain_level(sensor) => {
                Ok(Self::Sensor { thing: ThingName::parse(thing)?, sensor: (*sensor).to_owned() })
            }
            _ => Err(Refusal::new(
                RefusalCode::UnknownTopic,
                "expected device/{thing}/devicePayload or device/{thing}/sensor/{sensor}/v1",
            )),
        }
    }

    /// Who publishes on this topic.
    #[must_use]
    pub const fn thing(&self) -> &ThingName {
        match self {
            Self::DevicePayload { thing } | Self::Sensor { thing, .. } => thing,
        }
    }
}

fn is_plain_level(level: &str) -> bool {
    !level.is_empty() && !level.contains(['+', '#', '$', '*', '?']) && !level.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classic_topic_names_its_thing() {
        let topic = Topic::parse("device/soilSensor1/devicePayload").unwrap();
        assert_eq!(topic.thing().as_str(), "soilSensor1");
    }

    #[test]
    fn a_sensor_topic_names_thing_and_sensor() {
        let Topic::Sensor { thing, sensor } = Topic::parse("device/t1/sensor/air temperature/v1").unwrap() else {
            panic!("expected a sensor topic");
        };
        assert_eq!((thing.as_str(), sensor.as_str()), ("t1", "air temperature"));
    }

    #[test]
    fn a_topic_with_a_level_more_or_less_is_unknown() {
        for text in
            ["", "device", "device/t1", "device/t1/devicePayload/x", "device//devicePayload/", "device/t1/sensor//v1"]
        {
            assert_eq!(Topic::parse(text).unwrap_err().code, RefusalCode::UnknownTopic, "{text:?}");
        }
    }

    #[test]
    fn a_thing_that_could_widen_a_policy_is_refused() {
        assert_eq!(Topic::parse("device/a*/devicePayload").unwrap_err().code, RefusalCode::InvalidThingName);
        assert_eq!(Topic::parse("device/loam/devicePayload").unwrap_err().code, RefusalCode::InvalidThingName);
    }
}
