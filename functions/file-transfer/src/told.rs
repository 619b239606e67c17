//! What is told of a transfer: ids, direction and reason, never a name, a digest or a key.

use loam_domain::{Event, EventType, Timestamp};
use serde_json::{Map, json};

use crate::transfer::{How, State, Transfer};

/// The event of `transfer` standing in `state`; `None` for what concerns nobody else.
#[must_use]
pub fn event(transfer: &Transfer, state: State, now: Timestamp) -> Option<Event> {
    let kind = match state {
        State::AwaitingSource | State::Sealing | State::AwaitingUpload | State::Verifying => return None,
        State::Ready => EventType::FileReady,
        State::Over(How::Completed) => EventType::FileCompleted,
        State::Over(How::Failed) => EventType::FileFailed,
        State::Over(How::Cancelled) => EventType::FileCancelled,
        State::Over(How::Expired) => EventType::FileExpired,
    };
    let mut data = Map::from_iter([
        ("transferId".to_owned(), json!(transfer.id)),
        ("direction".to_owned(), json!(transfer.order.direction)),
    ]);
    if let Some(reason) = transfer.end.as_ref().and_then(|end| end.reason.as_ref()) {
        data.insert("reason".to_owned(), json!(reason));
    }
    let id = format!("{}.file.{}.{}", transfer.thing, transfer.id, transfer.version);
    Some(Event { id, kind, thing: Some(transfer.thing.clone()), at: now, epoch: transfer.epoch, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Direction;
    use crate::transfer::tests::{at, transfer};

    #[test]
    fn what_people_wait_for_is_told_with_one_id_and_what_is_under_way_is_not() {
        let one = transfer(Direction::Download, 3);
        assert_eq!(event(&one, State::Sealing, at(1)), None);
        let ready = event(&one, State::Ready, at(1)).unwrap();
        assert_eq!((ready.kind, ready.epoch), (EventType::FileReady, 1));
        assert_eq!(ready.id, event(&one, State::Ready, at(2)).unwrap().id);
        assert!(!serde_json::to_string(&ready).unwrap().contains("\"f\""));
    }
}
