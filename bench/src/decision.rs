//! How many events a core understands and decides on, without any call: the ceiling of what a function can do.

use std::hint::black_box;
use std::time::Duration;

use loam_domain::Timestamp;
use soil_alerts::SoilMessage;
use soil_alerts::classic::{Decision, decide};

use crate::cpu;
use crate::events;
use crate::failure::Failure;
use crate::samples::Samples;

/// Different events, so that nothing is decided once for all.
const EVENTS: u64 = 1000;
/// Times that all events are gone through for one sample.
const PASSES: u64 = 20;
const SAMPLES: usize = 5;

/// Events a second of CPU time: the event's JSON, its payload's JSON, the decision and its notice.
pub(crate) fn per_second(began: Timestamp) -> Result<Samples, Failure> {
    let events: Vec<Vec<u8>> =
        (0..EVENTS).map(|number| events::soil_reading(number, began).to_string().into_bytes()).collect();
    (0..SAMPLES).map(|_| sample(&events)).collect()
}

fn sample(events: &[Vec<u8>]) -> Result<f64, Failure> {
    let before = cpu::of_this_thread()?;
    for _ in 0..PASSES {
        for event in events {
            black_box(notices(black_box(event)));
        }
    }
    let spent = cpu::of_this_thread()?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "some ten thousand events")]
    let decided = (EVENTS * PASSES) as f64;
    Ok(decided / spent.max(Duration::from_nanos(1)).as_secs_f64())
}

/// How many notices an event comes to.
fn notices(event: &[u8]) -> usize {
    let event = serde_json::from_slice(event).ok();
    let message = event.and_then(|event| SoilMessage::from_event(&event).ok());
    message.map_or(0, |message| {
        let readings = message.readings.accepted.iter();
        readings.filter(|(_, reading)| matches!(decide(&message.thing, reading, 35.0), Decision::Notify(_))).count()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_timed_is_a_decision_on_a_reading_and_not_a_refusal() {
        let event = events::soil_reading(7, Timestamp::from_millis(1_598_536_072_677)).to_string();
        assert_eq!(notices(event.as_bytes()), 1);
        assert_eq!(notices(b"{}"), 0);
    }
}
