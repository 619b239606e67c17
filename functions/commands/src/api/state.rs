//! What is desired of a thing, and what it reports.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use loam_access::{Controller, Viewer};
use loam_domain::{ThingName, Timestamp};
use loam_http::{Body, Call, ETag, IfMatch, Mistake, NoParams, Params, Problem, ThingPath};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use crate::desire::Desired;
use crate::desired::{BadPatch, Patch, unreported};
use crate::error::CommandsFailure;
use crate::wait::{Answer, Look, MOST_WAIT_SECONDS, Shadow, Watch};

/// What is kept of a request's time for answering, in milliseconds.
const MARGIN_MILLIS: i64 = 1_500;

/// A thing's state.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ThingState)]
pub(super) struct StateView {
    /// The thing's name.
    thing: String,
    /// The shadow's version; 0: nobody wrote one yet.
    version: u64,
    /// What is desired.
    #[schema(value_type = Object)]
    desired: Value,
    /// What the device reports.
    #[schema(value_type = Object)]
    reported: Value,
    /// Whether the device reports all that is desired.
    converged: bool,
    /// What it does not report, as JSON pointers, 20 at most.
    differences: Vec<String>,
}

/// What is to be desired.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StateChange {
    /// Merged into what is desired; `null` takes a property away. At most 8,192 bytes and eight levels.
    #[schema(value_type = Object)]
    desired: Map<String, Value>,
}

/// What came of a change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changed {
    /// `converged`: the device reports it; `pending`: not yet, and it hears of it when it connects.
    #[schema(value_type = String)]
    result: &'static str,
    /// The shadow's version: the one that says so, or that of the change.
    version: u64,
    /// What the device does not report, as JSON pointers, 20 at most.
    differences: Vec<String>,
}

/// How long a caller waits.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct WaitParams {
    /// For how many seconds to wait until the device reports what is desired.
    #[serde(default)]
    #[param(value_type = u64, minimum = 0, maximum = 25, default = 0)]
    wait_seconds: Wait,
}

/// 0 to 25 seconds.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "u64")]
struct Wait(i64);

impl TryFrom<u64> for Wait {
    type Error = String;

    fn try_from(seconds: u64) -> Result<Self, String> {
        let fits = seconds <= MOST_WAIT_SECONDS;
        let millis = i64::try_from(seconds.saturating_mul(1_000)).ok().filter(|_| fits);
        millis.map(Self).ok_or_else(|| format!("expected a whole number from 0 to {MOST_WAIT_SECONDS}"))
    }
}

/// What is desired of a thing, and what it reports. The `ETag` is the shadow's version.
#[utoipa::path(get, path = "/v1/things/{thing}/state", params(ThingPath),
    responses((status = 200, description = "The state.", body = StateView, headers(("ETag" = String))), Problem))]
pub(super) async fn show(
    State(api): State<Api>,
    Viewer(grant): Viewer,
    Params(NoParams {}): Params<NoParams>,
) -> Result<(ETag, Json<StateView>), Problem> {
    let Shadow { version, desired, reported } = api.shadows.get(grant.thing()).await?;
    let differences = desired.as_object().map_or_else(Vec::new, |desired| unreported(desired, &reported));
    let or_empty = |value: Value| if value.is_object() { value } else { Value::Object(Map::new()) };
    let state = StateView {
        thing: grant.thing().to_string(),
        version,
        desired: or_empty(desired),
        reported: or_empty(reported),
        converged: differences.is_empty(),
        differences,
    };
    Ok((ETag::of(version), Json(state)))
}

/// Desires something of a thing, and waits until the device reports it, if asked to. Only the device's own report makes
/// `converged`. 409 `version-conflict`: the state is not the one of `If-Match` any more; 409 `superseded`: somebody desired
/// otherwise during the wait.
#[utoipa::path(patch, path = "/v1/things/{thing}/state", params(ThingPath, WaitParams, IfMatch), request_body = StateChange,
    responses((status = 200, description = "The device reports it.", body = Changed),
        (status = 202, description = "It is desired; the device does not report it yet.", body = Changed), Problem))]
pub(super) async fn change(
    State(api): State<Api>,
    Controller(grant): Controller,
    Params(WaitParams { wait_seconds }): Params<WaitParams>,
    if_match: IfMatch,
    call: Call,
    Body(StateChange { desired }): Body<StateChange>,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let patch = Patch::new(desired).map_err(|bad| wrong(&bad))?;
    if grant.record.is_retiring() {
        let detail = "the thing is being retired; nothing can be desired of it any more";
        return Err(Problem::conflict("thing-retires", detail));
    }
    let seen = api.seen(grant.thing(), &if_match).await?;
    let version = match api.shadows.change(grant.thing(), &patch, seen).await? {
        Desired::Yes { version } => version,
        Desired::Conflict { version } => return Err(conflict(version)),
        Desired::TooLarge => return Err(wrong(&BadPatch::TooLarge { bytes: 0 })),
        Desired::Refused => {
            return Err(Problem::bad_request("desired-state-refused", "AWS IoT takes no such state; use plain JSON"));
        }
    };
    let until = call.now.plus_millis(wait_seconds.0).min(call.deadline.plus_millis(-MARGIN_MILLIS));
    let watch = Watch { patch, version, until };
    let answer = api.watch(grant.thing(), &watch, call.now, began).await?;
    told(answer, version)
}

impl Api {
    /// The version that the caller demands; a header that demands several is met by the present one, if it is among them.
    async fn seen(&self, thing: &ThingName, if_match: &IfMatch) -> Result<Option<u64>, Problem> {
        if *if_match == IfMatch::Absent {
            return Ok(None);
        }
        let version = self.shadows.get(thing).await?.version;
        let present = (*if_match != IfMatch::Any || version > 0).then_some(version);
        if_match.check(present).map_err(|_| conflict(version))?;
        Ok(Some(version))
    }

    /// Looks until there is an answer.
    async fn watch(
        &self,
        thing: &ThingName,
        watch: &Watch,
        began_at: Timestamp,
        began: Instant,
    ) -> Result<Answer, CommandsFailure> {
        let mut looks = 0;
        loop {
            let shadow = self.shadows.get(thing).await?;
            let passed = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
            match watch.look(&shadow, looks, began_at.plus_millis(passed)) {
                Look::Answer(answer) => return Ok(answer),
                Look::Again { after_millis } => tokio::time::sleep(Duration::from_millis(after_millis)).await,
            }
            looks += 1;
        }
    }
}

fn told(answer: Answer, version: u64) -> Result<Response, Problem> {
    let (status, changed) = match answer {
        Answer::Converged { version } => {
            (StatusCode::OK, Changed { result: "converged", version, differences: vec![] })
        }
        Answer::Pending { places } => {
            (StatusCode::ACCEPTED, Changed { result: "pending", version, differences: places })
        }
        Answer::Superseded { places } => {
            let mistakes = places.into_iter().map(|place| Mistake::at(format!("/desired{place}"), "desired otherwise"));
            let detail = "somebody desired otherwise meanwhile; the device will not do this any more";
            return Err(Problem::conflict("superseded", detail).with_mistakes(mistakes));
        }
    };
    Ok((status, Json(changed)).into_response())
}

fn conflict(version: u64) -> Problem {
    let detail = format!("the state is of version {version} by now; read it again and send its ETag");
    Problem::conflict("version-conflict", detail)
}

fn wrong(bad: &BadPatch) -> Problem {
    let status = match bad {
        BadPatch::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BadPatch::Empty | BadPatch::TooDeep | BadPatch::Reserved { .. } => StatusCode::BAD_REQUEST,
    };
    let detail = match bad {
        BadPatch::TooLarge { bytes: 0 } => "the thing's state would be larger than a shadow may be".to_owned(),
        BadPatch::TooLarge { .. } | BadPatch::Empty | BadPatch::TooDeep | BadPatch::Reserved { .. } => bad.to_string(),
    };
    Problem::new(status, bad.code(), detail)
}
