//! Changes a command: load, decide, save; it chooses nothing.

use loam_domain::{ThingName, Timestamp};

use crate::command::{Command, Intent, Outcome, Transition, next};
use crate::command_id::CommandId;
use crate::error::CommandsFailure;
use crate::store::{Saved, Store, wait_after};

/// What came of an intent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kept {
    /// It is done: the command after it.
    Done(Box<Command>),
    /// It changed nothing: the command as it is, and why.
    Nothing(Outcome, Box<Command>),
    /// There is no such command, or none any more.
    Missing,
}

impl Store {
    /// Carries out an intent that needs no condition but the command's own version; again while others are faster.
    pub(crate) async fn apply(
        &self,
        thing: &ThingName,
        id: &CommandId,
        intent: &Intent,
        now: Timestamp,
    ) -> Result<Kept, CommandsFailure> {
        let mut tries = 0;
        loop {
            let Some(before) = self.command(thing, id).await? else { return Ok(Kept::Missing) };
            let change = match next(&before, intent, now) {
                Transition::Nothing(outcome) => return Ok(Kept::Nothing(outcome, Box::new(before))),
                Transition::Change(change) => change,
            };
            match self.save(&change, None, now).await? {
                Saved::Yes => return Ok(Kept::Done(Box::new(change.command))),
                Saved::Lost | Saved::Ended => tries = wait_after(tries).await?,
            }
        }
    }
}
