//! Places an order: one thing, one command.

use aws_sdk_dynamodb::types::TransactWriteItem;
use loam_domain::Timestamp;
use loam_things::{ThingRecord, Things};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::command::Command;
use crate::command_id::CommandId;
use crate::error::CommandsFailure;
use crate::order::Order;
use crate::store::{Saved, Store, wait_after};

/// The most commands of a thing that are open at a time; who orders at the same instant may go beyond it by few.
pub(crate) const MOST_OPEN: usize = 100;

/// An order for one thing.
pub(crate) struct Wanted<'a> {
    /// The thing's record as it was when somebody was allowed to order.
    pub(crate) record: &'a ThingRecord,
    /// Who orders.
    pub(crate) by: &'a str,
    /// What.
    pub(crate) order: Order,
    /// When it was ordered: its life begins here.
    pub(crate) at: Timestamp,
    /// A text that a repeat of the order has too, and no other order.
    pub(crate) mark: Option<&'a str>,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Placed {
    /// It is queued, now or since the first time.
    Yes(Box<Command>),
    /// The thing has as many open commands as it may.
    TooMany,
    /// The thing retires, or the owner's time in which it was ordered is over.
    Ended,
}

/// Places orders.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    store: Store,
    things: Things,
}

impl Orders {
    pub(crate) const fn new(store: Store, things: Things) -> Self {
        Self { store, things }
    }

    /// Queues a command. From then on it is delivered: its event, in the same write, brings the run that sends it.
    pub(crate) async fn place(&self, wanted: Wanted<'_>) -> Result<Placed, CommandsFailure> {
        if wanted.record.is_retiring() {
            return Ok(Placed::Ended);
        }
        if let Some(known) = self.known(wanted.mark).await? {
            return Ok(known);
        }
        let id = CommandId::new(wanted.at, random()?);
        self.place_as(id, wanted, None).await
    }

    /// The same, under an id that is there already, with one more row in the same write.
    pub(crate) async fn place_as(
        &self,
        id: CommandId,
        wanted: Wanted<'_>,
        more: Option<TransactWriteItem>,
    ) -> Result<Placed, CommandsFailure> {
        let Wanted { record, by, order, at, mark } = wanted;
        let thing = &record.thing;
        if more.is_some()
            && let Some(known) = self.store.command(thing, &id).await?
        {
            return Ok(Placed::Yes(Box::new(known)));
        }
        if self.store.count_open(thing).await? >= MOST_OPEN {
            return Ok(Placed::TooMany);
        }
        let command = Command::ordered(id, thing.clone(), record.epoch, by.to_owned(), order, at);
        let mut tries = 0;
        loop {
            let guard = self.things.epoch_check(thing, record.epoch)?;
            match self.store.create(&command, mark, more.clone(), guard).await? {
                Saved::Yes => return Ok(Placed::Yes(Box::new(command))),
                Saved::Ended => return Ok(Placed::Ended),
                Saved::Lost => {}
            }
            // The first time it was placed, or this very write, whose answer was lost.
            if let Some(known) = self.store.command(thing, &command.id).await? {
                return Ok(Placed::Yes(Box::new(known)));
            }
            if let Some(known) = self.known(mark).await? {
                return Ok(known);
            }
            tries = wait_after(tries).await?;
        }
    }

    async fn known(&self, mark: Option<&str>) -> Result<Option<Placed>, CommandsFailure> {
        let Some(mark) = mark else { return Ok(None) };
        let Some((thing, id)) = self.store.repeated(mark).await? else { return Ok(None) };
        let command = self.store.command(&thing, &id).await?;
        // Erased meanwhile: the time in which it was ordered is over.
        Ok(Some(command.map_or(Placed::Ended, |command| Placed::Yes(Box::new(command)))))
    }
}

/// What makes an id unique.
pub(crate) fn random() -> Result<[u8; 10], CommandsFailure> {
    let mut bytes = [0; 10];
    SystemRandom::new().fill(&mut bytes).map_err(|_| CommandsFailure::NoRandomness)?;
    Ok(bytes)
}
