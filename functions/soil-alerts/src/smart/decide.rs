use loam_domain::Timestamp;

use super::fold::{Alarm, Closed, Fold};
use super::state::Place;
use super::{AlertRule, Ending, Episode, MAX_OUTBOX, MAX_PAST, Notice, Observation, PastEpisode, Sample, State};

/// What became of the observations of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// New ones, which were put in their place.
    pub counted: usize,
    /// Known ones.
    pub duplicate: usize,
    /// Ones at or before the barrier.
    pub late: usize,
}

/// What a message changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Nothing: each observation is known, or late. Notices that still wait in the state's outbox are another matter.
    Unchanged(Tally),
    /// The next version of the state, to be saved if the version before is still there. Its outbox holds what is to be
    /// sent after that.
    Save(Box<State>, Tally),
}

/// Judges the `observations` of one message, which arrived at `now`, under `rule`.
///
/// Each is put in its place by device time, and the status is what all samples in their order come to: so neither
/// repeats nor another order of arrival change it. Observations of one message are taken in their order, one by one.
///
/// `now` is when AWS IoT took the message, so that a redelivered event is judged like the first; reminders, cool-down,
/// snooze and the no-data alarm go by it, and everything else by device time.
#[must_use]
pub fn decide(state: &State, rule: &AlertRule, observations: &[Observation], now: Timestamp) -> Decision {
    let mut ordered: Vec<_> = observations.iter().collect();
    ordered.sort_by(|left, right| left.sample.order(&right.sample, rule));
    let mut tally = Tally::default();
    let mut next: Option<Box<State>> = None;
    // Time does not run back in a state because one message overtook another.
    let now = state.last_seen.map_or(now, |seen| seen.max(now));
    for observation in ordered {
        match next.as_deref().unwrap_or(state).place(&observation.sample) {
            Place::Duplicate => tally.duplicate += 1,
            Place::Late => tally.late += 1,
            Place::New => {
                tally.counted += 1;
                take(next.get_or_insert_with(|| Box::new(state.next())), rule, observation, now);
            }
        }
    }
    next.map_or(Decision::Unchanged(tally), |next| Decision::Save(next, tally))
}

fn take(state: &mut State, rule: &AlertRule, observation: &Observation, now: Timestamp) {
    state.name.clone_from(&observation.name);
    state.insert(observation.sample.clone(), rule);
    state.release_held(now);
    data_is_back(state, rule, now);
    let fold = state.fold(rule);
    match (state.episode.take(), fold.alarm.as_ref()) {
        (None, None) => {}
        (None, Some(alarm)) => state.episode = Some(Episode::begin(alarm)),
        (Some(episode), Some(alarm)) => state.episode = Some(episode.goes_on(alarm, rule)),
        (Some(episode), None) => close(state, rule, episode, &fold, now),
    }
    if let Some(alarm) = &fold.alarm {
        tell_of_episode(state, rule, alarm, now);
    }
    state.trim(rule);
}

fn data_is_back(state: &mut State, rule: &AlertRule, now: Timestamp) {
    if let Some(since) = state.silent_since {
        if now <= since {
            return; // an event from before the silence, redelivered or replayed
        }
        state.silent_since = None;
        let notice = Notice::data_back(state, since, now);
        state.tell(notice, now);
    }
    state.last_seen = Some(now);
    state.expect_by = state.last_seen.zip(rule.no_data_millis()).map(|(seen, millis)| seen.plus_millis(millis));
}

/// Ends `episode`. Usually a clear sample does it. A late sample may also show that the episode should never have
/// begun; then all up to its opening is settled, so that nothing can open it a second time.
fn close(state: &mut State, rule: &AlertRule, episode: Episode, fold: &Fold, now: Timestamp) {
    let closed = fold.closed.as_ref().filter(|closed| closed.by.at() >= episode.opened_at());
    let (ending, closing, worst) = match closed {
        Some(Closed { by, worst }) => (Ending::Recovered, by.clone(), worst.clone()),
        None => (Ending::Disproved, newest(state, &episode), episode.worst.clone()),
    };
    let barrier = closed.map_or(episode.opened_at(), |closed| closed.by.at());
    let episode = Episode { worst: episode.worst.clone().worse(&worst, rule), ..episode };
    if episode.told_at.is_some() {
        let notice = Notice::recovered(state, rule, &episode, &closing, now);
        state.tell(notice, now);
        state.last_recovery = Some(now);
    }
    if state.past.len() >= MAX_PAST {
        state.past.remove(0);
    }
    state.past.push(PastEpisode::of(state, rule, episode, closing, ending));
    state.settle(barrier);
}

fn newest(state: &State, episode: &Episode) -> Sample {
    state.window.last().unwrap_or(&episode.opening).clone()
}

/// Tells of the open episode, if it is time for it.
fn tell_of_episode(state: &mut State, rule: &AlertRule, alarm: &Alarm, now: Timestamp) {
    if state.is_snoozed(now) || state.outbox.len() >= MAX_OUTBOX {
        return;
    }
    let cooling = state.last_recovery.is_some_and(|at| now < at.plus_millis(rule.cooldown_millis()));
    let Some(episode) = state.episode.as_ref() else { return };
    let number = episode.reminders.saturating_add(1);
    let (reminders, notice) = match episode.told_at {
        None if cooling => return,
        None => (0, Notice::opened(state, rule, &alarm.last_breach, now)),
        Some(told_at) if episode.acknowledged.is_none() && is_reminder_due(rule, told_at, now) => {
            (number, Notice::reminder(state, rule, number, &alarm.last_breach, now))
        }
        Some(_) => return,
    };
    state.outbox.push(notice);
    if let Some(episode) = state.episode.as_mut() {
        episode.told_at = Some(now);
        episode.reminders = reminders;
    }
}

fn is_reminder_due(rule: &AlertRule, told_at: Timestamp, now: Timestamp) -> bool {
    rule.reminder_millis().is_some_and(|interval| now.millis_since(told_at) >= interval)
}

#[cfg(test)]
mod tests;
