//! The codes that are printed on devices.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use loam_domain::pairing::claim_code::ClaimCode;
use loam_http::{Body, Call, NoParams, Operator, Params, Problem, ThingPath};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::begin::code_in;
use crate::chance::random;
use crate::code_hash::{CodeHash, SALT_BYTES};
use crate::store::PrintedCode;

/// What is printed on a device.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct CodeOrder {
    /// The code; without it one is made.
    #[serde(default)]
    #[schema(max_length = 64)]
    claim_code: Option<String>,
}

/// A new code, for the label.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CodeMade {
    /// Shown here and nowhere else: what is kept is its hash.
    claim_code: String,
}

/// Says which code is printed on a device, in place of any other; before the device has ever connected, too.
#[utoipa::path(put, path = "/v1/things/{thing}/claim-code", request_body = CodeOrder, params(ThingPath),
    responses((status = 201, description = "A code was made.", body = CodeMade),
        (status = 204, description = "The given code counts."), Problem))]
pub(super) async fn put(
    State(api): State<Api>,
    Operator(caller): Operator,
    call: Call,
    ThingPath(thing): ThingPath,
    Params(NoParams {}): Params<NoParams>,
    Body(body): Body<CodeOrder>,
) -> Result<Response, Problem> {
    let given = body.claim_code.as_deref().map(code_in).transpose()?;
    let code = match given {
        Some(code) => code,
        None => ClaimCode::from_random(random()?),
    };
    let hash = CodeHash::new(&thing, &code, random::<SALT_BYTES>()?);
    let printed = PrintedCode { hash, set_at: call.now, by: caller.sub };
    api.store.put_printed_code(&thing, &printed).await?;
    // Looked at after the write: whoever erases the thing's rows has either seen this one, or is seen here.
    if api.store.things().get(&thing).await?.is_some_and(|record| record.is_retiring()) {
        api.store.delete_printed_code(&thing).await?;
        return Err(Problem::conflict("thing-retires", "the thing is retired, or on its way there; nobody can own it"));
    }
    match given {
        Some(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        None => Ok((StatusCode::CREATED, Json(CodeMade { claim_code: code.spelled() })).into_response()),
    }
}

/// The device has no printed code any more: only its window lets anybody pair it.
#[utoipa::path(delete, path = "/v1/things/{thing}/claim-code", params(ThingPath),
    responses((status = 204, description = "No printed code counts."), Problem))]
pub(super) async fn delete(
    State(api): State<Api>,
    Operator(_): Operator,
    ThingPath(thing): ThingPath,
    Params(NoParams {}): Params<NoParams>,
) -> Result<StatusCode, Problem> {
    api.store.delete_printed_code(&thing).await?;
    Ok(StatusCode::NO_CONTENT)
}
