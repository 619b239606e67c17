//! What comes of a fact: pure, so that whoever runs it may be stopped anywhere and run again.

use loam_domain::Timestamp;

use crate::fact::{Answer, Beginning, Ending, Fact};
use crate::mark::{Mark, RESET_GAP_MILLIS, Stage};
use crate::row::{Row, Status};

/// What is to be done with a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What it is, for the log.
    pub verdict: Verdict,
    /// The row to write in place of the one that was read, if the version before is still there; `None`: it stays.
    pub next: Option<Box<Row>>,
    /// What the row's change is told as; written with it.
    pub told: Vec<Told>,
    /// Whether AWS IoT must be asked before it is clear where the thing is: then [`decide_answer`] goes on.
    pub ask: bool,
}

/// What a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// News: it says where the thing is.
    Applied,
    /// It was said before.
    Duplicate,
    /// Something newer is known.
    Late,
    /// One connection took another's place: the thing is there.
    TakenOver,
    /// A hint that says what is known.
    Agrees,
    /// A hint that says something else.
    Doubt,
}

impl Verdict {
    /// Its word in logs, for example `taken-over`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::TakenOver => "taken-over",
            Self::Agrees => "agrees",
            Self::Doubt => "doubt",
        }
    }
}

/// What others are told of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A connection began, be it in place of another.
    Connected,
    /// The thing is gone.
    Disconnected,
    /// It proved itself with something else than the last time.
    PrincipalChanged {
        /// With what; `None` the first time.
        before: Option<String>,
    },
}

/// What comes of `fact`, given what is known; `now` is the clock of whoever decides.
#[must_use]
pub fn decide(row: &Row, fact: &Fact, now: Timestamp) -> Decision {
    match fact {
        Fact::Began(beginning) => began(row, beginning, now),
        Fact::Ended(ending) => ended(row, ending, now),
        Fact::Hint { connected } => {
            let doubt = *connected != row.is_connected() && row.status.is_some();
            let verdict = if doubt { Verdict::Doubt } else { Verdict::Agrees };
            Decision { verdict, next: None, told: vec![], ask: doubt }
        }
    }
}

fn began(row: &Row, Beginning { mark, principal }: &Beginning, now: Timestamp) -> Decision {
    let mut next = row.clone();
    next.note_start(mark);
    next.note_seen(mark.at);
    let news = is_news(row, mark);
    if news {
        next.status = Some(Status { mark: mark.clone(), since: mark.at, principal: principal.clone() });
    }
    let verdict = verdict(row, mark, news);
    let told = if news { vec![Told::Connected] } else { vec![] };
    decision(row, next, verdict, told, now)
}

fn ended(row: &Row, Ending { mark, principal, how }: &Ending, now: Timestamp) -> Decision {
    let mut next = row.clone();
    next.note_end(mark, how);
    next.note_seen(mark.at);
    let news = is_news(row, mark);
    if how.is_taken_over() {
        // The other connection's beginning says the rest. Where it stays away, AWS IoT is asked.
        let decision = decision(row, next, Verdict::TakenOver, vec![], now);
        return Decision { ask: news, ..decision };
    }
    if news {
        let principal = principal.clone().or_else(|| known_principal(row));
        next.status = Some(Status { mark: mark.clone(), since: mark.at, principal });
    }
    let told = if news && row.is_connected() { vec![Told::Disconnected] } else { vec![] };
    decision(row, next, verdict(row, mark, news), told, now)
}

/// What comes of AWS IoT's answer, which was asked for after `row` was read and holds only if it is still there.
///
/// An answer names no connection, so it changes only whether the thing is there: whatever AWS tells of a later
/// connection replaces it, and what AWS told before it does not come back.
#[must_use]
pub fn decide_answer(row: &Row, answer: &Answer, now: Timestamp) -> Decision {
    match answer {
        Answer::There(since) => found(row, *since, now),
        Answer::Gone(since, how) if row.is_connected() => {
            let mut next = row.clone();
            let mark = row.mark_in(Stage::Missed);
            next.note_end(&mark, &how.clone().unwrap_or_else(|| crate::fact::How::new(None, false)));
            let status = Status { mark, since: since.unwrap_or(now), principal: known_principal(row) };
            next.status = Some(status);
            decision(row, next, Verdict::Applied, vec![Told::Disconnected], now)
        }
        Answer::Gone(..) => Decision { verdict: Verdict::Agrees, next: None, told: vec![], ask: false },
    }
}

fn found(row: &Row, since: Option<Timestamp>, now: Timestamp) -> Decision {
    let agrees = Decision { verdict: Verdict::Agrees, next: None, told: vec![], ask: false };
    let gone_since = row.status.as_ref().map(|status| status.since);
    // A connection that began well before the end that is known is the one that ended: the answer is older than the end.
    let stale = since.zip(gone_since).is_some_and(|(since, gone)| gone.millis_since(since) > RESET_GAP_MILLIS);
    if row.is_connected() || stale {
        return agrees;
    }
    let mut next = row.clone();
    let mark = row.mark_in(Stage::Found);
    next.status = Some(Status { mark, since: since.unwrap_or(now), principal: known_principal(row) });
    next.asked_at = Some(now);
    decision(row, next, Verdict::Applied, vec![Told::Connected], now)
}

fn is_news(row: &Row, mark: &Mark) -> bool {
    row.status.as_ref().is_none_or(|status| mark.newer_than(&status.mark))
}

fn known_principal(row: &Row) -> Option<String> {
    row.status.as_ref().and_then(|status| status.principal.clone())
}

fn verdict(row: &Row, mark: &Mark, news: bool) -> Verdict {
    match &row.status {
        _ if news => Verdict::Applied,
        Some(status) if status.mark.is_same_connection(mark) && status.mark.stage == mark.stage => Verdict::Duplicate,
        _ => Verdict::Late,
    }
}

/// The decision to write `next`, where it says more than `row`.
fn decision(row: &Row, mut next: Row, verdict: Verdict, mut told: Vec<Told>, now: Timestamp) -> Decision {
    if next == *row {
        return Decision { verdict, next: None, told: vec![], ask: false };
    }
    let (before, after) = (known_principal(row), known_principal(&next));
    if after.is_some() && before != after {
        told.push(Told::PrincipalChanged { before });
    }
    if !told.is_empty() {
        next.told_at = row.told_at.max(now);
    }
    // Each event is told by a version of its own.
    next.version = row.version + (told.len() as u64).max(1);
    Decision { verdict, next: Some(Box::new(next)), told, ask: false }
}

#[cfg(test)]
mod tests;
