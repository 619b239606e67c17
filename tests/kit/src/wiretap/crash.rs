//! Crash at every AWS call of a handler, deliver the event again, compare the final state.

use std::fmt;

use super::fault::{Fault, Rule, When};
use super::record::{Record, distinct};
use super::scenario::{DONE_WITHOUT_THE_CALL, RUNS, Scenario, Stage, in_a_few, never_reached, same};

/// On which side of a call the handler is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The call never reaches AWS.
    Before,
    /// The call is done, its answer never seen.
    After,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// A crash point from which the scenario did not come to the fault-free state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashFailure {
    /// The call's index in the fault-free run, from 0.
    pub index: usize,
    /// The call.
    pub call: String,
    /// Where the handler was stopped.
    pub side: Side,
    /// What was found.
    pub problem: String,
}

/// What came of crashing everywhere.
#[derive(Debug, Clone)]
pub struct CrashReport {
    /// The scenario's name.
    pub scenario: String,
    /// The fault-free run.
    pub baseline: Vec<Record>,
    /// Crash points tried: two for each call.
    pub points: usize,
    /// Those that came to the fault-free state.
    pub converged: usize,
    /// The others.
    pub failures: Vec<CrashFailure>,
}

impl CrashReport {
    /// Whether there was something to crash at and every point converged.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.points > 0 && self.converged == self.points
    }
}

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, points, converged, .. } = self;
        write!(f, "{scenario}: {points} crash points, {converged} converged")?;
        self.failures.iter().try_for_each(|CrashFailure { index, call, side, problem }| {
            write!(f, "\n  stopped {side} call {index} ({call}): {problem}")
        })
    }
}

/// Runs the scenario once without faults; then, in a fresh world for each call and each side, stops the handler there
/// (drops its future while the call is held), delivers the event again until the handler is done, and compares.
///
/// The scenario must make the same number of calls in each run: a handler that is done without one is a failure.
///
/// # Errors
/// A text, when the fault-free run fails.
pub async fn crash_everywhere<S: Scenario>(scenario: &S, upstream: &str) -> Result<CrashReport, String> {
    let (baseline, expected) = fault_free(scenario, upstream).await?;
    let calls: Vec<String> = distinct(&baseline).into_iter().map(|record| record.call.to_string()).collect();
    let sides = [Side::Before, Side::After];
    let jobs = calls.into_iter().enumerate().flat_map(|(index, call)| sides.map(|side| (index, call.clone(), side)));
    let runs = jobs.map(async |(index, call, side)| {
        let came = crash_until_reached(scenario, upstream, index, side, &expected).await;
        came.map_err(|problem| CrashFailure { index, call, side, problem })
    });
    let came = in_a_few(runs).await;
    let points = came.len();
    let failures: Vec<_> = came.into_iter().filter_map(Result::err).collect();
    let converged = points.saturating_sub(failures.len());
    Ok(CrashReport { scenario: scenario.name().to_owned(), baseline, points, converged, failures })
}

/// One run without faults: what was called, and the final state.
pub(super) async fn fault_free<S: Scenario>(scenario: &S, upstream: &str) -> Result<(Vec<Record>, S::State), String> {
    let stage = Stage::set(scenario, upstream).await?;
    let done = Box::pin(scenario.deliver(&stage.world)).await;
    done.map_err(|error| format!("{} fails without faults: {error}", scenario.name()))?;
    let baseline = stage.wiretap.records();
    Ok((baseline, stage.state().await?))
}

async fn crash_until_reached<S: Scenario>(
    scenario: &S,
    upstream: &str,
    index: usize,
    side: Side,
    expected: &S::State,
) -> Result<(), String> {
    let mut failed = String::new();
    for _ in 0..RUNS {
        match crash_at(scenario, upstream, index, side, expected).await? {
            Stopped::There => return Ok(()),
            Stopped::Earlier(error) => failed = error,
        }
    }
    Err(never_reached(&failed))
}

/// Where a run ended.
enum Stopped {
    /// At the crash point, and the scenario came to the expected state.
    There,
    /// Before it: the handler failed by itself, with this.
    Earlier(String),
}

async fn crash_at<S: Scenario>(
    scenario: &S,
    upstream: &str,
    index: usize,
    side: Side,
    expected: &S::State,
) -> Result<Stopped, String> {
    let stage = Stage::set(scenario, upstream).await?;
    let fault = match side {
        Side::Before => Fault::HoldBefore,
        Side::After => Fault::HoldAfter,
    };
    stage.wiretap.rule(Rule::new(When::any().nth(index), fault));
    let mut delivery = Box::pin(scenario.deliver(&stage.world));
    let ended = tokio::select! {
        biased;
        _held = stage.wiretap.wait_held() => None,
        done = &mut delivery => Some(done),
    };
    drop(delivery);
    match ended {
        None => same(expected, &stage.finish().await?).map(|()| Stopped::There),
        Some(Err(error)) => Ok(Stopped::Earlier(error.to_string())),
        Some(Ok(())) => Err(DONE_WITHOUT_THE_CALL.to_owned()),
    }
}
