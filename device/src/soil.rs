//! Soil mode: a simulated sensor that says how moist the soil is.

use crate::device::Device;
use crate::error::DeviceError;
use crate::message::QoS;
use crate::topics;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// What every device of this kind says first: how many seconds it waits between two readings of its own.
pub const FIRST_MESSAGE: &str = r#"{"state":{"reported":{"wait_time":5}}}"#;

/// One reading as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// The thing's name.
    pub name: String,
    /// Relative humidity in percent.
    pub humidity: Humidity,
    /// When, in milliseconds since 1970.
    #[serde(rename = "timeStampEpoch")]
    pub epoch_ms: i64,
    /// When, in local time with microseconds and without a zone.
    #[serde(rename = "timeStampIso")]
    pub local_time: String,
}

/// Relative humidity in percent. Real devices send it as a number or as a string, so this one does both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Humidity {
    /// A number.
    Number(u8),
    /// The same in quotes.
    Text(String),
}

impl std::fmt::Display for Humidity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(percent) => write!(f, "{percent}"),
            Self::Text(percent) => write!(f, "{percent}"),
        }
    }
}

/// The readings of one sensor: the first is the string "20", every later one an integer from 20 to 45.
#[derive(Debug, Clone)]
pub struct Readings {
    thing: String,
    random: fastrand::Rng,
    begun: bool,
}

impl Readings {
    /// A sensor's readings; the same seed gives the same humidities.
    #[must_use]
    pub fn new(thing: &str, seed: u64) -> Self {
        Self { thing: thing.to_owned(), random: fastrand::Rng::with_seed(seed), begun: false }
    }

    /// The next reading, taken at `now`, with its local time in `zone`.
    pub fn take(&mut self, now: Timestamp, zone: &TimeZone) -> Reading {
        let first = !std::mem::replace(&mut self.begun, true);
        let humidity = if first { Humidity::Text("20".to_owned()) } else { Humidity::Number(self.random.u8(20..=45)) };
        Reading {
            name: self.thing.clone(),
            humidity,
            epoch_ms: now.as_millisecond(),
            local_time: zone.to_datetime(now).strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string(),
        }
    }
}

impl Reading {
    /// The reading as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A flat struct of strings and integers always has a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// How soil mode runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounds {
    /// The time between two readings.
    pub interval: Duration,
    /// How many readings; 0 is for ever.
    pub number: u64,
    /// How they are published.
    pub qos: QoS,
}

/// Publishes one reading per round; a reading whose connection was lost is published again.
///
/// # Errors
/// Everything [`Device::publish`] can fail with, but [`DeviceError::ConnectionLost`].
pub async fn run(device: &Device, readings: &mut Readings, rounds: Rounds) -> Result<(), DeviceError> {
    let mut ticks = interval(rounds.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut done = 0;
    while rounds.number == 0 || done < rounds.number {
        ticks.tick().await;
        device.connected().await?;
        publish(device, &readings.take(Timestamp::now(), &TimeZone::system()), rounds.qos).await?;
        done = done.saturating_add(1);
    }
    Ok(())
}

/// Publishes one reading, again if the connection was lost meanwhile.
///
/// # Errors
/// As [`run`].
pub async fn publish(device: &Device, reading: &Reading, qos: QoS) -> Result<(), DeviceError> {
    let topic = topics::device_payload(device.thing());
    device.deliver(&topic, reading.to_json().as_bytes(), qos).await?;
    tracing::info!(thing.name = device.thing(), humidity = %reading.humidity, topic, "reading published");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn noon() -> Timestamp {
        "2026-11-21T12:00:00.000042Z".parse().unwrap()
    }

    fn json_of(reading: &Reading) -> Value {
        serde_json::from_str(&reading.to_json()).unwrap()
    }

    #[test]
    fn the_first_reading_is_the_string_20_with_exactly_the_four_fields() {
        let reading = Readings::new("soilSensor1", 7).take(noon(), &TimeZone::UTC);
        assert_eq!(
            json_of(&reading),
            json!({
                "name": "soilSensor1",
                "humidity": "20",
                "timeStampEpoch": 1_795_262_400_000_i64,
                "timeStampIso": "2026-11-21T12:00:00.000042",
            })
        );
    }

    #[test]
    fn the_local_time_follows_the_zone_and_the_epoch_does_not() {
        let zone = TimeZone::fixed(jiff::tz::offset(-5));
        let reading = Readings::new("x", 0).take(noon(), &zone);
        assert_eq!(reading.local_time, "2026-11-21T07:00:00.000042");
        assert_eq!(reading.epoch_ms, noon().as_millisecond());
    }

    #[test]
    fn a_whole_second_still_has_six_digits_of_microseconds() {
        let second: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(Readings::new("x", 0).take(second, &TimeZone::UTC).local_time, "2026-11-21T12:00:00.000000");
    }

    #[test]
    fn the_same_seed_gives_the_same_readings_and_another_seed_others() {
        let take = |seed| {
            let mut readings = Readings::new("x", seed);
            (0..20).map(|_| readings.take(noon(), &TimeZone::UTC).humidity).collect::<Vec<_>>()
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }

    proptest! {
        #[test]
        fn every_later_reading_is_an_integer_from_20_to_45(seed: u64, after in 1_usize..50) {
            let mut readings = Readings::new("x", seed);
            let last = (0..=after).map(|_| readings.take(noon(), &TimeZone::UTC)).last().unwrap();
            let percent = json_of(&last)["humidity"].as_i64().unwrap();
            prop_assert!((20..=45).contains(&percent));
        }
    }
}
