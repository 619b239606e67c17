//! The end of an owner's time.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use loam_domain::ThingName;
use loam_http::{Call, Caller, NoParams, Params, Problem, ThingPath};
use serde::Serialize;
use utoipa::ToSchema;

use super::refusals::refused;
use super::settle::Settled;
use super::{Api, person};
use crate::tenancy::{Actor, Intent, Standing, Tenancy, Why};

/// A thing between two owners.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Ending {
    /// Its name.
    thing: String,
    /// `erasing`: all access has ended, and what people left is being erased.
    #[schema(pattern = "^erasing$")]
    state: &'static str,
    /// The epoch that follows.
    epoch: u64,
}

/// Gives a thing up: everybody's access ends in this very request, and then all that people left of it is erased. Its owner may,
/// whoever is promised it, and an operator; done again, it is done.
#[utoipa::path(delete, path = "/v1/things/{thing}/pairing", params(ThingPath),
    responses((status = 202, description = "Nobody has access any more; the erasure goes on.", body = Ending),
        (status = 204, description = "Nothing of the former owner is left."), Problem))]
pub(super) async fn unpair(
    State(api): State<Api>,
    caller: Caller,
    call: Call,
    ThingPath(thing): ThingPath,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Response, Problem> {
    let by = if caller.is_operator() { Actor::Operator } else { Actor::User(person(&caller)?) };
    match api.settle(&thing, &Intent::Unpair { by }, &[], call.now).await? {
        Settled::Done(tenancy) => {
            metrics::counter!("Unpaired").increment(1);
            Ok(ending(&thing, &tenancy))
        }
        Settled::Already(tenancy) => Ok(ending(&thing, &tenancy)),
        Settled::Refused(why) => Err(refused(why)),
    }
}

/// What is answered of a thing whose owner's time has ended.
pub(super) fn ending(thing: &ThingName, tenancy: &Tenancy) -> Response {
    match &tenancy.standing {
        Standing::Erasing { .. } => {
            let ending = Ending { thing: thing.to_string(), state: "erasing", epoch: tenancy.epoch };
            (StatusCode::ACCEPTED, Json(ending)).into_response()
        }
        Standing::Vacant | Standing::Paired => StatusCode::NO_CONTENT.into_response(),
        Standing::Gone => refused(Why::Gone).into_response(),
    }
}
