//! An order for many things becomes a command of each, page by page.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use loam_access::{Access, Role};
use loam_domain::{ThingName, Timestamp};
use loam_http::Caller;
use loam_query::Filter;
use loam_things::twins::{Seen, Span, Twins};
use loam_things::{ThingRecord, Things};

use crate::Config;
use crate::command_id::CommandId;
use crate::error::CommandsFailure;
use crate::event::Message;
use crate::many::Many;
use crate::place::{Orders, Placed, Wanted};
use crate::queue::Queue;
use crate::store::Store;

/// How many things one message gives their command.
const PAGE: usize = 50;

/// Spreads orders.
#[derive(Debug, Clone)]
pub(crate) struct Spreader {
    store: Store,
    things: Things,
    twins: Twins,
    access: Access,
    orders: Orders,
    queue: Queue,
}

impl Spreader {
    pub(crate) fn new(sdk: &SdkConfig, config: &Config, store: Store, things: Things, queue: Queue) -> Self {
        Self {
            twins: Twins::new(sdk, config.twins_table.clone()),
            access: Access::new(sdk, config.memberships_table.clone(), things.clone()),
            orders: Orders::new(store.clone(), things.clone()),
            store,
            things,
            queue,
        }
    }

    /// Gives the next things their command. Each command's id follows from order and thing, so that a page that comes twice
    /// makes none twice.
    pub(crate) async fn page(
        &self,
        id: &CommandId,
        after: Option<ThingName>,
        now: Timestamp,
    ) -> Result<(), CommandsFailure> {
        let Some(many) = self.store.many(id).await? else { return Ok(()) };
        if many.done || now >= many.order.expires_at(many.issued_at) {
            return Ok(());
        }
        // It was read when it was ordered; a filter that later versions read no more chooses nothing.
        let chosen = match Filter::parse(&many.filter) {
            Ok(filter) => Box::pin(self.choose(&many, &filter, after)).await?,
            Err(_) => (vec![], false),
        };
        let (things, more) = chosen;
        for thing in &things {
            Box::pin(self.give(&many, thing)).await?;
        }
        tracing::info!(command.id = id.as_str(), things = things.len(), "order spread");
        match things.last().filter(|_| more) {
            Some(last) => self.queue.send(Message::spread(id, Some(last))?, 0).await,
            None => self.store.finish_many(many).await,
        }
    }

    /// The next things of which the filter is true, by name: of the fleet, or of a member's own.
    async fn choose(
        &self,
        many: &Many,
        filter: &Filter,
        after: Option<ThingName>,
    ) -> Result<(Vec<ThingName>, bool), CommandsFailure> {
        if many.operator {
            let span = Span { after, descending: false, limit: PAGE, count: false };
            let selection = self.twins.select(filter, &span).await?;
            return Ok((selection.found.into_iter().map(|seen| seen.twin.thing).collect(), selection.more));
        }
        let names = self.access.things_of(&many.by).await?.into_iter().map(|membership| membership.thing);
        let names: Vec<ThingName> = names.filter(|name| after.as_ref().is_none_or(|after| name > after)).collect();
        let (twins, _) = self.twins.batch(&names).await?;
        let seen = twins.into_iter().map(Seen::from).filter(|seen| filter.matches(&seen.document));
        let mut things: BTreeSet<ThingName> = seen.map(|seen| seen.twin.thing).collect();
        let rest = things.iter().nth(PAGE).cloned().map(|first| things.split_off(&first));
        Ok((things.into_iter().collect(), rest.is_some()))
    }

    async fn give(&self, many: &Many, thing: &ThingName) -> Result<(), CommandsFailure> {
        let record = match self.allowed(many, thing).await? {
            Ok(record) => record,
            // Who lost the thing meanwhile hears nothing of it.
            Err(None) => return Ok(()),
            Err(Some(code)) => return self.store.refuse(many, thing, code).await,
        };
        let id = CommandId::of_recipient(&many.id, thing);
        let recipient = self.store.recipient(many, thing, &id)?;
        let (by, order, at) = (many.by.as_str(), many.order.clone(), many.issued_at);
        let wanted = Wanted { record: &record, by, order, at, mark: None };
        match self.orders.place_as(id, wanted, Some(recipient)).await? {
            Placed::Yes(_) => Ok(()),
            Placed::TooMany => self.store.refuse(many, thing, "too-many-commands").await,
            Placed::Ended => self.store.refuse(many, thing, "thing-retires").await,
        }
    }

    /// The record of a thing that may be commanded so; or why not, if whoever ordered may know of it.
    async fn allowed(
        &self,
        many: &Many,
        thing: &ThingName,
    ) -> Result<Result<Box<ThingRecord>, Option<&'static str>>, CommandsFailure> {
        if many.operator {
            let record = self.things.get(thing).await?.filter(|record| !record.is_retiring());
            return Ok(record.map(Box::new).ok_or(Some("thing-retires")));
        }
        let caller = Caller { sub: many.by.clone(), groups: vec![] };
        let Some(grant) = self.access.of(&caller, thing).await? else { return Ok(Err(None)) };
        Ok(grant.require(Role::Controller).map(|grant| grant.record).map_err(|problem| Some(problem.code())))
    }
}
