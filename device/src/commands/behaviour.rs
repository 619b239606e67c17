use super::Order;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// The longest that `slow` takes.
const SLOWEST: Duration = Duration::from_secs(600);

/// What a device says of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// `accepted`, `progress`, `succeeded`, `failed` or `rejected`.
    pub word: String,
    /// What it says with it.
    pub payload: Value,
}

/// One step of what a device does with a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Says something.
    Say(Word),
    /// Takes its time.
    Work(Duration),
    /// Loses its connection without a goodbye.
    DropConnection,
}

impl Word {
    /// A word with this payload.
    #[must_use]
    pub fn new(word: &str, payload: Value) -> Self {
        Self { word: word.to_owned(), payload }
    }

    /// Whether nothing more comes after it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !["accepted", "progress"].contains(&self.word.as_str())
    }

    /// What is said of a command that came too late.
    #[must_use]
    pub fn expired() -> Self {
        Self::new("rejected", json!({"reasonCode": "expired"}))
    }

    /// What is said of a command during which the power was cut.
    #[must_use]
    pub fn interrupted() -> Self {
        let why = "the power was cut during the command; it may have been done";
        Self::new("failed", json!({"reasonCode": "interrupted", "reasonDescription": why}))
    }
}

/// What the simulated device does with a command: its name says it, and any other name succeeds with the payload as
/// result.
#[must_use]
pub fn carry_out(order: &Order) -> Vec<Part> {
    let say = |word: &str, payload: Value| Part::Say(Word::new(word, payload));
    let accepted = say("accepted", json!({}));
    let succeeded = || say("succeeded", json!({"result": order.payload}));
    match order.name.as_str() {
        "reject" => vec![say("rejected", json!({"reasonCode": "not-supported"}))],
        "fail" => vec![accepted, say("failed", json!({"reasonCode": "broken", "reasonDescription": "as it was told"}))],
        "silent" => vec![],
        "offline" => vec![accepted, Part::DropConnection, succeeded()],
        "double" => vec![accepted.clone(), accepted, succeeded(), succeeded()],
        "contradict" => vec![accepted, succeeded(), say("failed", json!({"reasonCode": "contradiction"}))],
        "slow" => {
            let seconds = order.payload.get("seconds").and_then(Value::as_u64).unwrap_or(10);
            let half = Duration::from_secs(seconds).min(SLOWEST) / 2;
            let progress = say("progress", json!({"result": {"percent": 50}}));
            vec![accepted, Part::Work(half), progress, Part::Work(half), succeeded()]
        }
        _ => vec![accepted, say("progress", json!({"result": {"percent": 50}})), succeeded()],
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::tests::order;
    use super::*;

    fn words(name: &str) -> Vec<String> {
        let parts = carry_out(&order(name, json!({"seconds": 1})));
        parts.into_iter().filter_map(|part| if let Part::Say(word) = part { Some(word.word) } else { None }).collect()
    }

    #[test]
    fn the_name_of_a_command_says_what_becomes_of_it() {
        for (name, expected) in [
            ("blink", vec!["accepted", "progress", "succeeded"]),
            ("slow", vec!["accepted", "progress", "succeeded"]),
            ("reject", vec!["rejected"]),
            ("fail", vec!["accepted", "failed"]),
            ("silent", vec![]),
            ("offline", vec!["accepted", "succeeded"]),
            ("double", vec!["accepted", "accepted", "succeeded", "succeeded"]),
            ("contradict", vec!["accepted", "succeeded", "failed"]),
        ] {
            assert_eq!(words(name), expected, "{name}");
        }
    }

    #[test]
    fn nobody_makes_a_device_work_for_longer_than_ten_minutes() {
        let parts = carry_out(&order("slow", json!({"seconds": u64::MAX})));
        assert!(parts.contains(&Part::Work(Duration::from_secs(300))));
    }
}
