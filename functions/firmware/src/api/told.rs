//! What is told of what operators do; who did it stands in `by`.

use loam_domain::{Event, EventType, Timestamp};
use serde_json::{Map, json};

use crate::release::{Release, State};
use crate::rollout::{Action, Rollout};
use crate::told;

/// The event of a release that is `after` now: `release`, `version`, `hardware`, `channel`, `by`. `None` for a draft.
pub(super) fn of_release(after: &Release, by: &str, now: Timestamp) -> Option<Event> {
    let kind = match after.state {
        State::Draft => return None,
        State::Published => EventType::ReleasePublished,
        State::Deprecated => EventType::ReleaseDeprecated,
    };
    let firmware = &after.firmware;
    let data = Map::from_iter([
        ("release".to_owned(), json!(firmware.release)),
        ("version".to_owned(), json!(firmware.version)),
        ("hardware".to_owned(), json!(firmware.hardware)),
        ("channel".to_owned(), json!(after.channel)),
        ("by".to_owned(), json!(by)),
    ]);
    let id = format!("release.{}.{}", firmware.release, after.version);
    Some(Event { id, kind, thing: None, at: now, epoch: 0, data })
}

/// The event of an operator's action, which made `after` of `before`, if there is one. Whoever lets a wave pass that missed its
/// gate is told of with it: `wave`, `waived`.
pub(super) fn of_action(before: &Rollout, after: &Rollout, action: Action, by: &str, now: Timestamp) -> Option<Event> {
    let kind = match action {
        Action::Start => EventType::RolloutStarted,
        Action::Pause => EventType::RolloutPaused,
        Action::Stop => EventType::RolloutStopping,
        Action::Resume => EventType::RolloutResumed,
        // It missed its gate, and goes on with another try.
        Action::Retry if before.status != after.status => EventType::RolloutResumed,
        Action::Approve | Action::Retry | Action::RollBack => return None,
    };
    let waived = before.waves.iter().zip(&after.waves).position(|(before, after)| after.waived && !before.waived);
    let mut event = told::of_rollout(after, kind, waived, now);
    if waived.is_some() {
        event.data.insert("waived".to_owned(), json!(true));
    }
    event.data.insert("by".to_owned(), json!(by));
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::tests::draft;
    use crate::rollout::tests::running;
    use crate::rollout::{Pause, Status, act};

    fn told(before: &Rollout, action: Action) -> Option<(&'static str, Map<String, serde_json::Value>)> {
        let now = Timestamp::from_millis(7);
        let after = act(before, action, "bob", true, before.version, now).unwrap();
        let event = of_action(before, &after, action, "bob", now)?;
        assert_eq!(event.id, format!("rollout.{}.{}", after.id, after.version));
        Some((event.kind.as_str(), event.data))
    }

    #[test]
    fn who_lets_a_rollout_go_on_is_told_and_with_it_which_wave_passes_without_its_gate() {
        let mut paused = Rollout { status: Status::Paused(Pause::Operator), ..running() };
        paused.waves[0].opened_at = Some(Timestamp::from_millis(1));
        let (kind, data) = told(&paused, Action::Resume).unwrap();
        assert_eq!((kind, &data["by"], &data["status"]), ("rollout.resumed", &json!("bob"), &json!("running")));
        assert_eq!((data.get("wave"), data.get("waived")), (None, None));
        paused.status = Status::Paused(Pause::GateMissed);
        let (kind, data) = told(&paused, Action::Resume).unwrap();
        assert_eq!((kind, &data["wave"], &data["waived"]), ("rollout.resumed", &json!(1), &json!(true)));
        let (kind, data) = told(&paused, Action::Retry).unwrap();
        assert_eq!((kind, data.get("waived")), ("rollout.resumed", None));
        assert_eq!(told(&running(), Action::Retry), None);
    }

    #[test]
    fn a_release_is_told_of_when_it_is_published_and_when_it_is_deprecated_and_not_before() {
        let now = Timestamp::from_millis(7);
        let mut release = draft("2.1.0");
        assert_eq!(of_release(&release, "ann", now), None);
        release.state = State::Published;
        let event = of_release(&release, "ann", now).unwrap();
        assert_eq!((event.kind, event.thing.clone(), event.epoch), (EventType::ReleasePublished, None, 0));
        assert_eq!((&event.data["version"], &event.data["by"]), (&json!("2.1.0"), &json!("ann")));
        release.state = State::Deprecated;
        assert_eq!(of_release(&release, "bob", now).unwrap().kind, EventType::ReleaseDeprecated);
    }
}
