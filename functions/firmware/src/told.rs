//! What is told of rollouts and of their things: ids, versions and words, never a manifest or a URL.

use loam_domain::{Event, EventType, Timestamp};
use serde_json::{Map, json};

use crate::execution::{Execution, State};
use crate::rollout::{Rollout, Told};
use crate::tally::Tally;

/// The event of a rollout as it is after a change: one for each version, so that a repeat has the same id. `wave` counts from
/// 1 there.
#[must_use]
pub fn of_rollout(after: &Rollout, kind: EventType, wave: Option<usize>, now: Timestamp) -> Event {
    let mut data = Map::from_iter([
        ("rolloutId".to_owned(), json!(after.id)),
        ("releaseId".to_owned(), json!(after.firmware.release)),
        ("version".to_owned(), json!(after.firmware.version)),
        ("status".to_owned(), json!(after.status.as_str())),
    ]);
    if let Some(why) = after.status.why() {
        data.insert("reason".to_owned(), json!(why));
    }
    if let Some(wave) = wave {
        data.insert("wave".to_owned(), json!(wave + 1));
    }
    Event { id: format!("rollout.{}.{}", after.id, after.version), kind, thing: None, at: now, epoch: 0, data }
}

/// The event of what a rollout did by itself. `counts` says how many things stand where, of the wave or else of all, unless
/// nobody counted them (`tallies` is empty then); of a wave that passed `waived` says whether an operator let it.
#[must_use]
pub fn of_change(after: &Rollout, told: Told, tallies: &[Tally], now: Timestamp) -> Event {
    let (kind, wave) = match told {
        Told::Started => (EventType::RolloutStarted, None),
        Told::WaveOpened(wave) => (EventType::RolloutWaveOpened, Some(wave)),
        Told::WavePassed(wave) => (EventType::RolloutWavePassed, Some(wave)),
        Told::Paused(wave) => (EventType::RolloutPaused, Some(wave)),
        Told::Stopping(wave) => (EventType::RolloutStopping, Some(wave)),
        Told::Stopped => (EventType::RolloutStopped, None),
        Told::Completed => (EventType::RolloutCompleted, None),
    };
    let mut event = of_rollout(after, kind, wave, now);
    if !tallies.is_empty() {
        event.data.insert("counts".to_owned(), json!(counted(wave, tallies).by_word()));
    }
    if let Told::WavePassed(wave) = told {
        let waived = after.waves.get(wave).is_some_and(|standing| standing.waived);
        event.data.insert("waived".to_owned(), json!(waived));
    }
    event
}

/// The counters of this wave, or of all.
fn counted(wave: Option<usize>, tallies: &[Tally]) -> Tally {
    let mut sum = Tally::default();
    let wanted = |at: usize| wave.is_none_or(|wave| wave == at);
    tallies.iter().enumerate().filter(|(at, _)| wanted(*at)).for_each(|(_, tally)| sum.add(tally));
    sum
}

/// What kind of event a thing's move is: success, and what speaks against the firmware. `None`: nobody waits for it.
#[must_use]
pub fn kind_of_move(before: &Execution, after: &Execution) -> Option<EventType> {
    let state = after.state();
    match state {
        _ if state == before.state() => None,
        State::Succeeded => Some(EventType::FirmwareSucceeded),
        State::Failed | State::Rejected | State::TimedOut => Some(EventType::FirmwareFailed),
        State::Queued | State::Notified | State::Downloading | State::Verifying | State::Installing => None,
        State::Unreached | State::AlreadyInstalled | State::Incompatible | State::Removed => None,
    }
}

/// The event of a thing's move, in its owner's time `epoch`.
#[must_use]
pub fn of_move(after: &Execution, kind: EventType, epoch: u64, now: Timestamp) -> Event {
    let mut data = Map::from_iter([
        ("rolloutId".to_owned(), json!(after.rollout)),
        ("version".to_owned(), json!(after.target)),
        ("attempt".to_owned(), json!(after.attempt)),
        ("state".to_owned(), json!(after.state().as_str())),
    ]);
    if let Some(reason) = after.reason() {
        data.insert("reason".to_owned(), json!(reason));
    }
    let id = format!("{}.firmware.{}.{}", after.thing, after.rollout, after.version);
    Event { id, kind, thing: Some(after.thing.clone()), at: now, epoch, data }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::tests::{TIMERS, after, at, notified, running};
    use crate::execution::{Intent, Phase};
    use crate::rollout::tests::running as started;
    use crate::rollout::{Status, Stop};

    #[test]
    fn success_and_failure_of_a_thing_are_told_with_one_id_and_its_way_is_not() {
        let done = after(&notified(), &Intent::Report(running("2.1.0", 500)), 500);
        let kind = kind_of_move(&notified(), &done).unwrap();
        let event = of_move(&done, kind, 3, at(500));
        assert_eq!((event.kind, event.epoch), (EventType::FirmwareSucceeded, 3));
        assert_eq!(event.id, of_move(&done, kind, 3, at(900)).id);
        assert_eq!(kind_of_move(&done, &done), None);
        let back = after(&done, &Intent::Report(running("2.0.0", 600)), 600);
        let kind = kind_of_move(&done, &back).unwrap();
        assert_eq!(of_move(&back, kind, 3, at(600)).data["reason"], "fell-back");
    }

    #[test]
    fn who_began_and_came_to_no_end_is_told_as_failed_and_who_was_never_reached_is_not() {
        let began = after(&notified(), &Intent::Progress(Phase::Downloading, at(300)), 300);
        let stalled = after(&began, &Intent::TimeOut(TIMERS), 90_000);
        assert_eq!(kind_of_move(&began, &stalled), Some(EventType::FirmwareFailed));
        let event = of_move(&stalled, EventType::FirmwareFailed, 3, at(90_000));
        assert_eq!((&event.data["state"], &event.data["reason"]), (&json!("timed-out"), &json!("stalled")));
        let silent = after(&notified(), &Intent::TimeOut(TIMERS), 90_000);
        assert_eq!(kind_of_move(&notified(), &silent), None);
    }

    #[test]
    fn the_notice_of_a_wave_counts_its_things_and_that_of_the_end_all_of_them() {
        let mut rollout = started();
        rollout.waves[1].waived = true;
        let mut tallies = [Tally::default(), Tally::default()];
        tallies[0].set(State::Succeeded, 3);
        for (state, things) in [(State::Succeeded, 4), (State::TimedOut, 1), (State::Unreached, 2)] {
            tallies[1].set(state, things);
        }
        let told = |told| of_change(&rollout, told, &tallies, at(1)).data;
        let passed = told(Told::WavePassed(1));
        assert_eq!((&passed["counts"], &passed["waived"]), (&json!({"succeeded": 4, "timed-out": 3}), &json!(true)));
        assert_eq!(told(Told::WavePassed(0))["waived"], json!(false));
        assert_eq!(told(Told::Completed)["counts"], json!({"succeeded": 7, "timed-out": 3}));
        assert_eq!(of_change(&rollout, Told::Started, &[], at(1)).data.get("counts"), None);
    }

    #[test]
    fn a_rollouts_event_counts_waves_from_one_and_says_why() {
        let mut rollout = started();
        rollout.status = Status::Stopping(Stop::Errors);
        let event = of_change(&rollout, Told::Stopping(0), &[], at(1));
        assert_eq!((event.kind, event.thing.clone()), (EventType::RolloutStopping, None));
        assert_eq!((&event.data["wave"], &event.data["reason"]), (&json!(1), &json!("errors")));
    }
}
