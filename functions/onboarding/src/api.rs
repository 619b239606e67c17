//! The HTTP routes, for operators.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use loam_domain::{Event, Timestamp};
use loam_http::{
    Call, Cursors, ETag, IfMatch, NoParams, Operator, Page, PageParams, Params, Problem, Scope, ThingPath,
};
use loam_things::{HistoryPosition, Outcome, RetirementOrder, ThingRecord, Things, Why};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiConfig;
use crate::retire::CAPABILITIES;

/// What the routes need.
#[derive(Debug, Clone)]
pub struct Api {
    things: Things,
    cursors: Arc<Cursors>,
}

impl Api {
    /// The routes' clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ApiConfig) -> Self {
        Self { things: Things::new(sdk, config.things_table), cursors: Arc::new(Cursors::new(sdk, config.http_table)) }
    }
}

/// What Loam knows of a thing's life. Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThingLife {
    /// The thing's name.
    thing: String,
    /// `registered`, `active`, `onboarded`, `paired`, `suspended` or `retired`.
    state: &'static str,
    /// One more with each change; also the entity tag.
    version: u64,
    /// Which owner's time it is, from 1.
    epoch: u64,
    /// The CA certificate under which it was registered.
    ca_id: String,
    /// Every certificate that it ever had.
    certificates: Vec<CertificateLife>,
    /// Its type in the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    thing_type: Option<String>,
    /// Its static groups in the registry.
    groups: BTreeSet<String>,
    /// When its name was won.
    registered_at: i64,
    /// When AWS IoT took its newest description.
    #[serde(skip_serializing_if = "Option::is_none")]
    described_at: Option<i64>,
    /// What it can do, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<BTreeSet<String>>,
    /// What it said of its firmware: a text or an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    firmware: Option<Value>,
    /// Where it stood when it was suspended, and where it comes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    suspended_from: Option<&'static str>,
    /// Its retirement, from the moment that somebody asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    retirement: Option<RetirementLife>,
    /// The erasure of what former owners left, while it is under way: until it is over the thing takes no new owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    erasure: Option<ErasureLife>,
}

/// A certificate of a thing.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CertificateLife {
    /// AWS IoT's id of it.
    certificate_id: String,
    /// `pending`, `active`, `retiring` or `revoked`.
    status: &'static str,
    /// Since when.
    since: i64,
}

/// A thing's way out.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RetirementLife {
    /// When it was asked for.
    started_at: i64,
    /// Who asked: the person's id in the user pool.
    by: String,
    /// Which capabilities have not erased their own yet.
    awaiting: BTreeSet<String>,
}

/// The erasure of what former owners left.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ErasureLife {
    /// What belongs to this epoch or an earlier one goes.
    through: u64,
    /// When it began. Nothing counts as erased before 35 seconds passed.
    begun_at: i64,
    /// Which capabilities have not erased their own yet.
    awaiting: BTreeSet<String>,
}

/// A thing's life, and what happened in it, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
struct Lifecycle {
    /// As it is now.
    record: ThingLife,
    /// What happened.
    history: Page<LifeEvent>,
}

/// Something that happened to a thing.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
struct LifeEvent {
    /// Unique.
    id: String,
    /// What happened, for example `thing.onboarded`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When.
    at: i64,
    /// Which owner's time it was.
    epoch: u64,
    /// What belongs to this type.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
}

/// All routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(retire)).routes(routes!(lifecycle))
}

/// Their description.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

/// Retires a thing for ever: its certificates, its place in AWS IoT and all that Loam keeps of it are deleted. Neither its
/// name nor its certificates are ever registered again. It goes on in the background; `lifecycle` tells how far it is.
#[utoipa::path(delete, path = "/v1/things/{thing}", params(ThingPath, IfMatch),
    responses((status = 202, description = "It retires, or did already.", body = ThingLife, headers(("ETag" = String))), Problem))]
async fn retire(
    State(api): State<Api>,
    Operator(caller): Operator,
    ThingPath(thing): ThingPath,
    Params(NoParams {}): Params<NoParams>,
    if_match: IfMatch,
    call: Call,
) -> Result<(StatusCode, ETag, Json<ThingLife>), Problem> {
    let seen = api.things.get(&thing).await?.ok_or_else(Problem::no_such_thing)?;
    if_match.check(Some(seen.version))?;
    let order = RetirementOrder {
        by: caller.sub,
        awaiting: CAPABILITIES.map(str::to_owned).into(),
        expected_version: (if_match != IfMatch::Absent).then_some(seen.version),
    };
    let record = match api.things.begin_retirement(&thing, order, call.now).await? {
        Outcome::Done(record) | Outcome::Already(record) => record,
        Outcome::Refused(Why::Stale, _) => return Err(Problem::stale()),
        Outcome::Refused(_, record) => record,
        Outcome::Missing => return Err(Problem::no_such_thing()),
    };
    Ok((StatusCode::ACCEPTED, ETag::of(record.version), Json(ThingLife::of(&record))))
}

/// A thing's life: its record as it is, and its events, the newest first. A retired thing stays readable.
#[utoipa::path(get, path = "/v1/things/{thing}/lifecycle", params(ThingPath, PageParams),
    responses((status = 200, description = "The thing's life.", body = Lifecycle, headers(("ETag" = String))), Problem))]
async fn lifecycle(
    State(api): State<Api>,
    Operator(_): Operator,
    ThingPath(thing): ThingPath,
    Params(page): Params<PageParams>,
    scope: Scope,
) -> Result<(ETag, Json<Lifecycle>), Problem> {
    let place: Option<String> = api.cursors.read(&scope, page.cursor.as_deref()).await?;
    let place = place.as_deref().and_then(HistoryPosition::parse);
    let record = api.things.get(&thing).await?.ok_or_else(Problem::no_such_thing)?;
    let found = api.things.history(&thing, place.as_ref(), page.limit.get()).await?;
    let cursor = match &found.next {
        Some(next) => Some(api.cursors.write(&scope, &next.as_str()).await?),
        None => None,
    };
    let history = Page { items: found.events.into_iter().map(LifeEvent::of).collect(), cursor };
    Ok((ETag::of(record.version), Json(Lifecycle { record: ThingLife::of(&record), history })))
}

impl ThingLife {
    fn of(record: &ThingRecord) -> Self {
        let certificate =
            |(id, certificate): (&loam_domain::CertificateId, &loam_things::Certificate)| CertificateLife {
                certificate_id: id.to_string(),
                status: certificate.status.as_str(),
                since: certificate.since.as_millis(),
            };
        let retirement = |retirement: &loam_things::Retirement| RetirementLife {
            started_at: retirement.started_at.as_millis(),
            by: retirement.by.clone(),
            awaiting: retirement.awaiting.clone(),
        };
        let erasure = |erasure: &loam_things::EpochErasure| ErasureLife {
            through: erasure.through,
            begun_at: erasure.begun_at.as_millis(),
            awaiting: erasure.awaiting.clone(),
        };
        Self {
            thing: record.thing.to_string(),
            state: record.state.as_str(),
            version: record.version,
            epoch: record.epoch,
            ca_id: record.ca_id.to_string(),
            certificates: record.certificates.iter().map(certificate).collect(),
            thing_type: record.thing_type.clone(),
            groups: record.groups.clone(),
            registered_at: record.registered_at.as_millis(),
            described_at: record.described_at.map(Timestamp::as_millis),
            capabilities: record.capabilities.clone(),
            firmware: record.firmware.clone(),
            suspended_from: record.suspended_from.map(loam_things::LifeCycle::as_str),
            retirement: record.retirement.as_ref().map(retirement),
            erasure: record.erasure.as_ref().map(erasure),
        }
    }
}

impl LifeEvent {
    fn of(event: Event) -> Self {
        let Event { id, kind, at, epoch, data, .. } = event;
        Self { id, kind: kind.as_str(), at: at.as_millis(), epoch, data }
    }
}
