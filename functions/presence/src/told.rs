//! What others are told of a change, as events.

use loam_domain::{Event, EventType, ThingName};
use serde_json::{Map, Value, json};

use crate::decide::Told;
use crate::row::Row;

/// The events of the change that made `next`, each with the version that tells it: the last with the row's own, each
/// before it with the one before.
pub(crate) fn events(thing: &ThingName, next: &Row, told: &[Told]) -> Vec<(u64, Event)> {
    let first = next.version.saturating_sub(told.len() as u64) + 1;
    let event = |(version, told): (u64, &Told)| {
        let event = Event {
            id: format!("{thing}.presence.{version}"),
            kind: kind(told),
            thing: Some(thing.clone()),
            at: next.told_at,
            epoch: next.epoch,
            data: data(next, told),
        };
        (version, event)
    };
    (first..).zip(told).map(event).collect()
}

const fn kind(told: &Told) -> EventType {
    match told {
        Told::Connected => EventType::PresenceConnected,
        Told::Disconnected => EventType::PresenceDisconnected,
        Told::PrincipalChanged { .. } => EventType::PresencePrincipalChanged,
    }
}

fn data(next: &Row, told: &Told) -> Map<String, Value> {
    let Some(status) = &next.status else { return Map::new() };
    let mut data = match told {
        Told::Connected => json!({
            "since": status.since,
            "versionNumber": status.mark.version_number,
            "sessionIdentifier": status.mark.session,
            "principal": status.principal,
            "flapping": next.is_flapping(next.seen_at),
        }),
        Told::Disconnected => json!({
            "since": status.since,
            "versionNumber": status.mark.version_number,
            "sessionIdentifier": status.mark.session,
            "reason": next.last_end.as_ref().and_then(|end| end.how.reason.as_deref()),
            "clean": next.last_end.as_ref().is_some_and(|end| end.how.clean),
            "flapping": next.is_flapping(next.seen_at),
        }),
        Told::PrincipalChanged { before } => {
            json!({"since": status.since, "principal": status.principal, "before": before})
        }
    };
    // What is not known is not told.
    let known = data.as_object_mut().map(std::mem::take).unwrap_or_default();
    known.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

#[cfg(test)]
mod tests {
    use loam_domain::Timestamp;

    use super::*;
    use crate::decide::decide;
    use crate::fact::{Beginning, Fact};
    use crate::mark::{Mark, Stage};

    #[test]
    fn each_event_of_a_change_has_an_id_of_its_own_that_a_repeat_has_too() {
        let mark =
            Mark { at: Timestamp::from_millis(5), version_number: 3, session: "s".to_owned(), stage: Stage::Began };
        let fact = Fact::Began(Beginning { mark, principal: Some("p".to_owned()) });
        let decision = decide(&Row::unseen(2), &fact, Timestamp::from_millis(9));
        let thing = ThingName::parse("t1").unwrap();
        let events = events(&thing, decision.next.as_ref().unwrap(), &decision.told);
        let told: Vec<_> = events.iter().map(|(version, event)| (*version, event.id.as_str(), event.kind)).collect();
        assert_eq!(
            told,
            [
                (1, "t1.presence.1", EventType::PresenceConnected),
                (2, "t1.presence.2", EventType::PresencePrincipalChanged)
            ]
        );
        let connected =
            json!({"since": 5, "versionNumber": 3, "sessionIdentifier": "s", "principal": "p", "flapping": false});
        assert_eq!(Value::Object(events[0].1.data.clone()), connected);
        assert_eq!(Value::Object(events[1].1.data.clone()), json!({"since": 5, "principal": "p"}));
        assert_eq!((events[0].1.at.as_millis(), events[0].1.epoch), (9, 2));
    }
}
