//! Eight handlers, one conditional cell, one mailbox: the handler's sequence of steps with a choice of who is next, and
//! of who dies, before each.

use std::collections::VecDeque;
use std::rc::Rc;

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;
use soil_alerts::smart::{Decision, Notice, State, decide};

use crate::histories::{Event, HANDLERS, History, chance};

/// What came of a history.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) state: State,
    /// Notices in the order in which they were committed.
    pub(crate) committed: Vec<Notice>,
    /// Ids in the order in which they were sent.
    pub(crate) sent: Vec<String>,
    /// How often a handler was stopped in the middle.
    pub(crate) crashes: u32,
}

/// Where a handler stands with its event; it can die before each.
enum Step {
    Decide(usize, Rc<State>),
    /// Somebody else's notices are in the outbox of a state in which this event has nothing to change.
    Wait(usize, Vec<Notice>),
    Send(usize, Vec<Notice>),
    Clear(usize, Vec<Notice>),
    ClearFrom(usize, Vec<Notice>, Rc<State>),
}

struct Model<'a> {
    history: &'a History,
    queue: VecDeque<usize>,
    handlers: Vec<Option<Step>>,
    cell: Rc<State>,
    committed: Vec<Notice>,
    sent: Vec<String>,
}

/// Plays `history` to its end; with `most_crashes`, handlers die up to so often and their events come again.
pub(crate) fn play(history: &History, most_crashes: u32) -> Outcome {
    let mut chance = chance(history.seed ^ 0x5eed);
    let mut crashes = 0;
    let mut model = Model {
        history,
        queue: history.deliveries.iter().copied().collect(),
        handlers: (0..HANDLERS).map(|_| None).collect(),
        cell: Rc::new(State::new("soilSensor1", "humidity")),
        committed: Vec::new(),
        sent: Vec::new(),
    };
    while let Some(who) = model.next_handler(&mut chance) {
        let step = model.handlers[who].take();
        if step.is_some() && crashes < most_crashes && chance.random_ratio(1, 6) {
            crashes += 1;
            model.queue.push_back(step.map(event_of).unwrap());
        } else {
            model.handlers[who] = model.advance(step);
        }
    }
    let Model { cell, committed, sent, .. } = model;
    Outcome { state: (*cell).clone(), committed, sent, crashes }
}

fn event_of(step: Step) -> usize {
    match step {
        Step::Decide(event, _)
        | Step::Wait(event, _)
        | Step::Send(event, _)
        | Step::Clear(event, _)
        | Step::ClearFrom(event, _, _) => event,
    }
}

impl Model<'_> {
    /// Somebody who has something to do.
    fn next_handler(&self, chance: &mut TestRng) -> Option<usize> {
        if self.queue.is_empty() && self.handlers.iter().all(Option::is_none) {
            return None;
        }
        let first = chance.random_range(0..HANDLERS);
        (first..first + HANDLERS)
            .map(|who| who % HANDLERS)
            .find(|who| self.handlers[*who].is_some() || !self.queue.is_empty())
    }

    fn advance(&mut self, step: Option<Step>) -> Option<Step> {
        match step {
            None => self.queue.pop_front().map(|event| Step::Decide(event, self.cell.clone())),
            Some(Step::Decide(event, loaded)) => self.decide(event, &loaded),
            Some(Step::Wait(event, seen)) => self.wait(event, seen),
            Some(Step::Send(event, notices)) => {
                self.sent.extend(notices.iter().map(|notice| notice.id.clone()));
                Some(Step::Clear(event, notices))
            }
            Some(Step::Clear(event, sent)) => Some(Step::ClearFrom(event, sent, self.cell.clone())),
            Some(Step::ClearFrom(event, sent, loaded)) => {
                let cleared = loaded.without(&sent).is_none_or(|next| self.save(next));
                (!cleared).then_some(Step::Clear(event, sent))
            }
        }
    }

    fn decide(&mut self, event: usize, loaded: &State) -> Option<Step> {
        let Event { observations, received_at } = &self.history.events[event];
        match decide(loaded, &self.history.rule, observations, *received_at) {
            Decision::Save(next, _) => {
                let due = next.to_send();
                if !self.save(*next) {
                    return Some(Step::Decide(event, self.cell.clone()));
                }
                self.committed.extend(due.iter().cloned());
                (!due.is_empty()).then_some(Step::Send(event, due))
            }
            Decision::Unchanged(_) if loaded.outbox.is_empty() => None,
            Decision::Unchanged(_) => Some(Step::Wait(event, loaded.outbox.clone())),
        }
    }

    /// The handler's patience: whoever committed a notice and lives has the time to send it.
    fn wait(&self, event: usize, seen: Vec<Notice>) -> Option<Step> {
        let sending = |step: &Step| matches!(step, Step::Send(..) | Step::Clear(..) | Step::ClearFrom(..));
        if self.handlers.iter().flatten().any(sending) {
            return Some(Step::Wait(event, seen));
        }
        let left: Vec<_> =
            seen.into_iter().filter(|notice| self.cell.outbox.iter().any(|other| other.id == notice.id)).collect();
        (!left.is_empty()).then_some(Step::Send(event, left))
    }

    fn save(&mut self, next: State) -> bool {
        let unchanged = self.cell.version + 1 == next.version;
        if unchanged {
            self.cell = Rc::new(next);
        }
        unchanged
    }
}
