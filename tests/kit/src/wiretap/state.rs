//! What the wiretap remembers, shared by its connections.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::call::Call;
use super::fault::{Fault, Rule, decide};
use super::record::{Effect, Outcome, Record};

/// What a test says of a held call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    Release,
    /// Its connection is closed; one held before forwarding is never forwarded.
    Forget,
}

struct Held {
    call: Call,
    gate: oneshot::Sender<Verdict>,
}

#[derive(Default)]
struct Memory {
    next: u64,
    records: Vec<Record>,
    rules: Vec<Rule>,
    held: Vec<Held>,
    under_way: usize,
}

/// The records, rules and held calls.
#[derive(Default)]
pub(super) struct State {
    memory: Mutex<Memory>,
    changed: Notify,
}

impl State {
    /// A test that panicked while it held the lock leaves the memory as it was: nothing here is left half done.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an arriving call; its id, and the fault that the rules have for it.
    pub(super) fn arrive(&self, call: &Call) -> (u64, Option<Fault>) {
        let mut memory = self.memory();
        let fault = decide(&mut memory.rules, call);
        let id = memory.next;
        memory.next = id.saturating_add(1);
        let outcome = Outcome {
            effect: Effect::NotForwarded,
            status: None,
            error: None,
            response_bytes: 0,
            units: None,
            fault: fault.clone(),
        };
        memory.records.push(Record { id, call: call.clone(), outcome });
        (id, fault)
    }

    /// Changes the outcome of a call, unless its record was dropped meanwhile.
    pub(super) fn note(&self, id: u64, change: impl FnOnce(&mut Outcome)) {
        if let Some(record) = self.memory().records.iter_mut().rfind(|record| record.id == id) {
            change(&mut record.outcome);
        }
    }

    pub(super) fn forwarding_begins(&self) {
        let mut memory = self.memory();
        memory.under_way = memory.under_way.saturating_add(1);
    }

    pub(super) fn forwarding_ends(&self) {
        let mut memory = self.memory();
        memory.under_way = memory.under_way.saturating_sub(1);
        drop(memory);
        self.changed.notify_waiters();
    }

    /// Waits for the test's verdict on a call.
    pub(super) async fn hold(&self, call: &Call) -> Verdict {
        let (gate, verdict) = oneshot::channel();
        self.memory().held.push(Held { call: call.clone(), gate });
        self.changed.notify_waiters();
        verdict.await.unwrap_or(Verdict::Forget)
    }

    /// The first call that is held and whose caller still waits.
    fn first_held(&self) -> Option<Call> {
        let memory = self.memory();
        memory.held.iter().find(|held| !held.gate.is_closed()).map(|held| held.call.clone())
    }

    pub(super) async fn wait_held(&self) -> Call {
        self.until(|state| state.first_held()).await
    }

    pub(super) async fn settled(&self) {
        self.until(|state| (state.memory().under_way == 0).then_some(())).await;
    }

    /// Asks again after each change.
    async fn until<T>(&self, ready: impl Fn(&Self) -> Option<T>) -> T {
        loop {
            let mut change = std::pin::pin!(self.changed.notified());
            change.as_mut().enable();
            if let Some(value) = ready(self) {
                return value;
            }
            change.await;
        }
    }

    /// Gives all held calls the same verdict. A caller that has gone does not mind.
    pub(super) fn judge_held(&self, verdict: Verdict) {
        let held = std::mem::take(&mut self.memory().held);
        for Held { gate, .. } in held {
            let _gone = gate.send(verdict);
        }
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.memory().records.clone()
    }

    pub(super) fn clear_records(&self) {
        self.memory().records.clear();
    }

    pub(super) fn add_rule(&self, rule: Rule) {
        self.memory().rules.push(rule);
    }

    pub(super) fn clear_rules(&self) {
        self.memory().rules.clear();
    }
}
