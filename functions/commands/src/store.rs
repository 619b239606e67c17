//! The table of commands.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Put, Select, TransactWriteItem};
use loam_domain::{Event, ThingName, Timestamp};

use crate::command::{Change, Command};
use crate::command_id::CommandId;
use crate::error::CommandsFailure;
use crate::items::{self, COMMAND, Item};
use crate::line::Line;
use crate::told;

/// How often a row is tried while others are faster.
const MOST_TRIES: u32 = 12;

/// The row that was read is still there.
const SAME: &str = "#version = :version";
/// There is no such row.
const NEW: &str = "attribute_not_exists(thing)";

/// The table of commands.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) table: String,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saved {
    /// It is there.
    Yes,
    /// Somebody was faster, or the answer to this very write was lost: read again and decide again.
    Lost,
    /// The owner's time that it belongs to is over, or the thing retires.
    Ended,
}

/// Some commands of a thing, the newest first.
pub(crate) struct Slice {
    pub(crate) commands: Vec<Command>,
    /// After which command the next ones come, if there may be any.
    pub(crate) last: Option<CommandId>,
}

impl Store {
    pub(crate) fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table }
    }

    /// Whose command this is; `None` if nobody knows it.
    pub(crate) async fn thing_of(&self, id: &CommandId) -> Result<Option<ThingName>, CommandsFailure> {
        let row = self.row(items::pointer_key(id)).await?;
        row.as_ref().map(|row| items::thing_in(row, "of")).transpose()
    }

    /// The command, read consistently.
    pub(crate) async fn command(&self, thing: &ThingName, id: &CommandId) -> Result<Option<Command>, CommandsFailure> {
        let row = self.row(items::command_key(thing, id)).await?;
        row.as_ref().map(items::command_of).transpose()
    }

    /// The command that an order became which may come twice.
    pub(crate) async fn repeated(&self, mark: &str) -> Result<Option<(ThingName, CommandId)>, CommandsFailure> {
        let row = self.row(items::repeat_key(mark)).await?;
        row.as_ref().map(|row| Ok((items::thing_in(row, "of")?, items::id_in(row, "id")?))).transpose()
    }

    pub(crate) async fn line(&self, thing: &ThingName) -> Result<Line, CommandsFailure> {
        let row = self.row(items::key(thing.as_str(), items::LINE)).await?;
        row.as_ref().map_or(Ok(Line::default()), items::line_of)
    }

    pub(crate) async fn row(&self, key: Item) -> Result<Option<Item>, CommandsFailure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true).set_key(Some(key));
        let answer = request.send().await.map_err(|error| CommandsFailure::NotRead(Box::new(error)))?;
        Ok(answer.item)
    }

    /// Writes a new command, how it is found, and its event; `guard` is the condition on its owner's time.
    pub(crate) async fn create(
        &self,
        command: &Command,
        mark: Option<&str>,
        more: Option<TransactWriteItem>,
        guard: TransactWriteItem,
    ) -> Result<Saved, CommandsFailure> {
        let event = items::event_item(command, &told::queued(command))?;
        let mut all = vec![
            self.put_new(items::command_item(command, command.issued_at)?)?,
            guard,
            self.put_new(items::pointer_item(command))?,
            self.put(event)?,
        ];
        if let Some(mark) = mark {
            all.push(self.put_new(items::repeat_item(mark, command))?);
        }
        all.extend(more);
        self.transact(all).await
    }

    /// Writes a changed command if the row still has the version before, with what is told of it; `guard` as above.
    pub(crate) async fn save(
        &self,
        change: &Change,
        guard: Option<TransactWriteItem>,
        now: Timestamp,
    ) -> Result<Saved, CommandsFailure> {
        let item = items::command_item(&change.command, now)?;
        let event: Option<Event> = change.told.map(|told| told::of(&change.command, told, now));
        let before = change.command.version.saturating_sub(1);
        let put = Put::builder()
            .table_name(&self.table)
            .condition_expression(SAME)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", items::number(before));
        let put = put.set_item(Some(item)).build()?;
        let mut all = vec![TransactWriteItem::builder().put(put).build()];
        all.extend(guard);
        if let Some(event) = event {
            all.push(self.put(items::event_item(&change.command, &event)?)?);
        }
        self.transact(all).await
    }

    /// Writes a thing's line if it still has the version before.
    pub(crate) async fn put_line(&self, thing: &ThingName, line: &Line) -> Result<bool, CommandsFailure> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(items::line_item(thing, line)?));
        let put = if line.version <= 1 {
            put.condition_expression(NEW)
        } else {
            put.condition_expression(SAME)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", items::number(line.version - 1))
        };
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(CommandsFailure::NotWritten(Box::new(error))),
        }
    }

    /// The open commands of a thing, the oldest first, read consistently.
    pub(crate) async fn open(&self, thing: &ThingName) -> Result<Vec<Command>, CommandsFailure> {
        let query = self.client.query().table_name(&self.table).index_name("open").consistent_read(true);
        let query = query
            .key_condition_expression("thing = :thing")
            .expression_attribute_values(":thing", items::text(thing.as_str()));
        let (mut commands, mut start) = (vec![], None);
        loop {
            let answer = query.clone().set_exclusive_start_key(start).send().await;
            let answer = answer.map_err(|error| CommandsFailure::NotListed(Box::new(error)))?;
            for item in answer.items() {
                commands.push(items::command_of(item)?);
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(commands);
            }
        }
    }

    /// How many commands of a thing are open; who ordered just now may be missing.
    pub(crate) async fn count_open(&self, thing: &ThingName) -> Result<usize, CommandsFailure> {
        let query = self.client.query().table_name(&self.table).index_name("open").select(Select::Count);
        let query = query
            .key_condition_expression("thing = :thing")
            .expression_attribute_values(":thing", items::text(thing.as_str()));
        let (mut count, mut start) = (0, None);
        loop {
            let answer = query.clone().set_exclusive_start_key(start).send().await;
            let answer = answer.map_err(|error| CommandsFailure::NotListed(Box::new(error)))?;
            count += usize::try_from(answer.count()).unwrap_or_default();
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    /// At most `limit` commands of a thing that are older than `before`, the newest first.
    pub(crate) async fn slice(
        &self,
        thing: &ThingName,
        before: Option<&CommandId>,
        limit: u16,
    ) -> Result<Slice, CommandsFailure> {
        let query = self.client.query().table_name(&self.table).consistent_read(true).scan_index_forward(false);
        let query = query
            .key_condition_expression("thing = :thing AND begins_with(#item, :command)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":thing", items::text(thing.as_str()))
            .expression_attribute_values(":command", items::text(COMMAND))
            .limit(i32::from(limit))
            .set_exclusive_start_key(before.map(|id| items::command_key(thing, id)));
        let answer = query.send().await.map_err(|error| CommandsFailure::NotListed(Box::new(error)))?;
        let commands = answer.items().iter().map(items::command_of).collect::<Result<Vec<_>, _>>()?;
        let more = answer.last_evaluated_key().is_some_and(|key| !key.is_empty());
        let last = commands.last().filter(|_| more).map(|command| command.id.clone());
        Ok(Slice { commands, last })
    }

    /// At most `limit` of the open commands in a shard whose time was over at `ended`.
    pub(crate) async fn due(
        &self,
        shard: u8,
        ended: Timestamp,
        limit: i32,
    ) -> Result<Vec<(ThingName, CommandId)>, CommandsFailure> {
        let query = self.client.query().table_name(&self.table).index_name("expiry").limit(limit);
        let query = query
            .key_condition_expression("#shard = :shard AND expiresAt <= :ended")
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":shard", items::text(items::shard(shard)))
            .expression_attribute_values(":ended", AttributeValue::N(ended.as_millis().to_string()));
        let answer = query.send().await.map_err(|error| CommandsFailure::NotListed(Box::new(error)))?;
        let due = |item: &Item| {
            let id = items::text_in(item, "item")?.strip_prefix(COMMAND).unwrap_or_default();
            let id = CommandId::parse(id).map_err(|_| CommandsFailure::BadRow { attribute: "item" })?;
            Ok((items::thing_in(item, "thing")?, id))
        };
        answer.items().iter().map(due).collect()
    }

    /// A write that replaces nothing.
    pub(crate) fn put_new(&self, item: Item) -> Result<TransactWriteItem, CommandsFailure> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression(NEW).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// A write that replaces whatever stands there.
    pub(crate) fn put(&self, item: Item) -> Result<TransactWriteItem, CommandsFailure> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    pub(crate) async fn transact(&self, all: Vec<TransactWriteItem>) -> Result<Saved, CommandsFailure> {
        let guard = all.iter().position(|item| item.condition_check.is_some());
        match self.client.transact_write_items().set_transact_items(Some(all)).send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    saved(cancelled.cancellation_reasons(), guard)
                }
                _ => Err(CommandsFailure::NotTransacted(Box::new(error))),
            },
        }
    }
}

/// What a cancelled transaction's reasons mean; the one at `guard` is the condition on the owner's time.
/// Source: DynamoDB API reference, `TransactWriteItems`, "Cancellation reason codes".
fn saved(reasons: &[CancellationReason], guard: Option<usize>) -> Result<Saved, CommandsFailure> {
    let (mut lost, mut ended) = (false, false);
    for (at, reason) in reasons.iter().enumerate() {
        match reason.code().unwrap_or("None") {
            "None" => {}
            "ConditionalCheckFailed" if Some(at) == guard => ended = true,
            "ConditionalCheckFailed" | "TransactionConflict" => lost = true,
            other => return Err(CommandsFailure::Cancelled { reason: other.to_owned() }),
        }
    }
    match (lost, ended) {
        (true, _) => Ok(Saved::Lost),
        (false, true) => Ok(Saved::Ended),
        (false, false) => Err(CommandsFailure::Cancelled { reason: "no reason".to_owned() }),
    }
}

/// Lets the faster ones pass: up to 20 ms after the first try, twice that after each further one, at most 640 ms.
///
/// The share of it is random, so that two that met do not meet again; nothing else depends on it.
pub(crate) async fn wait_after(tries: u32) -> Result<u32, CommandsFailure> {
    let tries = tries + 1;
    if tries == MOST_TRIES {
        return Err(CommandsFailure::Contended { tries });
    }
    let random = RandomState::new().build_hasher().finish();
    tokio::time::sleep(Duration::from_millis(random % (10 << tries.min(6)))).await;
    Ok(tries)
}
