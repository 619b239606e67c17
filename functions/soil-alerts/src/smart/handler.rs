use std::time::Duration;

use loam_domain::{Reading, ThingName, Timestamp};

use super::store_error::StoreError;
use super::{AlertRule, Decision, NearestRules, Notice, Observation, State, StateStore, Tally, decide};
use crate::{AlertFailure, Notice as Mail, Notices};

/// So often a lost condition is followed by another try. Somebody wins each round, so that eight handlers of one thing
/// come through; who does not is delivered again.
const TRIES: u32 = 12;

/// After a lost condition: a little longer each time.
const PAUSE: Duration = Duration::from_millis(7);

/// How long whoever committed a notice and lives is given to send it: so many looks, each twice as long after the one
/// before; two seconds together.
const LOOKS: u32 = 4;
const FIRST_LOOK: Duration = Duration::from_millis(130);

/// How long past episodes are kept unless told otherwise, in days.
pub const DEFAULT_HISTORY_DAYS: u16 = 90;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Smart mode's shell: load, decide, save, send, clear; it chooses nothing.
///
/// It may be stopped anywhere and run again: a notice is committed with the state that makes it due, and leaves the
/// state after it was sent.
#[derive(Debug, Clone)]
pub struct Alerts {
    pub(super) states: StateStore,
    pub(super) rules: NearestRules,
    pub(super) notices: Notices,
    pub(super) threshold: f64,
    history_days: u16,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Observations of all rules together.
    pub tally: Tally,
    /// Notices that this run sent.
    pub notices: usize,
}

impl Alerts {
    /// The alerts in these tables, told to `notices`; where nobody wrote a rule, humidity below `threshold` is dry.
    #[must_use]
    pub const fn new(states: StateStore, rules: NearestRules, notices: Notices, threshold: f64) -> Self {
        Self { states, rules, notices, threshold, history_days: DEFAULT_HISTORY_DAYS }
    }

    /// The same, with a history that is kept for `days` and not for [`DEFAULT_HISTORY_DAYS`].
    #[must_use]
    pub fn keeping_history(self, days: u16) -> Self {
        Self { history_days: days, ..self }
    }

    /// Judges the readings of one message of `thing`, which AWS IoT took at `received_at`, under each of its rules;
    /// `now` is the clock of this run.
    ///
    /// # Errors
    /// [`AlertFailure`]: the message must come again; what was done by then is not done a second time.
    pub async fn apply(
        &self,
        thing: &ThingName,
        readings: &[&Reading],
        received_at: Timestamp,
        now: Timestamp,
    ) -> Result<Applied, AlertFailure> {
        let mut applied = Applied::default();
        for rule in self.rules.of(thing, self.threshold).await? {
            let path = rule.path();
            let observations: Vec<_> = readings.iter().filter_map(|reading| Observation::of(reading, path)).collect();
            if !observations.is_empty() {
                let one = self.apply_rule(thing, &rule, &observations, (received_at, now)).await?;
                applied = applied.and(one);
            }
        }
        Ok(applied)
    }

    async fn apply_rule(
        &self,
        thing: &ThingName,
        rule: &AlertRule,
        observations: &[Observation],
        (received_at, now): (Timestamp, Timestamp),
    ) -> Result<Applied, AlertFailure> {
        for attempt in 0..TRIES {
            tokio::time::sleep(PAUSE * attempt).await;
            let state = self.states.load(thing, rule.path()).await?;
            match decide(&state, rule, observations, received_at) {
                Decision::Unchanged(tally) => {
                    return Ok(Applied { tally, notices: self.send_what_waits(thing, &state).await? });
                }
                Decision::Save(next, tally) => {
                    let next = next.committed_at(now);
                    match self.commit(&next, now).await {
                        Ok(()) => return Ok(Applied { tally, notices: self.send(thing, next, State::to_send).await? }),
                        Err(StoreError::Conflict) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// What a version closes is written with it, and only then it takes a transaction.
    async fn commit(&self, next: &State, now: Timestamp) -> Result<(), StoreError> {
        if next.past().is_empty() {
            return self.states.save(next).await;
        }
        self.states.save_closing(next, now.plus_millis(i64::from(self.history_days) * DAY_MILLIS)).await
    }

    /// A repeat has nothing to change, but the run before it may have died between saving and sending. If it lives, it
    /// sends in this moment; so look again for a while, and send what is still there then.
    async fn send_what_waits(&self, thing: &ThingName, seen: &State) -> Result<usize, AlertFailure> {
        let mut state = seen.clone();
        for look in 0..LOOKS {
            if state.still_waiting(seen).is_empty() {
                return Ok(0);
            }
            tokio::time::sleep(FIRST_LOOK * (1 << look)).await;
            state = self.states.load(thing, &seen.path).await?;
        }
        self.send(thing, state, |state| state.still_waiting(seen)).await
    }

    /// Sends those of the notices in `state`, which must be as stored, that `choose` names, and clears them from it.
    pub(super) async fn send(
        &self,
        thing: &ThingName,
        state: State,
        choose: impl Fn(&State) -> Vec<Notice>,
    ) -> Result<usize, AlertFailure> {
        let due = choose(&state);
        if due.is_empty() {
            return Ok(0);
        }
        let mails: Vec<_> = due.iter().map(|notice| mail(thing, notice)).collect();
        self.notices.send(&mails).await?;
        self.clear(thing, state, &due).await?;
        Ok(due.len())
    }

    async fn clear(&self, thing: &ThingName, mut state: State, sent: &[Notice]) -> Result<(), AlertFailure> {
        for attempt in 0..TRIES {
            let Some(next) = state.without(sent) else { return Ok(()) };
            match self.states.save(&next).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict) => tokio::time::sleep(PAUSE * attempt).await,
                Err(error) => return Err(error.into()),
            }
            state = self.states.load(thing, &state.path).await?;
        }
        Err(StoreError::Conflict.into())
    }
}

impl Applied {
    const fn and(self, other: Self) -> Self {
        let tally = Tally {
            counted: self.tally.counted + other.tally.counted,
            duplicate: self.tally.duplicate + other.tally.duplicate,
            late: self.tally.late + other.tally.late,
        };
        Self { tally, notices: self.notices + other.notices }
    }
}

fn mail(thing: &ThingName, notice: &Notice) -> Mail {
    Mail {
        id: notice.id.clone(),
        kind: notice.kind.as_str(),
        thing: thing.clone(),
        subject: notice.subject.clone(),
        message: notice.body.clone(),
    }
}
