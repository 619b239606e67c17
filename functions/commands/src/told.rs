//! What is told of a command: events without payload and result.

use loam_domain::{Event, EventType, Timestamp};
use serde_json::{Map, Value, json};

use crate::command::{Command, State, Told};
use crate::feedback::Verdict;

/// The event that a command was ordered.
pub(crate) fn queued(command: &Command) -> Event {
    event(command, EventType::CommandQueued, command.issued_at, None)
}

/// The event of what a change told; the command is the one after it.
pub(crate) fn of(command: &Command, told: Told, now: Timestamp) -> Event {
    let (kind, more) = match told {
        Told::State(state) => (kind_of(state), reason(command, state)),
        Told::Late(verdict) => (EventType::CommandLate, Some(("verdict", json!(verdict)))),
        Told::Progress => (EventType::CommandProgress, None),
    };
    event(command, kind, now.max(command.issued_at), more)
}

fn event(command: &Command, kind: EventType, at: Timestamp, more: Option<(&str, Value)>) -> Event {
    let mut data = Map::from_iter([
        ("id".to_owned(), json!(command.id)),
        ("name".to_owned(), json!(command.order.name)),
        ("by".to_owned(), json!(command.by)),
    ]);
    data.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Event {
        id: format!("{}.command.{}.{}", command.thing, command.id, command.version),
        kind,
        thing: Some(command.thing.clone()),
        at,
        epoch: command.epoch,
        data,
    }
}

const fn kind_of(state: State) -> EventType {
    match state {
        State::Queued => EventType::CommandQueued,
        State::Delivered => EventType::CommandDelivered,
        State::Accepted => EventType::CommandAccepted,
        State::Succeeded => EventType::CommandSucceeded,
        State::Failed => EventType::CommandFailed,
        State::Rejected => EventType::CommandRejected,
        State::Expired => EventType::CommandExpired,
        State::Cancelled => EventType::CommandCancelled,
    }
}

/// How far an expired command came, or the device's own reason.
fn reason(command: &Command, state: State) -> Option<(&'static str, Value)> {
    reason_code(command, state).map(|code| ("reasonCode", json!(code)))
}

/// The reason code of a command in this state: the device's own, or how far it came.
pub(crate) fn reason_code(command: &Command, state: State) -> Option<&str> {
    match state {
        State::Succeeded | State::Failed | State::Rejected => {
            command.word.as_ref().and_then(|word| word.said.note.reason_code.as_deref())
        }
        State::Expired => Some(command.reached().as_str()),
        State::Queued if command.deliveries >= command.order.max_deliveries => Some(command.reached().as_str()),
        State::Queued | State::Delivered | State::Accepted | State::Cancelled => None,
    }
}

/// The word of a verdict.
pub(crate) const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Failed => "failed",
        Verdict::Rejected => "rejected",
        Verdict::Succeeded => "succeeded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::{at, command, word};
    use crate::command::{Intent, Transition, next};

    fn after(command: &Command, intent: &Intent, millis: i64) -> (Command, Event) {
        let Transition::Change(change) = next(command, intent, at(millis)) else { panic!("{intent:?}") };
        let event = of(&change.command, change.told.unwrap_or(Told::Progress), at(millis));
        (change.command, event)
    }

    #[test]
    fn an_event_names_the_command_and_tells_nothing_of_its_payload() {
        let event = queued(&command());
        assert_eq!((event.kind.as_str(), event.epoch), ("command.queued", 1));
        let names: Vec<_> = event.data.keys().map(String::as_str).collect();
        assert_eq!(names, ["by", "id", "name"]);
    }

    #[test]
    fn an_expired_command_says_how_far_it_came_and_a_late_word_what_the_device_did() {
        let (expired, event) = after(&command(), &Intent::TellExpiry, 90_000);
        assert_eq!((event.kind.as_str(), &event.data["reasonCode"]), ("command.expired", &json!("not-sent")));
        assert_eq!(event.id, format!("t1.command.{}.2", expired.id));
        let (sent, _) = after(&command(), &Intent::Send, 1);
        let (_, event) = after(&sent, &word(Verdict::Succeeded, 61_000), 61_000);
        assert_eq!((event.kind.as_str(), &event.data["verdict"]), ("command.late", &json!("succeeded")));
    }
}
