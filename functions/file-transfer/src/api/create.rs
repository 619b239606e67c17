use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use loam_access::{Controller, Standing};
use loam_http::{Call, Creation, NoParams, Params, Problem, ThingPath};
use loam_sealed_keys::random;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::answers::Access;
use crate::FileFailure;
use crate::aws::store::Created;
use crate::ids::TransferId;
use crate::order::{Asked, Direction, Order};
use crate::transfer::Transfer;

/// A file that is to be transferred.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewTransfer {
    /// `download`: to the device; `upload`: from it.
    #[schema(value_type = String, pattern = "^(download|upload)$")]
    direction: Direction,
    /// What it is called.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// Its length in bytes; a download must have it, of an upload it is the most that is taken. At most 5 GiB.
    #[schema(maximum = 5_368_709_120_u64)]
    size: Option<u64>,
    /// Its SHA-256 in hexadecimal digits: what is sealed is compared with it.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    sha256: Option<String>,
    /// How long it lives, in seconds: a minute to a week, a day if nothing is said.
    #[schema(minimum = 60, maximum = 604_800)]
    ttl_seconds: Option<u64>,
    /// How the device comes to the key: `grant`, if nothing is said: its grant brings it; `kms`: it asks KMS itself, with
    /// credentials of AWS IoT's credential provider, and no key travels to it.
    #[schema(pattern = "^(grant|kms)$")]
    key: Option<String>,
}

/// Begins a transfer. A download's answer says where to put the file; an upload's device is asked for it.
#[utoipa::path(post, path = "/v1/things/{thing}/files", tag = "files", params(ThingPath,
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255,
            pattern = "^[ -~]+$", description = "The same key and request: the same answer, for 24 hours.")),
    request_body = NewTransfer,
    responses((status = 201, description = "The transfer.", body = Access), Problem))]
pub(super) async fn create(
    State(api): State<Api>,
    call: Call,
    Controller(grant): Controller,
    Params(NoParams {}): Params<NoParams>,
    creation: Creation<NewTransfer>,
) -> Result<Response, Problem> {
    let Creation { body, repeat } = creation;
    let NewTransfer { direction, name, size, sha256, ttl_seconds, key } = body;
    let order = Order::check(direction, Asked { name, size, sha256, ttl_seconds, key });
    let order = order.map_err(|bad| Problem::bad_request(bad.code(), bad.to_string()))?;
    let by = match &grant.standing {
        Standing::Operator | Standing::Member(_) => Some(grant.caller.sub.clone()),
    };
    let id = match &repeat {
        Some(repeat) => TransferId::of_request(call.now, &repeat.mark()).map_err(|_| FileFailure::Format)?,
        None => TransferId::new(call.now, random()?),
    };
    let transfer = Transfer::created(id, grant.thing().clone(), grant.record.epoch, by, order, call.now);
    let work = api.put(transfer, &call);
    api.idempotency.once(&call, repeat.as_ref(), Box::pin(work)).await
}

impl Api {
    async fn put(&self, transfer: Transfer, call: &Call) -> Result<(StatusCode, Json<Access>), Problem> {
        let transfer = match self.worker.store.create(&transfer, call.now).await? {
            Created::Yes => transfer,
            Created::Already(known) => *known,
            Created::Full => {
                let detail = crate::slots::Full.to_string();
                return Err(Problem::conflict("too-many-transfers", detail));
            }
            Created::Ended => return Err(Problem::no_such_thing()),
        };
        if transfer.order.direction == Direction::Upload {
            self.queue.work(&transfer.thing, &transfer.id).await?;
        }
        // No key: this answer is kept for its repeats.
        Ok((StatusCode::CREATED, Json(self.without_key(&transfer, call.now).await?)))
    }
}
