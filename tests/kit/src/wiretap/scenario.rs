//! A user story that the faults are tried on.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::{Wiretap, WiretapError};

/// How often an event is delivered again before it counts as stuck. AWS delivers an asynchronous event three times and
/// a queue's message as often as its redrive policy says; a handler that needs more than this is not done.
const DELIVERIES: usize = 5;

/// Between two deliveries of an event that is not done, as AWS waits: what was throttled is not asked for again at once.
/// A second fills the bucket of AWS IoT's narrowest rate anew.
const BETWEEN_DELIVERIES: Duration = Duration::from_secs(1);

/// One event and the handler that it goes to, in a world of its own. Methods may be written as `async fn`.
pub trait Scenario {
    /// Clients, names and event of one run. Two worlds share no state.
    type World;
    /// What is compared after a run: everything that the event should have changed, without what differs by nature
    /// (names of the world, random ids, times).
    type State: PartialEq + Debug;
    /// Why something failed.
    type Error: Display;

    /// The scenario's name in reports.
    fn name(&self) -> &str;

    /// Makes a fresh world whose clients all talk to `endpoint`.
    ///
    /// Give each world's clients a retry partition of their own: by default all clients of a service in one process
    /// share the SDK's retry budget, and the refusals of one run would use up the retries of the next.
    fn world(&self, endpoint: &str) -> impl Future<Output = Result<Self::World, Self::Error>>;

    /// Delivers the event to the handler once. `Ok` only when the handler took the whole event for done: a partial
    /// batch failure is an error. Whatever it starts must stop when the returned future is dropped.
    fn deliver(&self, world: &Self::World) -> impl Future<Output = Result<(), Self::Error>>;

    /// Reads the state after a run.
    fn state(&self, world: &Self::World) -> impl Future<Output = Result<Self::State, Self::Error>>;
}

/// A wiretap and a world behind it, nothing recorded yet. Each run has its own, so that a late call of a run that was
/// given up cannot be taken for one of the next.
pub(super) struct Stage<'a, S: Scenario> {
    scenario: &'a S,
    pub(super) wiretap: Wiretap,
    pub(super) world: S::World,
}

impl<'a, S: Scenario> Stage<'a, S> {
    pub(super) async fn set(scenario: &'a S, upstream: &str) -> Result<Self, String> {
        let wiretap = Wiretap::start(upstream).await.map_err(|error: WiretapError| error.to_string())?;
        let world = scenario.world(&wiretap.endpoint()).await;
        let world = world.map_err(|error| format!("the world could not be made: {error}"))?;
        wiretap.clear_records();
        Ok(Self { scenario, wiretap, world })
    }

    /// Without faults from here on: delivers until the handler is done, and reads the state.
    pub(super) async fn finish(&self) -> Result<S::State, String> {
        self.calm().await;
        let mut last = String::new();
        for delivery in 0..DELIVERIES {
            if delivery > 0 {
                tokio::time::sleep(BETWEEN_DELIVERIES).await;
            }
            match Box::pin(self.scenario.deliver(&self.world)).await {
                Ok(()) => return self.state().await,
                Err(error) => last = error.to_string(),
            }
        }
        Err(format!("not done after {DELIVERIES} further deliveries: {last}"))
    }

    pub(super) async fn state(&self) -> Result<S::State, String> {
        self.calm().await;
        let state = self.scenario.state(&self.world).await;
        state.map_err(|error| format!("the state could not be read: {error}"))
    }

    async fn calm(&self) {
        self.wiretap.clear_rules();
        self.wiretap.forget();
        self.wiretap.settled().await;
    }
}

/// How often a run is made until the handler comes to the call that it is about. On a machine with too much to do, a
/// client's time runs out and the handler fails before: that says nothing about the call, so it is tried again.
pub(super) const RUNS: usize = 3;

/// What is wrong with a run in which a call of the fault-free run is missing.
pub(super) const DONE_WITHOUT_THE_CALL: &str = "the handler was done without this call";

/// What is wrong when no run comes to the call; `last` is the handler's error.
pub(super) fn never_reached(last: &str) -> String {
    format!("the handler failed before the call, {RUNS} times; the last time: {last}")
}

/// Runs side by side: mostly they wait, for an SDK's back-off or a held call. Each has a world of its own.
const AT_ONCE: usize = 6;

/// The outcomes of `runs`, in their order, a few at a time.
pub(super) async fn in_a_few<T>(runs: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures_util::stream::iter(runs).buffered(AT_ONCE).collect().await
}

/// `Ok` when the states are equal.
pub(super) fn same<T: PartialEq + Debug>(expected: &T, found: &T) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("another state: expected {expected:?}, found {found:?}")) }
}
