//! Wire types in: the body of a queue's record becomes points.

use std::collections::BTreeSet;

use loam_domain::{DeviceMessage, Readings, Refusal, RefusalCode, ThingName, Timestamp, Topic};
use serde_json::Value as Json;

use crate::error::Refused;
use crate::point::{Metric, Point, Sample, Value};
use crate::sensor;

/// The most different metrics that one message may name.
pub const MAX_METRICS: usize = 64;

/// The most levels of objects and arrays in a sensor's payload, its outermost object included.
pub const MAX_DEPTH: usize = 8;

/// What one message holds: its numbers, and why others were refused.
///
/// A bad reading or number never takes the good ones with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Points {
    /// The good numbers, each with the place of its reading in the message's batch; 0 in a message that is no batch.
    pub accepted: Vec<(usize, Point)>,
    /// Why the others were refused, one entry a reading or number.
    pub refused: Vec<RefusedPart>,
}

/// A reading of a message, or a number of it, that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPart {
    /// The place of the reading in the message's batch; 0 in a message that is no batch.
    pub index: usize,
    /// Why.
    pub reason: Refused,
}

impl Points {
    /// Understands the body of a record: what the rules hand to the queue.
    ///
    /// # Errors
    /// [`Refused`] when nothing of the message can be stored.
    pub fn parse(body: &str) -> Result<Self, Refused> {
        let event: Json = serde_json::from_str(body)
            .map_err(|_| Refusal::new(RefusalCode::NotARuleMessage, "the record's body is not JSON"))?;
        let message = DeviceMessage::from_event(&event)?;
        let mut metrics = Metrics::default();
        match &message.topic {
            Topic::DevicePayload { .. } => soil(&message.payload, message.received_at, &mut metrics)?,
            Topic::Sensor { sensor, .. } => {
                sensor::read(sensor, &message.payload, message.received_at, &mut metrics)?;
            }
        }
        metrics.into_points(message.topic.thing())
    }
}

/// The numbers of a message while it is read.
#[derive(Default)]
pub(crate) struct Metrics {
    samples: Vec<(usize, Metric, Sample)>,
    refused: Vec<RefusedPart>,
}

impl Metrics {
    /// Adds `number` of the reading at `index` to the series `metric`, or the reason why not.
    pub(crate) fn add(&mut self, index: usize, metric: Metric, number: f64, sample: impl FnOnce(Value) -> Sample) {
        match Value::new(number) {
            Some(value) => self.samples.push((index, metric, sample(value))),
            None => self.refuse(index, Refused::OutOfRange { metric: metric.to_string() }),
        }
    }

    /// Refuses the reading at `index`, or a number of it.
    pub(crate) fn refuse(&mut self, index: usize, reason: Refused) {
        self.refused.push(RefusedPart { index, reason });
    }

    fn into_points(self, thing: &ThingName) -> Result<Points, Refused> {
        let found = self.samples.iter().map(|(_, metric, _)| metric).collect::<BTreeSet<_>>().len();
        if found > MAX_METRICS {
            return Err(Refused::TooManyMetrics { found });
        }
        let point = |(index, metric, sample)| (index, Point { thing: thing.clone(), metric, sample });
        Ok(Points { accepted: self.samples.into_iter().map(point).collect(), refused: self.refused })
    }
}

/// Reads a payload of `device/{thing}/devicePayload`: `humidity`, and the other numbers of each reading by their names.
fn soil(payload: &[u8], received_at: Timestamp, metrics: &mut Metrics) -> Result<(), Refused> {
    let readings = Readings::parse(payload, received_at)?;
    for refused in readings.refused {
        metrics.refuse(refused.index, refused.refusal.into());
    }
    for (index, reading) in readings.accepted {
        let sample = |value| Sample { measured_at: reading.measured_at, value, received_at };
        let others = reading.others.iter().map(|(name, number)| (name.as_str(), *number));
        for (name, number) in std::iter::once(("humidity", reading.humidity.value())).chain(others) {
            match Metric::parse(name) {
                Ok(metric) => metrics.add(index, metric, number, sample),
                Err(refused) => metrics.refuse(index, refused),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const RECEIVED: i64 = 1_598_536_072_700;

    fn body(topic: &str, payload: &[u8]) -> String {
        json!({"payload": STANDARD.encode(payload), "topic": topic, "clientId": "t1", "receivedAt": RECEIVED})
            .to_string()
    }

    fn soil(payload: &str) -> Result<Points, Refused> {
        Points::parse(&body("device/t1/devicePayload", payload.as_bytes()))
    }

    fn sensor(payload: &str) -> Result<Points, Refused> {
        Points::parse(&body("device/t1/sensor/air/v1", payload.as_bytes()))
    }

    fn numbers(points: &Points) -> Vec<(&str, f64)> {
        points.accepted.iter().map(|(_, point)| (point.metric.as_str(), point.sample.value.get())).collect()
    }

    fn codes(points: &Points) -> Vec<&'static str> {
        points.refused.iter().map(|refused| refused.reason.code()).collect()
    }

    #[test]
    fn a_soil_reading_is_its_humidity_and_its_other_numbers() {
        let points = soil(r#"{"name":"s","humidity":"29","battery":3.3,"timeStampEpoch":1598536072677}"#).unwrap();
        assert_eq!(numbers(&points), [("humidity", 29.0), ("battery", 3.3)]);
        let sample = points.accepted[0].1.sample;
        assert_eq!((sample.measured_at.as_millis(), sample.received_at.as_millis()), (1_598_536_072_677, RECEIVED));
        assert_eq!(points.accepted[0].1.thing.as_str(), "t1");
    }

    #[test]
    fn a_bad_reading_of_a_batch_leaves_the_good_ones() {
        let points = soil(r#"[{"name":"s","humidity":1},{"name":"s"},{"name":"s","humidity":3,"x":1e200}]"#).unwrap();
        assert_eq!(numbers(&points), [("humidity", 1.0), ("humidity", 3.0)]);
        assert_eq!(codes(&points), ["missing-field", "out-of-range"]);
        let places: Vec<_> = points.refused.iter().map(|refused| refused.index).collect();
        assert_eq!(places, [1, 2]);
    }

    #[test]
    fn a_sensors_numbers_lie_at_dotted_paths() {
        let points =
            sensor(r#"{"temperature":51,"a":{"b":[1,{"c":2}]},"on":true,"n":null,"color":"red","s":"7"}"#).unwrap();
        assert_eq!(numbers(&points), [("air.a.b.0", 1.0), ("air.a.b.1.c", 2.0), ("air.temperature", 51.0)]);
        assert!(points.refused.is_empty());
    }

    #[test]
    fn a_sensors_time_is_no_metric() {
        let points = sensor(r#"{"t":1,"timestamp":1598536072001,"nested":{"timestamp":5}}"#).unwrap();
        assert_eq!(numbers(&points), [("air.nested.timestamp", 5.0), ("air.t", 1.0)]);
        assert_eq!(points.accepted[0].1.sample.measured_at.as_millis(), 1_598_536_072_001);
    }

    #[test]
    fn an_object_without_numbers_is_no_mistake() {
        assert_eq!(sensor(r#"{"color":"red"}"#).unwrap(), Points::default());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for payload in ["[1]", "7", "null", "\"x\""] {
            assert_eq!(sensor(payload).unwrap_err().code(), "not-an-object", "{payload}");
        }
        assert_eq!(sensor("{").unwrap_err().code(), "not-json");
        assert_eq!(Points::parse(&body("device/t1/sensor/air/v1", b"\xff")).unwrap_err().code(), "not-utf8");
    }

    #[test]
    fn a_message_of_64_metrics_is_stored_and_one_of_65_is_not() {
        let payload = |count: usize| {
            let fields: Vec<_> = (0..count).map(|at| format!("\"m{at}\":{at}")).collect();
            format!("{{{}}}", fields.join(","))
        };
        assert_eq!(sensor(&payload(64)).unwrap().accepted.len(), 64);
        assert_eq!(sensor(&payload(65)).unwrap_err(), Refused::TooManyMetrics { found: 65 });
    }

    #[test]
    fn a_batch_of_many_readings_still_names_few_metrics() {
        let batch = vec![r#"{"name":"s","humidity":1}"#; 100].join(",");
        assert_eq!(soil(&format!("[{batch}]")).unwrap().accepted.len(), 100);
    }

    #[test]
    fn a_number_on_the_eighth_level_is_stored_and_the_ninth_level_is_too_deep() {
        let payload = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        assert_eq!(numbers(&sensor(&payload(8)).unwrap()), [("air.a.a.a.a.a.a.a.a", 1.0)]);
        let points = sensor(&payload(9)).unwrap();
        assert_eq!((points.accepted.len(), codes(&points)), (0, vec!["too-deep"]));
        assert_eq!(codes(&sensor(&payload(1000)).unwrap()), ["too-deep"]);
        let list = format!("{{\"a\":{}1{},\"b\":2}}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(numbers(&sensor(&list).unwrap()), [("air.b", 2.0)]);
    }

    #[test]
    fn a_path_of_128_bytes_is_stored_and_one_of_129_is_not() {
        let payload = |length: usize| format!(r#"{{"{}":1,"x":2}}"#, "p".repeat(length - "air.".len()));
        assert_eq!(sensor(&payload(128)).unwrap().accepted.len(), 2);
        let points = sensor(&payload(129)).unwrap();
        assert_eq!((numbers(&points), codes(&points)), (vec![("air.x", 2.0)], vec!["path-too-long"]));
    }

    #[test]
    fn a_number_that_no_float_holds_leaves_the_others() {
        let points = sensor(r#"{"a":1e400,"b":1e200,"c":3,"d":{"\ud800":1},"e\u0000":1}"#).unwrap();
        assert_eq!(numbers(&points), [("air.c", 3.0)]);
        assert_eq!(codes(&points), ["not-a-number", "not-json", "invalid-path", "out-of-range"]);
    }

    #[test]
    fn what_is_said_of_a_number_never_quotes_its_value_or_an_endless_path() {
        let points = sensor(&format!(r#"{{"{}":1e400,"a":1e999,"b":3e200}}"#, "p".repeat(5000))).unwrap();
        for part in &points.refused {
            let text = part.reason.to_string();
            assert!(text.len() < 200 && !text.contains("999") && !text.contains("3e200"), "{text}");
        }
    }

    #[test]
    fn a_body_that_no_rule_wrote_is_told_apart() {
        for text in ["", "{", "[]", "{}", "null", r#"{"payload":"e30=","topic":"device/t1/devicePayload"}"#] {
            assert_eq!(Points::parse(text).unwrap_err().code(), "not-a-rule-message", "{text:?}");
        }
        assert_eq!(Points::parse(&body("device/t1/other", b"{}")).unwrap_err().code(), "unknown-topic");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..200), soil in any::<bool>()) {
            let topic = if soil { "device/t1/devicePayload" } else { "device/t1/sensor/air/v1" };
            let _ = Points::parse(&body(topic, &payload));
        }

        #[test]
        fn no_object_makes_it_panic(text in r#"[{}\[\]":,0-9a.e\\u-]{0,40}"#) {
            let _ = sensor(&format!("{{\"x\":{text}}}"));
            let _ = Points::parse(&text);
        }
    }
}
