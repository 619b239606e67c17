use loam_domain::Timestamp;

use super::{End, Execution, Glimpse, LEASE_MILLIS, Lease, Phase, Running, Said, State, Timers};

/// What happens to a thing in a rollout.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// The order is about to be written to its shadow; what is known of it.
    Claim(Option<Running>),
    /// It is there, by the delivery that began with this version.
    Notified(u64),
    /// The device said how far it is, at this time.
    Progress(Phase, Timestamp),
    /// The same, and how far it is in that phase, in percent.
    Within(Phase, u8, Timestamp),
    /// The device said how it ended.
    Hear(Said),
    /// The device reported what it runs.
    Report(Running),
    /// Nothing came in time.
    TimeOut(Timers),
    /// Loam decides.
    End(End),
    /// Its turn has come and it is not asked; by what was known of it.
    TurnAway(End, Glimpse),
    /// The order of who was given up was taken back.
    Withdraw,
    /// An operator wants it tried again.
    Retry,
}

/// What an intent makes of an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// This, in one write on the version before; and the tally moves from one state to the other, if they differ.
    Change(Box<Execution>),
    /// Nothing.
    Nothing(Outcome),
}

/// What came of an intent that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was so before.
    Already,
    /// It cannot be.
    Refused(Why),
}

/// Why an intent cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// `not-queued`: it was claimed, or is over.
    NotQueued,
    /// `in-flight`: somebody is delivering it.
    InFlight,
    /// `other-delivery`: not the one under way.
    OtherDelivery,
    /// `unsolicited`: the device was not asked, or said it before it was.
    Unsolicited,
    /// `over`.
    Over,
    /// `too-early`.
    TooEarly,
    /// `installing`: nobody can stop it now.
    Installing,
    /// `not-failed`: only what failed, or had to go through a version between, is tried again.
    NotFailed,
    /// `not-given-up`: only who was given up has an order that nobody waits for.
    NotGivenUp,
}

/// What comes of `intent` at `now`.
///
/// Pure. Repeated with the execution after it, it changes nothing.
#[must_use]
pub fn next(before: &Execution, intent: &Intent, now: Timestamp) -> Transition {
    let after = match intent {
        Intent::Claim(running) => claim(before, running.clone(), now),
        Intent::Notified(lease) => notified(before, *lease, now),
        Intent::Progress(phase, at) => heard(before, *at).map(|after| progress(after, *phase, *at)),
        Intent::Within(phase, percent, at) => heard(before, *at).map(|after| within(after, *phase, *percent, *at)),
        Intent::Hear(said) => heard(before, said.at).map(|after| hear(after, said)),
        Intent::Report(running) => report(before, running),
        Intent::TimeOut(timers) => time_out(before, timers, now),
        Intent::End(end) => ended(before, *end, now),
        Intent::TurnAway(end, glimpse) => ended(before, *end, now).map(|after| turned_away(after, glimpse)),
        Intent::Withdraw => withdraw(before),
        Intent::Retry => retry(before),
    };
    match after {
        Err(why) => Transition::Nothing(Outcome::Refused(why)),
        Ok(after) if after == *before => Transition::Nothing(Outcome::Already),
        Ok(after) => Transition::Change(Box::new(Execution { version: before.version + 1, ..after })),
    }
}

/// Claimed again it may be: whoever claimed it first is dead, and what it had written or not is written once more.
fn claim(before: &Execution, running: Option<Running>, now: Timestamp) -> Result<Execution, Why> {
    if before.state() != State::Queued {
        return Err(Why::NotQueued);
    }
    if before.in_flight(now).is_some() {
        return Err(Why::InFlight);
    }
    let mut after = before.clone();
    after.lease = Some(Lease { version: before.version + 1, until: now.plus_millis(LEASE_MILLIS) });
    after.claimed_at = Some(before.claimed_at.unwrap_or(now));
    after.from = before.from.clone().or_else(|| running.as_ref().map(|running| running.version.clone()));
    after.running = before.running.clone().max(running);
    Ok(after)
}

fn notified(before: &Execution, lease: u64, now: Timestamp) -> Result<Execution, Why> {
    if before.lease.is_none_or(|known| known.version != lease) {
        return Err(Why::OtherDelivery);
    }
    Ok(Execution { lease: None, notified_at: Some(before.notified_at.unwrap_or(now)), ..before.clone() })
}

/// What is heard at `at` counts if the device was asked before.
fn heard(before: &Execution, at: Timestamp) -> Result<Execution, Why> {
    match before.claimed_at {
        Some(claimed_at) if at >= claimed_at => Ok(before.clone()),
        Some(_) | None => Err(Why::Unsolicited),
    }
}

fn started(mut after: Execution, at: Timestamp) -> Execution {
    after.started_at = Some(after.started_at.map_or(at, |known| known.min(at)));
    after
}

fn progress(after: Execution, phase: Phase, at: Timestamp) -> Execution {
    let mut after = started(after, at);
    if phase == Phase::Installing {
        after.installing_at = Some(after.installing_at.map_or(at, |known| known.min(at)));
    }
    // How far it was in another phase says nothing of this one.
    let percent = after.percent.filter(|_| after.phase >= Some(phase));
    Execution { phase: after.phase.max(Some(phase)), percent, ..after }
}

/// Each row that is written costs something, and a tenth is worth it.
fn within(after: Execution, phase: Phase, percent: u8, at: Timestamp) -> Execution {
    let after = progress(after, phase, at);
    if after.phase != Some(phase) {
        return after;
    }
    Execution { percent: after.percent.max(Some(percent / 10 * 10)), ..after }
}

fn hear(after: Execution, said: &Said) -> Execution {
    let after = started(after, said.at);
    let verdict = after.verdict.clone().map_or_else(|| said.clone(), |known| known.min(said.clone()));
    Execution { verdict: Some(verdict), ..after }
}

fn report(before: &Execution, running: &Running) -> Result<Execution, Why> {
    let mut after = heard(before, running.at)?;
    after.reached |= running.version == before.target;
    after.running = after.running.max(Some(running.clone()));
    Ok(after)
}

fn time_out(before: &Execution, timers: &Timers, now: Timestamp) -> Result<Execution, Why> {
    let due_at = before.due_at(timers).ok_or(Why::Over)?;
    if now < due_at {
        return Err(Why::TooEarly);
    }
    let end = if before.started_at.is_some() { End::Stalled } else { End::Unreached };
    Ok(Execution { end: Some(end), ..before.clone() })
}

fn ended(before: &Execution, end: End, now: Timestamp) -> Result<Execution, Why> {
    let state = before.state();
    if before.end == Some(end) {
        return Ok(before.clone());
    }
    if end == End::Retired {
        // What is no more is taken out wherever it stands, but keeps what it has proven.
        return if state.is_open() { Ok(take(before, end)) } else { Err(Why::Over) };
    }
    if !state.is_open() {
        return Err(Why::Over);
    }
    if before.in_flight(now).is_some() {
        return Err(Why::InFlight);
    }
    if state == State::Installing {
        return Err(Why::Installing);
    }
    Ok(take(before, end))
}

fn take(before: &Execution, end: End) -> Execution {
    Execution { end: Some(end), lease: None, ..before.clone() }
}

fn turned_away(after: Execution, glimpse: &Glimpse) -> Execution {
    let running = after.running.max(glimpse.running.clone());
    let hardware = glimpse.hardware.clone().or(after.hardware);
    Execution { running, hardware, ..after }
}

fn withdraw(before: &Execution) -> Result<Execution, Why> {
    if before.withdrawn {
        return Ok(before.clone());
    }
    before.is_given_up().then(|| Execution { withdrawn: true, ..before.clone() }).ok_or(Why::NotGivenUp)
}

fn retry(before: &Execution) -> Result<Execution, Why> {
    let failed = matches!(before.state(), State::Failed | State::Rejected | State::TimedOut | State::Unreached);
    // Who had to go through a version between may have done so.
    if !failed && before.end != Some(End::FromTooOld) {
        return Err(Why::NotFailed);
    }
    let fresh = Execution::queued(before.rollout.clone(), before.thing.clone(), before.wave, before.target.clone());
    let (from, running, hardware) = (before.from.clone(), before.running.clone(), before.hardware.clone());
    Ok(Execution { attempt: before.attempt + 1, from, running, hardware, ..fresh })
}
