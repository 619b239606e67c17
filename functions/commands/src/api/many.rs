//! One order for many things.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::StreamExt as _;
use loam_domain::{ThingName, Timestamp};
use loam_http::{Call, Caller, Creation, Mistake, NoParams, PageParams, Params, Problem, Scope, Segments};
use loam_query::Filter;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Api;
use super::commands::OrderBody;
use super::one::{CommandPath, no_such_command};
use crate::command_id::CommandId;
use crate::error::CommandsFailure;
use crate::event::Message;
use crate::many::{Given, Many, Recipient};
use crate::place::random;

/// How many commands are read at once.
const AT_ONCE: usize = 16;

/// What is ordered, and of which things.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ManyBody {
    /// Of all things of which this is true, for example `tags.room = 'kitchen'`. The language: shared/query/README.md.
    filter: String,
    /// What is to be done, as for one thing.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9:._-]+$")]
    name: String,
    /// With what, as for one thing.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    payload: Option<Box<RawValue>>,
    /// How long it is worth doing, as for one thing.
    #[serde(default)]
    #[schema(minimum = 15, maximum = 604_800)]
    ttl_seconds: Option<u64>,
    /// How often it may be sent, as for one thing.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10)]
    max_deliveries: Option<u32>,
}

/// An order for many things that is being spread.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManyOrdered {
    /// The order's id.
    id: String,
    /// Until then its commands are worth doing, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    expires_at: Timestamp,
}

/// Who got a command of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recipients {
    /// Whether every thing has its part by now; until then more may come, also before the cursor.
    complete: bool,
    /// Things, by name.
    items: Vec<RecipientView>,
    /// What to send as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    cursor: Option<String>,
}

/// What an order became for one thing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Recipient)]
struct RecipientView {
    /// Its name.
    thing: String,
    /// Its command.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    id: Option<String>,
    /// Where that stands; absent if it is not remembered, or not for the caller any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    state: Option<&'static str>,
    /// Why it got none: `too-many-commands`, `thing-retires`, `role-too-low`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    refused: Option<String>,
}

/// Orders something of many things at once: for operators of the fleet, for everybody else of those of their things that they
/// control. The filter is asked while the order is spread, some moments later; each thing gets a command of its own.
#[utoipa::path(post, path = "/v1/commands", params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            pattern = "^[ -~]+$", description = "The same key and request: the same answer, for 24 hours.")),
    request_body = ManyBody,
    responses((status = 202, description = "It is being spread.", body = ManyOrdered), Problem))]
pub(super) async fn order_many(
    State(api): State<Api>,
    call: Call,
    caller: Caller,
    Params(NoParams {}): Params<NoParams>,
    creation: Creation<ManyBody>,
) -> Result<Response, Problem> {
    let (body, repeat) = (creation.body, creation.repeat);
    let many = body.many(&caller, call.now)?;
    let mark = repeat.as_ref().map(loam_http::Repeat::mark);
    let work = async {
        let expires_at = many.order.expires_at(call.now);
        let id = api.store.create_many(many, mark.as_deref()).await?;
        let message = Message::spread(&id, None).map_err(CommandsFailure::from)?;
        api.queue.send(message, 0).await?;
        Ok((StatusCode::ACCEPTED, Json(ManyOrdered { id: id.to_string(), expires_at })))
    };
    api.idempotency.once(&call, repeat.as_ref(), Box::pin(work)).await
}

impl ManyBody {
    fn many(self, caller: &Caller, now: Timestamp) -> Result<Many, Problem> {
        let Self { filter, name, payload, ttl_seconds, max_deliveries } = self;
        if let Err(error) = Filter::parse(&filter) {
            let said = format!("at byte {}: expected {}", error.position, error.expected);
            let mistake = Mistake {
                position: Some(error.position),
                found: Some(error.found.clone()),
                expected: Some(error.expected),
                hint: Some(error.hint),
                example: Some(error.example),
                ..Mistake::at("/filter", said)
            };
            let detail = format!("the filter cannot be read {error}");
            return Err(Problem::bad_request(error.code.as_str(), detail).with_mistakes([mistake]));
        }
        let order = OrderBody { name, payload, ttl_seconds, max_deliveries }.order()?;
        let id = CommandId::new(now, random()?);
        let (by, operator) = (caller.sub.clone(), caller.is_operator());
        Ok(Many { id, by, operator, filter, order, issued_at: now, done: false })
    }
}

/// Which things an order reached, and where their commands stand; for who ordered, and for operators.
#[utoipa::path(get, path = "/v1/commands/{id}/recipients", params(CommandPath, PageParams),
    responses((status = 200, description = "A page of them.", body = Recipients), Problem))]
pub(super) async fn recipients(
    State(api): State<Api>,
    call: Call,
    caller: Caller,
    Segments(path): Segments<CommandPath>,
    Params(params): Params<PageParams>,
    scope: Scope,
) -> Result<Json<Recipients>, Problem> {
    let id = CommandId::parse(&path.id).map_err(|_| no_such_command())?;
    let many = api.store.many(&id).await?.filter(|many| caller.is_operator() || many.by == caller.sub);
    let many = many.ok_or_else(no_such_command)?;
    let after: Option<ThingName> = api.cursors.read(&scope, params.cursor.as_deref()).await?;
    let (found, more) = api.store.recipients(&id, after.as_ref(), params.limit.get()).await?;
    let cursor = match found.last().filter(|_| more) {
        Some(last) => Some(api.cursors.write(&scope, &last.thing).await?),
        None => None,
    };
    let items = api.views(&caller, found, call.now).await?;
    Ok(Json(Recipients { complete: many.done, items, cursor }))
}

impl Api {
    /// What the caller may see of recipients: where a command stands only while they may still know of its thing.
    async fn views(
        &self,
        caller: &Caller,
        found: Vec<Recipient>,
        now: Timestamp,
    ) -> Result<Vec<RecipientView>, CommandsFailure> {
        let own = if caller.is_operator() { None } else { Some(self.epochs(&caller.sub).await?) };
        let each = found.into_iter().map(|recipient| self.view(recipient, own.as_ref(), now));
        let views = futures_util::stream::iter(each).buffered(AT_ONCE).collect::<Vec<_>>().await;
        views.into_iter().collect()
    }

    async fn epochs(&self, user: &str) -> Result<BTreeMap<ThingName, u64>, CommandsFailure> {
        let memberships = self.access.things_of(user).await?;
        Ok(memberships.into_iter().map(|membership| (membership.thing, membership.epoch)).collect())
    }

    async fn view(
        &self,
        Recipient { thing, outcome }: Recipient,
        own: Option<&BTreeMap<ThingName, u64>>,
        now: Timestamp,
    ) -> Result<RecipientView, CommandsFailure> {
        let (id, refused) = match outcome {
            Given::Command(id) => (Some(id), None),
            Given::Refused(code) => (None, Some(code)),
        };
        let command = match &id {
            Some(id) => self.store.command(&thing, id).await?,
            None => None,
        };
        let command = command.filter(|command| own.is_none_or(|own| own.get(&thing) == Some(&command.epoch)));
        let state = command.map(|command| command.state(now).as_str());
        Ok(RecipientView { thing: thing.to_string(), id: id.map(|id| id.to_string()), state, refused })
    }
}
