//! Throttle, or make unavailable, every AWS call of a handler: never a wrong success, never too late.

use std::fmt;
use std::time::{Duration, Instant};

use super::batch::unprocessed;
use super::crash::fault_free;
use super::fault::{Fault, Rule, When};
use super::record::{Record, distinct};
use super::scenario::{DONE_WITHOUT_THE_CALL, RUNS, Scenario, Stage, in_a_few, never_reached, same};

/// How many attempts are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    /// This many attempts of the one call. An SDK makes three by default.
    First(usize),
    /// Every attempt of the call, and of every later call of the same operation.
    All,
}

/// How AWS refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strain {
    /// As the service throttles.
    Throttled,
    /// 503.
    Unavailable,
    /// Batches come back unprocessed with 200; no other call is refused.
    Unprocessed,
}

/// A call whose refusal the handler did not survive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrainFailure {
    /// The call's index in the fault-free run, from 0.
    pub index: usize,
    /// The call.
    pub call: String,
    /// How many attempts were refused.
    pub attempts: Attempts,
    /// What was found.
    pub problem: String,
}

/// What came of refusing every call.
#[derive(Debug, Clone)]
pub struct StrainReport {
    /// The scenario's name.
    pub scenario: String,
    /// How AWS refused.
    pub strain: Strain,
    /// Runs tried: three for each call.
    pub runs: usize,
    /// Runs in which the handler succeeded in spite of it, in the fault-free state.
    pub succeeded: usize,
    /// Runs in which it failed and came to the fault-free state when the event was delivered again.
    pub recovered: usize,
    /// The longest delivery under strain.
    pub longest: Duration,
    /// The other runs.
    pub failures: Vec<StrainFailure>,
}

impl StrainReport {
    /// Whether there was something to refuse and nothing went wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.runs > 0 && self.failures.is_empty()
    }
}

impl fmt::Display for StrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, strain, runs, succeeded, recovered, longest, .. } = self;
        let (how, seconds) = (format!("{strain:?}").to_lowercase(), longest.as_secs_f64());
        write!(
            f,
            "{scenario}: {runs} runs {how}, {succeeded} succeeded, {recovered} recovered, longest {seconds:.1} s"
        )?;
        self.failures.iter().try_for_each(|StrainFailure { index, call, attempts, problem }| {
            write!(f, "\n  call {index} ({call}) {how}, {attempts:?}: {problem}")
        })
    }
}

/// [`strain_everywhere`] with [`Strain::Throttled`].
///
/// # Errors
/// A text, when the fault-free run fails.
pub async fn throttle_everywhere<S: Scenario>(
    scenario: &S,
    upstream: &str,
    bound: Duration,
) -> Result<StrainReport, String> {
    strain_everywhere(scenario, upstream, bound, Strain::Throttled).await
}

/// Runs the scenario once without faults; then, in a fresh world for each call, refuses its first attempt, its first
/// three, and all. A delivery that succeeds must leave the fault-free state; one that fails must come to it when the
/// event is delivered again without faults; none may take longer than `bound`.
///
/// # Errors
/// A text, when the fault-free run fails.
pub async fn strain_everywhere<S: Scenario>(
    scenario: &S,
    upstream: &str,
    bound: Duration,
    strain: Strain,
) -> Result<StrainReport, String> {
    let (baseline, expected) = fault_free(scenario, upstream).await?;
    let name = scenario.name().to_owned();
    let (longest, failures) = (Duration::ZERO, Vec::new());
    let mut report = StrainReport { scenario: name, strain, runs: 0, succeeded: 0, recovered: 0, longest, failures };
    let calls = distinct(&baseline);
    let attempts = [Attempts::First(1), Attempts::First(3), Attempts::All];
    let refused = |record: &&Record| strain != Strain::Unprocessed || unprocessed(&record.call).is_some();
    let jobs = calls.iter().enumerate().filter(|(_, record)| refused(record));
    let jobs = jobs.flat_map(|(index, record)| attempts.map(|attempts| (index, record, attempts)));
    let runs = jobs.map(async |(index, record, attempts)| {
        let rule = || rule(&calls, index, attempts, strain);
        let came = run_until_reached(scenario, upstream, rule, bound, &expected).await;
        came.map_err(|problem| StrainFailure { index, call: record.call.to_string(), attempts, problem })
    });
    for came in in_a_few(runs).await {
        report.runs = report.runs.saturating_add(1);
        match came {
            Ok(Run { took, succeeded }) => report.count(took, succeeded),
            Err(failure) => report.failures.push(failure),
        }
    }
    Ok(report)
}

impl StrainReport {
    fn count(&mut self, took: Duration, succeeded: bool) {
        let counter = if succeeded { &mut self.succeeded } else { &mut self.recovered };
        *counter = counter.saturating_add(1);
        self.longest = self.longest.max(took);
    }
}

fn rule(calls: &[&Record], index: usize, attempts: Attempts, strain: Strain) -> Rule {
    let fault = match strain {
        Strain::Throttled => Fault::Throttle,
        Strain::Unavailable => Fault::Unavailable,
        Strain::Unprocessed => Fault::Unprocessed,
    };
    match (attempts, calls.get(index)) {
        (Attempts::First(times), _) => Rule::new(When::any().nth(index), fault).times(times),
        (Attempts::All, None) => Rule::new(When::any().from(index), fault),
        (Attempts::All, Some(record)) => {
            let (service, operation) = (&record.call.service, &record.call.operation);
            let same = |earlier: &&&Record| earlier.call.service == *service && earlier.call.operation == *operation;
            let before = calls.iter().take(index).filter(same).count();
            Rule::new(When::any().service(service.clone()).operation(operation.name()).from(before), fault)
        }
    }
}

struct Run {
    took: Duration,
    succeeded: bool,
}

async fn run_until_reached<S: Scenario>(
    scenario: &S,
    upstream: &str,
    rule: impl Fn() -> Rule,
    bound: Duration,
    expected: &S::State,
) -> Result<Run, String> {
    let mut failed = String::new();
    for _ in 0..RUNS {
        match run(scenario, upstream, rule(), bound, expected).await? {
            Ok(run) => return Ok(run),
            Err(error) => failed = error,
        }
    }
    Err(never_reached(&failed))
}

/// The inner error is that of a handler that failed by itself, before the call.
async fn run<S: Scenario>(
    scenario: &S,
    upstream: &str,
    rule: Rule,
    bound: Duration,
    expected: &S::State,
) -> Result<Result<Run, String>, String> {
    let stage = Stage::set(scenario, upstream).await?;
    stage.wiretap.rule(rule);
    let start = Instant::now();
    let delivery = tokio::time::timeout(bound, Box::pin(scenario.deliver(&stage.world))).await;
    let took = start.elapsed();
    let Ok(delivered) = delivery else {
        return Err(format!("took longer than {:.1} s", bound.as_secs_f64()));
    };
    if stage.wiretap.records().iter().all(|record| record.outcome.fault.is_none()) {
        return match delivered {
            Ok(()) => Err(DONE_WITHOUT_THE_CALL.to_owned()),
            Err(error) => Ok(Err(error.to_string())),
        };
    }
    let succeeded = delivered.is_ok();
    let state = if succeeded { stage.state().await? } else { stage.finish().await? };
    let verdict = same(expected, &state);
    verdict.map_err(|problem| if succeeded { format!("a wrong success: {problem}") } else { problem })?;
    Ok(Ok(Run { took, succeeded }))
}
