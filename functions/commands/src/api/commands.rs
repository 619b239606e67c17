//! A thing's commands: to order one, and to list them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use loam_access::{Controller, Grant};
use loam_domain::Timestamp;
use loam_http::{Call, Creation, Limit, Mistake, NoParams, Page, Params, Problem, Scope, ThingPath};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::views::CommandView;
use crate::command;
use crate::command::Command;
use crate::command_id::CommandId;
use crate::order::{BadOrder, Order};
use crate::place::{MOST_OPEN, Placed, Wanted};

/// What is ordered.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OrderBody {
    /// What is to be done, in the device's words: 1 to 64 of `[A-Za-z0-9:._-]`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9:._-]+$")]
    pub(super) name: String,
    /// With what: any JSON, at most 65,536 bytes as written; the device gets these bytes.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(super) payload: Option<Box<RawValue>>,
    /// How long it is worth doing: 15 s to 604,800 s (seven days), an hour without it.
    #[serde(default)]
    #[schema(minimum = 15, maximum = 604_800)]
    pub(super) ttl_seconds: Option<u64>,
    /// How often it may be sent without the device's acknowledgement: 1 to 10, 5 without it.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10)]
    pub(super) max_deliveries: Option<u32>,
}

/// An order that is queued.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ordered {
    /// The command's id.
    id: String,
    /// For which thing.
    thing: String,
    /// Where it stands.
    #[schema(value_type = String)]
    state: &'static str,
    /// Until then it is sent when the device is connected, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    expires_at: Timestamp,
}

/// What a list of commands is asked for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// Only commands in this state.
    #[serde(default)]
    #[param(value_type = Option<String>, pattern = "^(queued|delivered|accepted|succeeded|failed|rejected|expired|cancelled)$")]
    state: Option<StateWord>,
    /// How many commands a page holds at most; with `state` it may hold fewer, also none, though more follow.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// What the page before gave; absent for the first page.
    cursor: Option<String>,
}

/// A state by its word.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct StateWord(command::State);

impl TryFrom<String> for StateWord {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let state = command::State::ALL.into_iter().find(|state| state.as_str() == word);
        let words = command::State::ALL.map(command::State::as_str).join(", ");
        state.map(Self).ok_or_else(|| format!("expected one of {words}"))
    }
}

impl OrderBody {
    /// The order, within its bounds.
    pub(super) fn order(&self) -> Result<Order, Problem> {
        let payload = self.payload.as_deref().unwrap_or(RawValue::NULL);
        Order::new(&self.name, payload, self.ttl_seconds, self.max_deliveries).map_err(wrong)
    }
}

fn wrong(bad: BadOrder) -> Problem {
    let pointer = match bad {
        BadOrder::Name => "/name",
        BadOrder::Ttl => "/ttlSeconds",
        BadOrder::Deliveries => "/maxDeliveries",
        BadOrder::TooLarge { .. } => "/payload",
    };
    let status = StatusCode::from_u16(bad.status()).unwrap_or(StatusCode::BAD_REQUEST);
    Problem::new(status, bad.code(), bad.to_string()).with_mistakes([Mistake::at(pointer, bad.to_string())])
}

/// Orders something of a thing. It is queued, and sent when the device is connected: at once, if it is. That it is queued
/// says nothing of whether the device does it; `GET /v1/commands/{id}` does.
#[utoipa::path(post, path = "/v1/things/{thing}/commands", params(ThingPath,
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            pattern = "^[ -~]+$", description = "The same key and request: the same answer, for 24 hours.")),
    request_body = OrderBody,
    responses((status = 202, description = "It is queued.", body = Ordered), Problem))]
pub(super) async fn order(
    State(api): State<Api>,
    call: Call,
    Controller(grant): Controller,
    Params(NoParams {}): Params<NoParams>,
    creation: Creation<OrderBody>,
) -> Result<Response, Problem> {
    let (body, repeat) = (creation.body, creation.repeat);
    let order = body.order()?;
    let mark = repeat.as_ref().map(loam_http::Repeat::mark);
    let work = async {
        let (record, by) = (&grant.record, grant.caller.sub.as_str());
        let wanted = Wanted { record, by, order, at: call.now, mark: mark.as_deref() };
        match api.orders.place(wanted).await? {
            Placed::Yes(command) => Ok((StatusCode::ACCEPTED, Json(ordered(*command, call.now)))),
            Placed::TooMany => Err(too_many()),
            Placed::Ended => Err(ended(&grant)),
        }
    };
    api.idempotency.once(&call, repeat.as_ref(), Box::pin(work)).await
}

fn ordered(command: Command, now: Timestamp) -> Ordered {
    let (state, expires_at) = (command.state(now).as_str(), command.expires_at);
    Ordered { id: command.id.to_string(), thing: command.thing.to_string(), state, expires_at }
}

fn too_many() -> Problem {
    let detail = format!("the thing has {MOST_OPEN} open commands; wait for some to end, or cancel them");
    Problem::conflict("too-many-commands", detail)
}

/// Who had the right to know of the thing until just now hears what everybody hears.
fn ended(grant: &Grant) -> Problem {
    if grant.role().is_some() && !grant.record.is_retiring() {
        return Problem::no_such_thing();
    }
    Problem::conflict("thing-retires", "the thing is being retired; it takes no commands any more")
}

/// A thing's commands, the newest first: those of the present owner's time, for 30 days after their end.
#[utoipa::path(get, path = "/v1/things/{thing}/commands", params(ThingPath, ListParams),
    responses((status = 200, description = "A page of them.", body = Page<CommandView>), Problem))]
pub(super) async fn list(
    State(api): State<Api>,
    call: Call,
    Controller(grant): Controller,
    Params(params): Params<ListParams>,
    scope: Scope,
) -> Result<Json<Page<CommandView>>, Problem> {
    let before: Option<CommandId> = api.cursors.read(&scope, params.cursor.as_deref()).await?;
    let slice = api.store.slice(grant.thing(), before.as_ref(), params.limit.get()).await?;
    let wanted = |command: &Command| {
        is_theirs(&grant, command) && params.state.as_ref().is_none_or(|state| command.state(call.now) == state.0)
    };
    let commands = slice.commands.into_iter().filter(wanted);
    let items = commands.map(|command| CommandView::brief(command, call.now)).collect();
    let cursor = match slice.last {
        Some(last) => Some(api.cursors.write(&scope, &last).await?),
        None => None,
    };
    Ok(Json(Page { items, cursor }))
}

/// Whether a command is the caller's to see: what is older belongs to an earlier owner.
pub(super) fn is_theirs(grant: &Grant, command: &Command) -> bool {
    let since = grant.since();
    since.is_none_or(|since| command.epoch == grant.record.epoch && since <= command.issued_at)
}
