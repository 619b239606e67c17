use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use loam_access::{Access, Role};
use loam_domain::Timestamp;
use loam_http::{Call, Caller, Creation, Idempotency, NoParams, Params, Problem, Repeat, Segments};
use loam_things::Things;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes as of;

use crate::deadline::budget;
use crate::handler::{Called, Invoker, Request};
use crate::problem::{answer_of, problem};
use crate::published::{self, Parameters, Told};
use crate::{Config, Outcome, Prefix, Target};

/// What the routes need; made once an environment.
#[derive(Debug, Clone)]
pub struct Api {
    /// Calls devices.
    pub invoker: Arc<Invoker>,
    /// Who may call which.
    pub access: Access,
    /// Keeps answers to requests with an Idempotency-Key.
    pub idempotency: Idempotency,
    /// First level of the topics of answers.
    pub prefix: Prefix,
    /// The status of a timeout on `GET /invoke`.
    pub timeout_status: StatusCode,
}

impl Api {
    /// What both routes need, from the function's configuration.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: &Config) -> Self {
        let things = Things::new(sdk, config.things_table.clone());
        let address = config.address.clone().dialled_at(sdk.endpoint_url());
        let dialled = Config { address, ..config.clone() };
        Self {
            invoker: Arc::new(Invoker::new(sdk, &dialled, now)),
            access: Access::new(sdk, config.memberships_table.clone(), things),
            idempotency: Idempotency::new(sdk, config.http_table.clone()),
            prefix: config.prefix.clone(),
            timeout_status: config.timeout_status,
        }
    }
}

/// The wall clock: unlike the one that only ever rises, it goes on while an environment is frozen.
fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the edge: a session's age is a matter of time that passes")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl FromRef<Api> for Access {
    fn from_ref(api: &Api) -> Self {
        api.access.clone()
    }
}

/// What the routes are, for openapi.json.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

/// Both routes, for the binary and for openapi.json.
#[must_use]
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(of!(invoke)).routes(of!(call_method))
}

/// The four query parameters, for openapi.json.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes what `Parameters` reads")]
struct Query {
    /// Method of the device: one level of a topic.
    method: String,
    /// Handed to the device as it is.
    request: String,
    /// Name of the thing.
    target: String,
    /// Seconds to wait; what is no whole number from 1 to 60 counts as 10. A call ends at 28, before the
    /// gateway's 30.
    timeout: String,
}

/// An answer of the published sample.
#[derive(Serialize, ToSchema)]
struct Published {
    /// `ok`, `timeout`, `internal_error` or `invalid_parameters`.
    result: String,
    /// Milliseconds, as a string.
    elapsed: Option<String>,
    /// What the device answered; `null` when it answered nothing.
    response: Option<serde_json::Value>,
}

/// Calls a device as the published AWS sample does: signed with SigV4, answered with its bodies.
#[utoipa::path(get, path = "/invoke", params(Query), responses(
    (status = 200, body = Published, description = "The device answered."),
    (status = 400, description = "A parameter is missing or empty."),
    (status = 500, body = Published, description = "Timeout, bad parameters, or a mistake of ours."),
    (status = 504, body = Published, description = "Timeout, where the stack is set up so.")))]
async fn invoke(State(api): State<Api>, call: Call, uri: Uri) -> Told {
    let started = Instant::now();
    let parameters = match Parameters::parse(uri.query()) {
        Ok(parameters) => parameters,
        Err(told) => return told,
    };
    let target = match Target::parse(&api.prefix, &parameters.target, &parameters.method) {
        Ok(target) => target,
        Err(why) => return published::invalid_parameters(&why.to_string()),
    };
    let budget = budget(parameters.timeout, call.now, call.deadline);
    let request = Request {
        target,
        request: parameters.request,
        id: None,
        budget,
        connect_budget: Duration::ZERO,
        response_budget: budget,
        ends_on_malformed: false,
    };
    let called = api.invoker.call(&request).await;
    note(&request.target, &called, started.elapsed());
    told(&api, &called.outcome, started.elapsed())
}

fn told(api: &Api, outcome: &Outcome, elapsed: Duration) -> Told {
    match outcome {
        Outcome::Answered(answer) => published::ok(answer, elapsed),
        Outcome::NotConnected | Outcome::NoDelivery | Outcome::NoAnswer => {
            published::timeout(api.timeout_status, elapsed)
        }
        Outcome::TooLarge => published::invalid_parameters("the request is too large: AWS IoT takes 128 KB"),
        Outcome::DevicePolicy | Outcome::Throttled | Outcome::Malformed | Outcome::Unavailable => {
            published::internal_error(elapsed)
        }
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        (self.status, [(CONTENT_TYPE, json)], self.body).into_response()
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct Path {
    /// Name of the thing in the registry, which is also its MQTT client id.
    thing: String,
    /// Method of the device: one level of a topic, without / + # $ * ?.
    method: String,
}

/// What a device is asked to do.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Invocation {
    /// JSON: the device gets its text as `request`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    payload: Option<Box<RawValue>>,
    /// Bytes in base64, instead of `payload`: the device gets this base64 as `request`.
    #[serde(default)]
    payload_base64: Option<String>,
    /// Seconds to wait for the answer of a device that is connected, 1 to 25.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 25)]
    response_timeout_in_seconds: u64,
    /// Seconds to wait for a device that is not connected, 0 to 25; both waits together end at 28 s.
    #[serde(default)]
    #[schema(maximum = 25)]
    connect_timeout_in_seconds: u64,
}

const fn ten() -> u64 {
    10
}

/// What a device answered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Answered {
    /// The method's own status: what the device said, 200 if it said none.
    status: u16,
    /// What the device answered; `null` when it answered nothing.
    #[schema(value_type = Option<Object>)]
    payload: Option<Box<RawValue>>,
    /// How long it took, in milliseconds.
    elapsed_ms: u64,
    /// The call's id in topics and payloads, and in the device's log.
    correlation_id: String,
}

/// Calls a method of a thing and waits for its answer.
#[utoipa::path(post, path = "/v1/things/{thing}/methods/{method}", params(Path,
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            pattern = "^[ -~]+$", description = "The same key and request: the same answer, for 24 hours.")),
    request_body = Invocation,
    responses((status = 200, body = Answered), Problem,
        (status = 429, body = Problem, content_type = "application/problem+json", description = "`throttled`, or more \
            requests than the stage takes: then the gateway's own answer, JSON with `message`."),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "`malformed_reply`: the \
            device answered something else; `device_policy`: it may not be called."),
        (status = 504, body = Problem, content_type = "application/problem+json", description = "`no_answer`, \
            `no_delivery`: the device did not answer, or did not acknowledge the request, in time.")))]
async fn call_method(
    State(api): State<Api>,
    call: Call,
    caller: Caller,
    Segments(path): Segments<Path>,
    Params(NoParams {}): Params<NoParams>,
    creation: Creation<Invocation>,
) -> Result<Response, Problem> {
    let started = Instant::now();
    let target = Target::parse(&api.prefix, &path.thing, &path.method).map_err(|why| problem(&why.into()))?;
    let (asked, repeat) = creation.into_parts();
    let request = Request { id: repeat.as_ref().map(id_of), ..wanted(&asked, target, &call)? };
    let granted = api.access.grant(&caller, request.target.thing(), Role::Controller).await;
    granted.map_err(crate::problem::access)?;
    let work = async {
        let called = api.invoker.call(&request).await;
        note(&request.target, &called, started.elapsed());
        answered(called, started.elapsed())
    };
    api.idempotency.once(&call, repeat.as_ref(), Box::pin(work)).await
}

/// The id of a call that may be repeated: a repeat that runs, as its first try came to nothing that is known, is the same
/// call to the device, which carries it out once.
fn id_of(repeat: &Repeat) -> String {
    let bits = repeat.mark().get(..32).and_then(|digits| u128::from_str_radix(digits, 16).ok()).unwrap_or_default();
    let id = uuid::Builder::from_u128(bits).with_variant(uuid::Variant::RFC4122).with_version(uuid::Version::Random);
    id.into_uuid().to_string()
}

fn wanted(asked: &Invocation, target: Target, call: &Call) -> Result<Request, Problem> {
    let seconds = crate::problem::seconds;
    let response_budget = seconds("/responseTimeoutInSeconds", asked.response_timeout_in_seconds, 1..=25)?;
    let connect_budget = seconds("/connectTimeoutInSeconds", asked.connect_timeout_in_seconds, 0..=25)?;
    let request = match (&asked.payload, &asked.payload_base64) {
        (Some(_), Some(_)) => return Err(crate::problem::two_payloads()),
        (Some(json), None) => json.get().to_owned(),
        (None, Some(text)) if BASE64_STANDARD.decode(text).is_ok() => text.clone(),
        (None, Some(_)) => return Err(crate::problem::no_base64()),
        (None, None) => "null".to_owned(),
    };
    let budget = budget(response_budget + connect_budget, call.now, call.deadline);
    Ok(Request { target, request, id: None, budget, connect_budget, response_budget, ends_on_malformed: true })
}

fn answered(called: Called, elapsed: Duration) -> Result<Json<Answered>, Problem> {
    let answer = answer_of(called.outcome).map_err(|why| problem(&why))?;
    Ok(Json(Answered {
        status: answer.status,
        payload: answer.response,
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        correlation_id: called.id,
    }))
}

/// One line a call. Never the request, the answer or the method's name, which a caller chooses.
fn note(target: &Target, called: &Called, elapsed: Duration) {
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let (id, outcome) = (called.id.as_str(), called.outcome.word());
    metrics::counter!("Calls").increment(1);
    tracing::info!(thing.name = target.thing().as_str(), call.id = id, outcome, duration_ms, "device called");
}
