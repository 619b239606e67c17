//! Events as AWS delivers them. Every reading is dry, so that every event costs all that it can.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::Timestamp;
use serde_json::{Value, json};

/// Messages in one batch of telemetry's queue: the template's `BatchSize`.
pub(crate) const BATCH: u64 = 25;

/// Things that the messages come from, in turn.
const THINGS: u64 = 100;

/// The classic rule's event, `SELECT *`: the device's own payload.
pub(crate) fn classic_reading(number: u64, start: Timestamp) -> Value {
    json!({
        "name": thing(number),
        "humidity": 20,
        "timeStampEpoch": time(number, start).as_millis(),
        "timeStampIso": "2026-08-27T13:47:52.677721",
    })
}

/// The event of Loam's rule: the payload encoded, and where it came from.
pub(crate) fn soil_reading(number: u64, start: Timestamp) -> Value {
    let thing = thing(number);
    json!({
        "payload": STANDARD.encode(classic_reading(number, start).to_string()),
        "topic": format!("device/{thing}/devicePayload"),
        "clientId": thing,
        "receivedAt": time(number, start).as_millis(),
    })
}

/// A schedule's event, as EventBridge Scheduler sends it when the template gives no input.
pub(crate) fn schedule(_number: u64, _start: Timestamp) -> Value {
    json!({})
}

/// A full batch of a queue, each message of another thing.
pub(crate) fn queue_batch(first: u64, start: Timestamp) -> Value {
    let record = |number| {
        json!({
            "messageId": format!("00000000-0000-4000-8000-{number:012}"),
            "receiptHandle": "handle",
            "body": soil_reading(number, start).to_string(),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1598536072700"},
            "messageAttributes": {},
            "md5OfBody": "00000000000000000000000000000000",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:telemetry",
            "awsRegion": "us-east-1",
        })
    };
    json!({"Records": (first..first + BATCH).map(record).collect::<Vec<_>>()})
}

fn thing(number: u64) -> String {
    format!("soilSensor{}", number % THINGS)
}

/// Devices report in turn, one each millisecond.
fn time(number: u64, start: Timestamp) -> Timestamp {
    start.plus_millis(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use loam_domain::DeviceClock;
    use soil_alerts::SoilMessage;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_598_536_072_677);

    #[test]
    fn every_event_is_understood_and_its_clock_believed() {
        for number in [0, 1, 9_999] {
            let message = SoilMessage::from_event(&soil_reading(number, START)).unwrap();
            assert!(message.readings.refused.is_empty());
            let (_, reading) = &message.readings.accepted[0];
            assert_eq!((reading.name.as_str(), reading.clock), (message.thing.as_str(), DeviceClock::Believed));
        }
    }

    #[test]
    fn no_two_messages_of_a_batch_are_of_one_thing() {
        let batch = queue_batch(90, START);
        let bodies: std::collections::BTreeSet<_> =
            batch["Records"].as_array().unwrap().iter().map(|record| record["body"].as_str().unwrap()).collect();
        let topics: std::collections::BTreeSet<_> =
            bodies.iter().map(|body| serde_json::from_str::<Value>(body).unwrap()["topic"].to_string()).collect();
        assert_eq!((bodies.len(), topics.len()), (25, 25));
    }
}
