use loam_domain::Timestamp;

use super::{Attempt, End, How, Progress, Ready, Source, State, Transfer};
use crate::digest::Kept;
use crate::ids::AttemptId;
use crate::order::{Direction, Sha256Hex};
use crate::plan::Plan;

/// What happens to a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// The source of a download is there, in this version and with so many bytes.
    Pin {
        /// S3's version id.
        version: String,
        /// Its length in bytes.
        bytes: u64,
    },
    /// An attempt begins: its keys are made and kept, its multipart upload exists, and nothing is sealed yet. It takes
    /// the place of `replaces`; another one than that lost the race, and its keys never seal anything.
    Begin {
        /// It.
        attempt: Attempt,
        /// The attempt that was there when this one was made.
        replaces: Option<AttemptId>,
    },
    /// The device says that all parts are there, and they are.
    Uploaded {
        /// Of which attempt.
        attempt: AttemptId,
    },
    /// The parts are one object.
    Assembled {
        /// Of which attempt.
        attempt: AttemptId,
        /// The object's entity tag.
        body: String,
    },
    /// Part `part` is sealed and stored, or is authentic.
    Done {
        /// Of which attempt.
        attempt: AttemptId,
        /// Its number.
        part: u32,
        /// The digest of the file with this part.
        digest: Kept,
    },
    /// All parts are done and are one object.
    Finish {
        /// Of which attempt.
        attempt: AttemptId,
    },
    /// It cannot be.
    Fail {
        /// The attempt of which this was found out; `None` before there is one.
        attempt: Option<AttemptId>,
        /// Why: a stable code.
        reason: String,
    },
    /// The receiver has it, and read this.
    Receive {
        /// What it computed; a person need not say it.
        sha256: Option<Sha256Hex>,
        /// How many bytes it got.
        bytes: Option<u64>,
    },
    /// The device gives up: what it was to receive, or to send.
    Refuse {
        /// Of which attempt.
        attempt: AttemptId,
        /// Why: its own code.
        reason: String,
    },
    /// Somebody takes it back.
    Cancel,
    /// Its owner's time is over, or the thing's.
    Close {
        /// Which: a stable code.
        reason: &'static str,
    },
    /// Its time is over, and that is to be written.
    Expire,
    /// Its keys and all its objects are gone.
    Erased,
}

/// What an intent makes of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// This, in one write on the version before.
    Change(Box<Change>),
    /// Nothing.
    Nothing(Outcome),
}

/// The transfer after an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The transfer; its version is higher by one.
    pub transfer: Transfer,
    /// Where it stands now, if it stood elsewhere before: what is told.
    pub told: Option<State>,
    /// Whether its place among the thing's transfers becomes free, in the same transaction.
    pub frees: bool,
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
    /// It is not over yet.
    NotOver,
    /// It goes the other way.
    OtherDirection,
    /// There is nothing for the receiver yet.
    NotReady,
    /// The source has another length than was ordered.
    SizeDiffers,
    /// The source is pinned, in another version.
    OtherSource,
    /// The file is larger than was ordered.
    TooLarge,
    /// An upload whose digest nobody gave.
    NoDigest,
    /// That attempt is not the one that counts.
    OtherAttempt,
    /// That part is not the next one, or something comes before.
    OutOfOrder,
}

impl Why {
    /// Its stable code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Over => "transfer-over",
            Self::NotOver => "transfer-not-over",
            Self::OtherDirection => "other-direction",
            Self::NotReady => "transfer-not-ready",
            Self::SizeDiffers => "size-differs",
            Self::OtherSource => "source-pinned",
            Self::TooLarge => "file-too-large",
            Self::NoDigest => "sha256-needed",
            Self::OtherAttempt => "other-attempt",
            Self::OutOfOrder => "out-of-order",
        }
    }
}

/// What comes of `intent` at `now`.
///
/// Pure. Repeated with the transfer after it, it changes nothing.
#[must_use]
pub fn next(before: &Transfer, intent: &Intent, now: Timestamp) -> Transition {
    let after = if before.state(now).is_over() { once_over(before, intent, now) } else { alive(before, intent, now) };
    match after {
        Err(why) => Transition::Nothing(Outcome::Refused(why)),
        Ok(after) if after == *before => Transition::Nothing(Outcome::Already),
        Ok(mut after) => {
            after.version = before.version + 1;
            let told = told(before, &after, now);
            let frees = before.end.is_none() && after.end.is_some();
            Transition::Change(Box::new(Change { transfer: after, told, frees }))
        }
    }
}

/// Expiry needs nobody to happen, and is told when it is written.
fn told(before: &Transfer, after: &Transfer, now: Timestamp) -> Option<State> {
    let state = after.state(now);
    let newly_over = before.end.is_none() && after.end.is_some();
    (newly_over || state != before.state(now)).then_some(state)
}

fn once_over(before: &Transfer, intent: &Intent, now: Timestamp) -> Result<Transfer, Why> {
    let state = before.state(now);
    match intent {
        Intent::Expire if before.end.is_none() => Ok(ended(before, How::Expired, None, now)),
        // Not before the end is written: a row that only time ended may still hold what is to be erased.
        Intent::Erased if before.end.is_none() => Err(Why::NotOver),
        Intent::Erased => Ok(Transfer { erased_at: before.erased_at.or(Some(now)), ..before.clone() }),
        Intent::Close { reason } if before.end.is_none() => {
            Ok(ended(before, How::Cancelled, Some((*reason).into()), now))
        }
        Intent::Expire | Intent::Close { .. } => Ok(before.clone()),
        Intent::Cancel if state == State::Over(How::Cancelled) => Ok(before.clone()),
        Intent::Receive { .. } if state == State::Over(How::Completed) => Ok(before.clone()),
        // The same word again; a better one comes too late.
        Intent::Receive { .. } if state == State::Over(How::Failed) && before.ready.is_some() => Ok(before.clone()),
        Intent::Refuse { .. } | Intent::Fail { .. } | Intent::Finish { .. } if state == State::Over(How::Failed) => {
            Ok(before.clone())
        }
        Intent::Pin { .. }
        | Intent::Begin { .. }
        | Intent::Uploaded { .. }
        | Intent::Assembled { .. }
        | Intent::Done { .. }
        | Intent::Finish { .. }
        | Intent::Fail { .. }
        | Intent::Receive { .. }
        | Intent::Refuse { .. }
        | Intent::Cancel => Err(Why::Over),
    }
}

fn alive(before: &Transfer, intent: &Intent, now: Timestamp) -> Result<Transfer, Why> {
    match intent {
        Intent::Pin { version, bytes } => pin(before, version, *bytes, now),
        Intent::Begin { attempt, replaces } => begin(before, attempt, replaces.as_ref()),
        Intent::Uploaded { attempt } => uploaded(before, attempt, now),
        Intent::Assembled { attempt, body } => assembled(before, attempt, body),
        Intent::Done { attempt, part, digest } => done(before, attempt, *part, digest),
        Intent::Finish { attempt } => finish(before, attempt, now),
        Intent::Fail { attempt, reason } => {
            let current = before.attempt.as_ref().map(|attempt| &attempt.id);
            if before.ready.is_some() || current != attempt.as_ref() {
                return Err(Why::OtherAttempt);
            }
            Ok(ended(before, How::Failed, Some(reason.clone()), now))
        }
        Intent::Receive { sha256, bytes } => receive(before, sha256.as_ref(), *bytes, now),
        Intent::Refuse { attempt, reason } => refuse(before, attempt, reason, now),
        Intent::Cancel => Ok(ended(before, How::Cancelled, None, now)),
        Intent::Close { reason } => Ok(ended(before, How::Cancelled, Some((*reason).to_owned()), now)),
        Intent::Expire | Intent::Erased => Err(Why::NotOver),
    }
}

fn ended(before: &Transfer, how: How, reason: Option<String>, now: Timestamp) -> Transfer {
    Transfer { end: Some(End { how, at: now, reason }), ..before.clone() }
}

fn pin(before: &Transfer, version: &str, bytes: u64, now: Timestamp) -> Result<Transfer, Why> {
    if before.order.direction != Direction::Download {
        return Err(Why::OtherDirection);
    }
    match &before.source {
        Some(source) if source.version == version => Ok(before.clone()),
        Some(_) => Err(Why::OtherSource),
        None if bytes != before.order.size => Err(Why::SizeDiffers),
        None => {
            let source = Some(Source { version: version.to_owned(), at: now });
            Ok(Transfer { source, ..before.clone() })
        }
    }
}

fn begin(before: &Transfer, attempt: &Attempt, replaces: Option<&AttemptId>) -> Result<Transfer, Why> {
    let current = before.attempt.as_ref();
    if current.is_some_and(|current| current.id == attempt.id) {
        return Ok(before.clone());
    }
    if current.map(|current| &current.id) != replaces {
        return Err(Why::OtherAttempt);
    }
    match before.order.direction {
        // The pinned source never changes, so there is never a reason for a second attempt.
        Direction::Download if current.is_some() => return Err(Why::OtherAttempt),
        Direction::Download if before.source.is_none() => return Err(Why::OutOfOrder),
        Direction::Download if attempt.layout.size != before.order.size => return Err(Why::SizeDiffers),
        Direction::Upload if before.uploaded_at.is_some() => return Err(Why::OutOfOrder),
        Direction::Upload if attempt.layout.size > before.order.size => return Err(Why::TooLarge),
        Direction::Upload if attempt.sha256.is_none() => return Err(Why::NoDigest),
        Direction::Download | Direction::Upload => {}
    }
    Ok(Transfer { attempt: Some(attempt.clone()), ..before.clone() })
}

/// The attempt that counts, if it is this one.
fn current<'a>(before: &'a Transfer, attempt: &AttemptId) -> Result<&'a Attempt, Why> {
    before.attempt.as_ref().filter(|current| current.id == *attempt).ok_or(Why::OtherAttempt)
}

fn uploaded(before: &Transfer, attempt: &AttemptId, now: Timestamp) -> Result<Transfer, Why> {
    if before.order.direction != Direction::Upload {
        return Err(Why::OtherDirection);
    }
    current(before, attempt)?;
    Ok(Transfer { uploaded_at: before.uploaded_at.or(Some(now)), ..before.clone() })
}

/// Whether every part of the attempt is done.
fn all_parts(before: &Transfer, attempt: &Attempt) -> bool {
    Plan::new(attempt.layout).is_ok_and(|plan| before.progress.parts == plan.parts())
}

fn assembled(before: &Transfer, attempt: &AttemptId, body: &str) -> Result<Transfer, Why> {
    let attempt = current(before, attempt)?;
    let may = match before.order.direction {
        Direction::Download => all_parts(before, attempt),
        Direction::Upload => before.uploaded_at.is_some(),
    };
    // Asked again, S3 may give the same object another tag; the first one counts.
    match (&before.body, may) {
        (Some(_), _) => Ok(before.clone()),
        (None, false) => Err(Why::OutOfOrder),
        (None, true) => Ok(Transfer { body: Some(body.to_owned()), ..before.clone() }),
    }
}

fn done(before: &Transfer, attempt: &AttemptId, part: u32, digest: &Kept) -> Result<Transfer, Why> {
    let attempt = current(before, attempt)?;
    if part <= before.progress.parts {
        return Ok(before.clone());
    }
    let is_next = part == before.progress.parts + 1 && Plan::new(attempt.layout).is_ok_and(|plan| part <= plan.parts());
    let may = match before.order.direction {
        Direction::Download => before.source.is_some(),
        Direction::Upload => before.body.is_some(),
    };
    if !is_next || !may {
        return Err(Why::OutOfOrder);
    }
    Ok(Transfer { progress: Progress { parts: part, digest: Some(digest.clone()) }, ..before.clone() })
}

fn finish(before: &Transfer, attempt: &AttemptId, now: Timestamp) -> Result<Transfer, Why> {
    let attempt = current(before, attempt)?;
    if before.ready.is_some() {
        return Ok(before.clone());
    }
    if before.body.is_none() || !all_parts(before, attempt) {
        return Err(Why::OutOfOrder);
    }
    let Some(Ok(sha256)) = before.progress.digest.as_ref().map(Kept::whole) else { return Err(Why::OutOfOrder) };
    if attempt.sha256.as_ref().is_some_and(|expected| *expected != sha256) {
        return Ok(ended(before, How::Failed, Some("digest-differs".to_owned()), now));
    }
    Ok(Transfer { ready: Some(Ready { sha256, at: now }), ..before.clone() })
}

/// A device gives up what is ready for it, or an upload of which it has not said that all is there: what came whole is the
/// receiver's.
fn refuse(before: &Transfer, attempt: &AttemptId, reason: &str, now: Timestamp) -> Result<Transfer, Why> {
    current(before, attempt)?;
    match before.order.direction {
        Direction::Download if before.ready.is_none() => Err(Why::NotReady),
        Direction::Upload if before.uploaded_at.is_some() => Err(Why::OutOfOrder),
        Direction::Download | Direction::Upload => Ok(ended(before, How::Failed, Some(reason.to_owned()), now)),
    }
}

fn receive(before: &Transfer, sha256: Option<&Sha256Hex>, bytes: Option<u64>, now: Timestamp) -> Result<Transfer, Why> {
    let Some(ready) = &before.ready else { return Err(Why::NotReady) };
    let same_digest = sha256.is_none_or(|sha256| *sha256 == ready.sha256);
    let same_size = bytes.is_none_or(|bytes| Some(bytes) == before.size());
    if same_digest && same_size {
        return Ok(ended(before, How::Completed, None, now));
    }
    Ok(ended(before, How::Failed, Some("digest-differs-at-receiver".to_owned()), now))
}
