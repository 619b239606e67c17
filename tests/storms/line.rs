//! A line of events before a function, as Lambda and SQS keep it: what fails comes again later, and is given up after so
//! many times.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use loam_kit::wiretap::{Fault, Rule, Service, When, Wiretap};

/// How a source of events treats failures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// So often an event is delivered before it goes to the dead-letter queue.
    pub(crate) deliveries: u32,
    /// So many events the function is handed at once, at most.
    pub(crate) batch: usize,
    /// So many instances of the function work at a time.
    pub(crate) instances: usize,
}

/// An asynchronous invocation: once and two retries. Source: Lambda developer guide, "Asynchronous invocation".
pub(crate) const LAMBDA: Policy = Policy { deliveries: 3, batch: 1, instances: 8 };

/// The telemetry queue: its redrive policy, and its function's batch size (template).
pub(crate) const QUEUE: Policy = Policy { deliveries: 5, batch: 25, instances: 2 };

/// The line; its clock is the number of events handed out.
pub(crate) struct Line {
    policy: Policy,
    size: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<(usize, u32)>,
    handed_out: usize,
    sky: usize,
    tally: Tally,
}

/// What became of the events.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    pub(crate) applied: usize,
    pub(crate) retried: usize,
    pub(crate) given_up: Vec<usize>,
}

/// What the store does in each sixth of the events, one after the other, and then no more.
const SKIES: [Option<Fault>; 5] =
    [None, Some(Fault::Unavailable), Some(Fault::Throttle), Some(Fault::LoseAnswer), Some(Fault::Unavailable)];

impl Line {
    /// The events 0 to `size`, in their order.
    pub(crate) fn new(size: usize, policy: Policy) -> Self {
        let waiting = (0..size).map(|event| (event, 0)).collect();
        Self { policy, size, inner: Mutex::new(Inner { waiting, ..Inner::default() }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// The next events with the number of their earlier deliveries; changes the weather when it is time.
    pub(crate) fn take(&self, wiretap: Option<&Wiretap>) -> Vec<(usize, u32)> {
        let mut inner = self.inner();
        let many = inner.waiting.len().min(self.policy.batch);
        let taken: Vec<_> = inner.waiting.drain(..many).collect();
        inner.handed_out += taken.len();
        let sky = self.sky(inner.handed_out);
        if sky != inner.sky {
            inner.sky = sky;
            wiretap.into_iter().for_each(|wiretap| set_sky(wiretap, SKIES[sky].clone()));
        }
        taken
    }

    fn sky(&self, handed_out: usize) -> usize {
        let part = handed_out * 6 / self.size.max(1);
        if part < SKIES.len() { part } else { 0 }
    }

    /// Events were dealt with.
    pub(crate) fn applied(&self, events: usize) {
        self.inner().tally.applied += events;
    }

    /// An event failed after `before` earlier deliveries: it comes again, each time later, or is given up.
    pub(crate) fn failed(&self, event: usize, before: u32) {
        let mut inner = self.inner();
        if before + 1 == self.policy.deliveries {
            inner.tally.given_up.push(event);
            return;
        }
        inner.tally.retried += 1;
        let later = self.size * usize::try_from(before + 1).unwrap() / 60;
        let place = later.min(inner.waiting.len());
        inner.waiting.insert(place, (event, before + 1));
    }

    pub(crate) fn tally(&self) -> Tally {
        self.inner().tally.clone()
    }
}

fn set_sky(wiretap: &Wiretap, fault: Option<Fault>) {
    wiretap.clear_rules();
    if let Some(fault) = fault {
        wiretap.rule(Rule::new(When::any().service(Service::DynamoDb), fault));
    }
}
