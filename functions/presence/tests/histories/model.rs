//! Eight handlers and one conditional cell: the handler's sequence of steps with a choice of who is next, and of who
//! dies, before each.

use std::collections::VecDeque;
use std::rc::Rc;

use loam_domain::Timestamp;
use presence::decide::{decide, decide_answer};
use presence::row::Row;
use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;

use crate::histories::{HANDLERS, History, chance};

/// What came of a history.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) row: Row,
    /// How often a handler was stopped in the middle.
    pub(crate) crashes: u32,
    /// How often AWS IoT was asked.
    pub(crate) asked: u32,
}

/// Where a handler stands with its event; it can die before each.
enum Step {
    Decide(usize, Rc<Row>),
    /// It asks AWS IoT about the row that it read.
    Ask(usize, Rc<Row>),
}

struct Model<'a> {
    history: &'a History,
    queue: VecDeque<usize>,
    handlers: Vec<Option<Step>>,
    cell: Rc<Row>,
    asked: u32,
}

const NOW: Timestamp = Timestamp::from_millis(1_900_000_000_000);

/// Plays `history` to its end; with `most_crashes`, handlers die up to so often and their events come again.
pub(crate) fn play(history: &History, most_crashes: u32) -> Outcome {
    let mut chance = chance(history.seed ^ 0x5eed);
    let mut crashes = 0;
    let mut model = Model {
        history,
        queue: history.deliveries.iter().copied().collect(),
        handlers: (0..HANDLERS).map(|_| None).collect(),
        cell: Rc::new(Row::unseen(1)),
        asked: 0,
    };
    while let Some(who) = model.next_handler(&mut chance) {
        let step = model.handlers[who].take();
        match step {
            Some(Step::Decide(event, _) | Step::Ask(event, _))
                if crashes < most_crashes && chance.random_ratio(1, 6) =>
            {
                crashes += 1;
                model.queue.push_back(event);
            }
            step => model.handlers[who] = model.advance(step),
        }
    }
    Outcome { row: (*model.cell).clone(), crashes, asked: model.asked }
}

/// One handler, each event once, in the true order, and nobody to ask.
pub(crate) fn in_order(history: &History) -> Row {
    history.facts.iter().fold(Row::unseen(1), |row, fact| match decide(&row, fact, NOW).next {
        Some(next) => *next,
        None => row,
    })
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
            Some(Step::Decide(event, read)) => {
                let decision = decide(&read, &self.history.facts[event], NOW);
                match decision.next.map(|next| self.save(&read, *next)) {
                    Some(false) => Some(Step::Decide(event, self.cell.clone())),
                    Some(true) => decision.ask.then(|| Step::Ask(event, self.cell.clone())),
                    None => decision.ask.then_some(Step::Ask(event, read)),
                }
            }
            Some(Step::Ask(event, read)) => {
                self.asked += 1;
                let answered = decide_answer(&read, &self.history.answer, NOW).next;
                let saved = answered.is_none_or(|next| self.save(&read, *next));
                (!saved).then(|| Step::Decide(event, self.cell.clone()))
            }
        }
    }

    fn save(&mut self, read: &Row, next: Row) -> bool {
        let unchanged = self.cell.version == read.version;
        if unchanged {
            self.cell = Rc::new(next);
        }
        unchanged
    }
}
