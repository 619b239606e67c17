//! Eight handlers, one conditional cell, one mailbox: the handler's sequence of steps with a choice of who is next, and
//! of who dies, before each.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use loam_domain::Timestamp;
use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;
use soil_alerts::smart::{
    Acknowledgement, Decision, Notice, NoticeKind, PastEpisode, Reaction, Snooze, State, acknowledge, decide,
    snooze_episode,
};

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
    /// The history, in the order in which it was written.
    pub(crate) past: Vec<PastEpisode>,
    /// By whom each episode was acknowledged, as the first good answer said.
    pub(crate) acknowledged: BTreeMap<Timestamp, Acknowledgement>,
    /// Notices that came due although a snooze held, or as a reminder of what was acknowledged.
    pub(crate) untimely: Vec<Notice>,
}

/// What somebody does about whatever episode is open when they look. A repeat of it comes at the same time.
struct Deed {
    by: String,
    at: Timestamp,
    /// For how many seconds nobody is to be told; `None`: the episode is acknowledged.
    snooze: Option<i64>,
}

/// Where a handler stands with its event; it can die before each.
enum Step {
    Decide(usize, Rc<State>),
    /// Somebody else's notices are in the outbox of a state in which this event has nothing to change.
    Wait(usize, Vec<Notice>),
    Send(usize, Vec<Notice>),
    Clear(usize, Vec<Notice>),
    ClearFrom(usize, Vec<Notice>, Rc<State>),
    /// A person's deed about the episode that opened then.
    React(usize, Timestamp, Rc<State>),
}

struct Model<'a> {
    history: &'a History,
    deeds: Vec<Deed>,
    /// Indices into the history's events, and behind those into `deeds`.
    queue: VecDeque<usize>,
    handlers: Vec<Option<Step>>,
    cell: Rc<State>,
    committed: Vec<Notice>,
    sent: Vec<String>,
    past: Vec<PastEpisode>,
    acknowledged: BTreeMap<Timestamp, Acknowledgement>,
    untimely: Vec<Notice>,
}

/// Plays `history` to its end; with `most_crashes`, handlers die up to so often and their events come again.
pub(crate) fn play(history: &History, most_crashes: u32) -> Outcome {
    run(history, most_crashes, vec![], history.deliveries.iter().copied().collect())
}

/// The same, while people acknowledge and snooze what is open when they look, each once or twice.
pub(crate) fn play_attended(history: &History, most_crashes: u32) -> Outcome {
    let mut chance = chance(history.seed ^ 0xdeed);
    let mut queue: VecDeque<_> = history.deliveries.iter().copied().collect();
    let mut deeds = Vec::new();
    for number in 0..chance.random_range(1..=6_usize) {
        let place = chance.random_range(0..=queue.len());
        let at = Timestamp::from_millis(1_598_536_072_000 + 1000 * (60 + i64::try_from(place).unwrap()));
        let snooze = chance.random_bool(0.5).then(|| chance.random_range(1..=40));
        deeds.push(Deed { by: format!("person {number}"), at, snooze });
        let index = history.events.len() + number;
        queue.insert(place, index);
        queue.insert(chance.random_range(place..=queue.len()), index);
    }
    run(history, most_crashes, deeds, queue)
}

fn run(history: &History, most_crashes: u32, deeds: Vec<Deed>, queue: VecDeque<usize>) -> Outcome {
    let mut chance = chance(history.seed ^ 0x5eed);
    let mut crashes = 0;
    let mut model = Model {
        history,
        deeds,
        queue,
        handlers: (0..HANDLERS).map(|_| None).collect(),
        cell: Rc::new(State::new("soilSensor1", "humidity")),
        committed: Vec::new(),
        sent: Vec::new(),
        past: Vec::new(),
        acknowledged: BTreeMap::new(),
        untimely: Vec::new(),
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
    let Model { cell, committed, sent, past, acknowledged, untimely, .. } = model;
    Outcome { state: (*cell).clone(), committed, sent, crashes, past, acknowledged, untimely }
}

fn event_of(step: Step) -> usize {
    match step {
        Step::Decide(event, _)
        | Step::Wait(event, _)
        | Step::Send(event, _)
        | Step::Clear(event, _)
        | Step::ClearFrom(event, _, _)
        | Step::React(event, _, _) => event,
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
            None => self.queue.pop_front().and_then(|delivery| self.take(delivery)),
            Some(Step::React(deed, opened_at, loaded)) => self.react(deed, opened_at, &loaded),
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

    /// Readings are loaded for; a person looks which episode is open.
    fn take(&self, delivery: usize) -> Option<Step> {
        if delivery < self.history.events.len() {
            return Some(Step::Decide(delivery, self.cell.clone()));
        }
        let episode = self.cell.episode.as_ref()?;
        Some(Step::React(delivery, episode.opened_at(), self.cell.clone()))
    }

    fn react(&mut self, delivery: usize, opened_at: Timestamp, loaded: &State) -> Option<Step> {
        let deed = &self.deeds[delivery - self.history.events.len()];
        let (by, at, acknowledges) = (deed.by.clone(), deed.at, deed.snooze.is_none());
        let reaction = match deed.snooze {
            None => acknowledge(loaded, opened_at, Acknowledgement { by, at }),
            Some(seconds) => {
                snooze_episode(loaded, opened_at, &Snooze { until: at.plus_millis(1000 * seconds), by, at })
            }
        };
        let answered = match reaction {
            Reaction::NotOpen => return None,
            Reaction::Known => loaded.clone(),
            Reaction::Save(next) if self.save((*next).clone()) => *next,
            Reaction::Save(_) => return Some(Step::React(delivery, opened_at, self.cell.clone())),
        };
        if acknowledges {
            let who = answered.episode.and_then(|episode| episode.acknowledged).unwrap();
            let first = self.acknowledged.entry(opened_at).or_insert_with(|| who.clone());
            assert_eq!(*first, who, "seed {}", self.history.seed);
        }
        None
    }

    /// What the notices that come due break of what people were promised.
    fn check(&mut self, loaded: &State, received_at: Timestamp, due: &[Notice]) {
        let now = loaded.last_seen.map_or(received_at, |seen| seen.max(received_at));
        let snoozed = loaded.snooze.as_ref().is_some_and(|snooze| snooze.holds(now));
        let opened_at = loaded.episode.as_ref().filter(|it| it.acknowledged.is_some()).map(|it| it.opened_at());
        let reminds = |notice: &Notice| {
            opened_at.is_some_and(|at| notice.id.contains(&format!(":{}:", at.as_millis())))
                && notice.kind == NoticeKind::Reminder
        };
        self.untimely.extend(due.iter().filter(|notice| snoozed || reminds(notice)).cloned());
    }

    fn decide(&mut self, event: usize, loaded: &State) -> Option<Step> {
        let Event { observations, received_at } = &self.history.events[event];
        match decide(loaded, &self.history.rule, observations, *received_at) {
            Decision::Save(next, _) => {
                let (due, past) = (next.to_send(), next.past().to_vec());
                if !self.save(*next) {
                    return Some(Step::Decide(event, self.cell.clone()));
                }
                self.past.extend(past);
                self.check(loaded, *received_at, &due);
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
