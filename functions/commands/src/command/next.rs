use loam_domain::Timestamp;

use super::{Command, EXPIRY_TOLD_AFTER_MILLIS, LEASE_MILLIS, Lease, Said, State, Word};
use crate::feedback::{Feedback, Kind, Verdict};

/// The wait after the first delivery that nobody acknowledged, in milliseconds; twice that after each further one.
const FIRST_PAUSE_MILLIS: i64 = 10_000;
/// The longest wait, in milliseconds.
const LONGEST_PAUSE_MILLIS: i64 = 300_000;

/// What happens to a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// Somebody is about to send it. Counted before it is sent, so that a run that dies has sent once too few, never once
    /// too often.
    Send,
    /// The delivery that began with this version of the command came to an end.
    Settle {
        /// [`Lease::version`].
        version: u64,
        /// How.
        sent: Sent,
    },
    /// The device said something.
    Hear(Feedback),
    /// Somebody takes it back.
    Cancel,
    /// Its expiry is to be told.
    TellExpiry,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// The device acknowledged it.
    Confirmed,
    /// It certainly did not reach the device: it is not connected, a policy forbids it, AWS refused it.
    NotReached,
    /// Nobody knows.
    Unknown,
}

/// What an intent makes of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// This, in one write on the version before.
    Change(Box<Change>),
    /// Nothing.
    Nothing(Outcome),
}

/// The command after an intent, and what is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The command after it; its version is higher by one.
    pub command: Command,
    /// What happened; `None` for what concerns nobody.
    pub told: Option<Told>,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It stands otherwise.
    State(State),
    /// The device said what it did, too late to change the state.
    Late(Verdict),
    /// The device said how far it is.
    Progress,
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
    /// It is over.
    Over,
    /// The device has it: what is under way cannot be taken back, and is not sent again.
    Delivered,
    /// Somebody is sending it.
    InFlight,
    /// It was sent as often as it may be.
    Exhausted,
    /// Not yet.
    TooEarly,
    /// It was never sent: the device cannot speak of it.
    Unsolicited,
    /// That delivery is not the one under way.
    OtherDelivery,
}

impl Why {
    /// Its stable code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Over => "command-over",
            Self::Delivered => "command-delivered",
            Self::InFlight => "command-in-flight",
            Self::Exhausted => "deliveries-exhausted",
            Self::TooEarly => "too-early",
            Self::Unsolicited => "unsolicited-feedback",
            Self::OtherDelivery => "other-delivery",
        }
    }
}

/// What comes of `intent` at `now`.
///
/// Pure. Repeated with the command after it, it changes nothing; [`Intent::Send`] finds its own delivery in flight.
#[must_use]
pub fn next(before: &Command, intent: &Intent, now: Timestamp) -> Transition {
    let after = match intent {
        Intent::Send => send(before, now),
        Intent::Settle { version, sent } => settle(before, *version, *sent, now),
        Intent::Hear(feedback) => hear(before, feedback),
        Intent::Cancel => cancel(before, now),
        Intent::TellExpiry => tell_expiry(before, now),
    };
    match after {
        Err(why) => Transition::Nothing(Outcome::Refused(why)),
        Ok(after) if after == *before => Transition::Nothing(Outcome::Already),
        Ok(mut after) => {
            let told = told(before, &after, now);
            after.version = before.version + 1;
            Transition::Change(Box::new(Change { command: after, told }))
        }
    }
}

fn send(before: &Command, now: Timestamp) -> Result<Command, Why> {
    match before.state(now) {
        State::Queued => {}
        State::Delivered | State::Accepted => return Err(Why::Delivered),
        State::Succeeded | State::Failed | State::Rejected | State::Expired | State::Cancelled => {
            return Err(Why::Over);
        }
    }
    if before.in_flight(now).is_some() {
        return Err(Why::InFlight);
    }
    if before.deliveries >= before.order.max_deliveries {
        return Err(Why::Exhausted);
    }
    if before.not_before.is_some_and(|time| now < time) {
        return Err(Why::TooEarly);
    }
    let lease = Lease { version: before.version + 1, until: now.plus_millis(LEASE_MILLIS) };
    Ok(Command { deliveries: before.deliveries + 1, lease: Some(lease), ..before.clone() })
}

fn settle(before: &Command, version: u64, sent: Sent, now: Timestamp) -> Result<Command, Why> {
    let mut after = before.clone();
    let is_this = before.lease.is_some_and(|lease| lease.version == version);
    if is_this {
        after.lease = None;
    } else if sent != Sent::Confirmed {
        return Err(Why::OtherDelivery);
    }
    match sent {
        // An acknowledgement counts whoever is sending by now.
        Sent::Confirmed => after.delivered_at = before.delivered_at.or(Some(now)),
        Sent::NotReached => after.deliveries = before.deliveries.saturating_sub(1),
        Sent::Unknown => after.not_before = Some(now.plus_millis(pause_after(before.deliveries))),
    }
    Ok(after)
}

/// 10 s, 20 s, 40 s ... 5 minutes.
fn pause_after(deliveries: u32) -> i64 {
    let doubled = FIRST_PAUSE_MILLIS.checked_shl(deliveries.saturating_sub(1)).unwrap_or(LONGEST_PAUSE_MILLIS);
    doubled.clamp(FIRST_PAUSE_MILLIS, LONGEST_PAUSE_MILLIS)
}

fn hear(before: &Command, feedback: &Feedback) -> Result<Command, Why> {
    if before.deliveries == 0 {
        return Err(Why::Unsolicited);
    }
    let mut after = before.clone();
    let said = Said { at: feedback.received_at, note: feedback.note.clone() };
    match feedback.kind {
        Kind::Accepted | Kind::Progress => {
            let at = before.accepted_at.map_or(said.at, |known| known.min(said.at));
            after.accepted_at = Some(at);
            let is_newer = |known: &Said| (known.at, known.note.rank()) < (said.at, said.note.rank());
            if before.progress.as_ref().is_none_or(is_newer) {
                after.progress = Some(said);
            }
        }
        Kind::Final(verdict) => {
            after.verdicts.insert(verdict);
            let word = Word { verdict, said };
            if before.word.as_ref().is_none_or(|known| rank(&word) < rank(known)) {
                after.word = Some(word);
            }
        }
    }
    Ok(after)
}

/// The first word counts; of two at the same millisecond the less hopeful one.
fn rank(word: &Word) -> (Timestamp, Verdict, String) {
    (word.said.at, word.verdict, word.said.note.rank())
}

fn cancel(before: &Command, now: Timestamp) -> Result<Command, Why> {
    match before.state(now) {
        State::Cancelled => Ok(before.clone()),
        State::Delivered | State::Accepted => Err(Why::Delivered),
        State::Succeeded | State::Failed | State::Rejected | State::Expired => Err(Why::Over),
        State::Queued => Ok(Command { cancelled_at: Some(now), ..before.clone() }),
    }
}

fn tell_expiry(before: &Command, now: Timestamp) -> Result<Command, Why> {
    if before.state(now) != State::Expired {
        return if before.state(now).is_over() { Err(Why::Over) } else { Err(Why::TooEarly) };
    }
    if now < before.expires_at.plus_millis(EXPIRY_TOLD_AFTER_MILLIS) {
        return Err(Why::TooEarly);
    }
    Ok(Command { expiry_told: true, ..before.clone() })
}

/// What is told of a change: a new state, a late word, or progress. A state that only time brought is told by
/// [`Intent::TellExpiry`].
fn told(before: &Command, after: &Command, now: Timestamp) -> Option<Told> {
    if after.expiry_told != before.expiry_told {
        return Some(Told::State(State::Expired));
    }
    if after.state(now) != before.state(now) {
        return Some(Told::State(after.state(now)));
    }
    let late = |command: &Command| command.late_word().map(|word| word.verdict);
    if late(after) != late(before) {
        return late(after).map(Told::Late);
    }
    let is_over = after.state(now).is_over();
    (after.progress != before.progress && !is_over).then_some(Told::Progress)
}
