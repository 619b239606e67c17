use loam_domain::Timestamp;

use super::{Attempt, State, Transfer};
use crate::order::Direction;
use crate::plan::{Part, Plan};

/// What Loam itself has to do for a transfer. Each step may be done twice, by two at once, and broken off anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Nothing: it waits for somebody else, or all is done.
    Nothing,
    /// Make keys and a multipart upload, then [`super::Intent::Begin`].
    Begin,
    /// Seal this part of the pinned source and store it, then [`super::Intent::Done`].
    Seal(Attempt, Part),
    /// Make one object of the parts, then [`super::Intent::Assembled`].
    Assemble(Attempt),
    /// Verify this part of the body, then [`super::Intent::Done`].
    Verify(Attempt, Part),
    /// [`super::Intent::Finish`].
    Finish(Attempt),
    /// Write that its time is over, [`super::Intent::Expire`].
    Expire,
    /// Destroy keys first, then everything else; then [`super::Intent::Erased`].
    Erase,
}

/// What comes next for a transfer at `now`.
#[must_use]
pub fn work(transfer: &Transfer, now: Timestamp) -> Work {
    match transfer.state(now) {
        State::Over(_) if transfer.end.is_none() => Work::Expire,
        State::Over(_) if transfer.erased_at.is_none() => Work::Erase,
        State::Over(_) | State::AwaitingSource | State::AwaitingUpload | State::Ready => Work::Nothing,
        State::Sealing | State::Verifying => match &transfer.attempt {
            None => Work::Begin,
            Some(attempt) => go_on(transfer, attempt),
        },
    }
}

fn go_on(transfer: &Transfer, attempt: &Attempt) -> Work {
    // A layout that was written is one that was checked.
    let Ok(plan) = Plan::new(attempt.layout) else { return Work::Nothing };
    let part = plan.part(transfer.progress.parts + 1);
    match (transfer.order.direction, part, &transfer.body) {
        (Direction::Download, Some(part), _) => Work::Seal(attempt.clone(), part),
        (_, _, None) => Work::Assemble(attempt.clone()),
        (Direction::Upload, Some(part), Some(_)) => Work::Verify(attempt.clone(), part),
        (_, None, Some(_)) => Work::Finish(attempt.clone()),
    }
}
