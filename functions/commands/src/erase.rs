//! What is kept of a thing goes: with its owner's time, and with the thing.

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use loam_domain::{Event, ThingName, Timestamp};
use loam_things::{Acknowledgement, Outcome, Things, Turn};

use crate::error::CommandsFailure;
use crate::items::{self, COMMAND, Item, LINE};
use crate::shadows::Shadows;
use crate::store::{Store, wait_after};

/// What this capability answers for when an owner's time ends, and when a thing retires.
pub(crate) const CAPABILITY: &str = "commands";

/// The most rows that one run erases; a message to ourselves brings the next run.
const MOST_ROWS: usize = 2_000;

/// The most writes of one batch. Source: DynamoDB API reference, `BatchWriteItem`.
const BATCH: usize = 25;

/// After how long a run that others kept from its end comes again, in milliseconds.
const AGAIN_MILLIS: i64 = 1_000;

/// Erases.
#[derive(Debug, Clone)]
pub(crate) struct Eraser {
    store: Store,
    things: Things,
    shadows: Shadows,
}

/// How far an erasure came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Erased {
    /// Nothing is left, and that is acknowledged where somebody waits for it.
    Done,
    /// The rest, or all of it, at this time.
    Again(Timestamp),
}

impl Eraser {
    pub(crate) const fn new(store: Store, things: Things, shadows: Shadows) -> Self {
        Self { store, things, shadows }
    }

    /// What former owners left, when all is quiet: rows, and what they desired.
    pub(crate) async fn former(&self, thing: &ThingName, now: Timestamp) -> Result<Erased, CommandsFailure> {
        let through = match self.things.erasure_turn(thing, CAPABILITY, now).await? {
            Turn::Nothing => return Ok(Erased::Done),
            Turn::Wait { millis } => return Ok(Erased::Again(now.plus_millis(millis))),
            Turn::Erase { through } => through,
        };
        if !self.store.erase(thing, Some(through)).await? {
            return Ok(Erased::Again(now));
        }
        if !self.shadows.clear(thing).await? {
            return Ok(Erased::Again(now.plus_millis(AGAIN_MILLIS)));
        }
        let word = Acknowledgement { capability: CAPABILITY.to_owned(), through, looked_at: now };
        Ok(match self.things.acknowledge_erasure(thing, word, now).await? {
            Outcome::Refused(_, _) => Erased::Again(now.plus_millis(AGAIN_MILLIS)),
            Outcome::Done(_) | Outcome::Already(_) | Outcome::Missing => Erased::Done,
        })
    }

    /// All of a thing that retires.
    pub(crate) async fn all(&self, thing: &ThingName) -> Result<bool, CommandsFailure> {
        self.store.erase(thing, None).await
    }
}

impl Store {
    /// Erases what is kept of a thing: through that epoch, or with its line all of it. Whether nothing is left.
    pub(crate) async fn erase(&self, thing: &ThingName, through: Option<u64>) -> Result<bool, CommandsFailure> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .key_condition_expression("thing = :thing")
            .expression_attribute_values(":thing", items::text(thing.as_str()));
        let (mut rows, mut start) = (0, None);
        while rows < MOST_ROWS {
            let answer = query.clone().set_exclusive_start_key(start).send().await;
            let answer = answer.map_err(|error| CommandsFailure::NotListed(Box::new(error)))?;
            let gone: Vec<&Item> = answer.items().iter().filter(|item| is_to_go(item, through)).collect();
            rows += gone.len();
            // How a command is found by its id goes first: a run that dies between the two finds the command again.
            self.delete(gone.iter().filter_map(|item| pointer_of(item)).collect()).await?;
            self.delete(gone.iter().filter_map(|item| key_of(item)).collect()).await?;
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn delete(&self, keys: Vec<Item>) -> Result<(), CommandsFailure> {
        for batch in keys.chunks(BATCH) {
            let mut left = vec![];
            for key in batch {
                let delete = DeleteRequest::builder().set_key(Some(key.clone())).build()?;
                left.push(WriteRequest::builder().delete_request(delete).build());
            }
            let mut tries = 0;
            while !left.is_empty() {
                let write = self.client.batch_write_item().request_items(&self.table, left).send().await;
                let answer = write.map_err(|error| CommandsFailure::NotErased(Box::new(error)))?;
                left = answer.unprocessed_items.and_then(|mut all| all.remove(&self.table)).unwrap_or_default();
                if !left.is_empty() {
                    tries = wait_after(tries).await.map_err(|_| CommandsFailure::LeftUndone)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a row goes. What nobody can read any more serves nobody.
fn is_to_go(item: &Item, through: Option<u64>) -> bool {
    let Some(through) = through else { return true };
    let kind = items::text_in(item, "item").unwrap_or_default();
    if kind == LINE {
        return false;
    }
    let epoch = if kind.starts_with(COMMAND) {
        items::command_of(item).map(|command| command.epoch)
    } else {
        items::read::<Event>(item, "event").map(|event| event.epoch)
    };
    epoch.map_or(true, |epoch| epoch <= through)
}

fn pointer_of(item: &Item) -> Option<Item> {
    let id = items::text_in(item, "item").ok()?.strip_prefix(COMMAND)?;
    Some(items::key(&format!("{COMMAND}{id}"), "thing"))
}

fn key_of(item: &Item) -> Option<Item> {
    Some(items::key(items::text_in(item, "thing").ok()?, items::text_in(item, "item").ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::command::tests::{at, command};
    use crate::line::Line;
    use crate::told;

    #[test]
    fn rows_through_an_epoch_go_and_those_of_the_next_one_and_the_line_stay() {
        for (epoch, goes) in [(1, true), (2, true), (3, false)] {
            let command = Command { epoch, ..command() };
            assert_eq!(is_to_go(&items::command_item(&command, at(0)).unwrap(), Some(2)), goes, "{epoch}");
            assert_eq!(is_to_go(&items::event_item(&command, &told::queued(&command)).unwrap(), Some(2)), goes);
        }
        let line = items::line_item(&command().thing, &Line::default()).unwrap();
        assert!(!is_to_go(&line, Some(2)) && is_to_go(&line, None));
    }
}
