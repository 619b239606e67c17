use axum::Json;
use axum::extract::State;
use loam_access::Controller;
use loam_http::{Body, Call, Caller, NoParams, Page, PageParams, Params, Problem, Scope, Segments};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::answers::{Access, View};
use super::{Api, no_grant};
use crate::grant::{Share, Who, share};
use crate::ids::TransferId;
use crate::order::{Direction, Sha256Hex};
use crate::transfer::{Intent, Transfer, Why};

/// The transfer of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct TransferPath {
    /// Its id.
    #[param(pattern = "^[0-9a-f]{32}$", min_length = 32, max_length = 32)]
    id: String,
}

/// What a person read.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    /// Of an upload: the SHA-256 of what was opened; it is compared.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    sha256: Option<String>,
    /// Its length in bytes.
    size: Option<u64>,
}

/// The transfers of a thing in its owner's present time, newest first, each until 30 days after its `endsAt`.
#[utoipa::path(get, path = "/v1/things/{thing}/files", tag = "files", params(loam_http::ThingPath, PageParams),
    responses((status = 200, description = "The transfers.", body = Page<View>), Problem))]
pub(super) async fn list(
    State(api): State<Api>,
    Controller(grant): Controller,
    Params(page): Params<PageParams>,
    scope: Scope,
    Call { now, .. }: Call,
) -> Result<Json<Page<View>>, Problem> {
    let after: Option<TransferId> = api.cursors.read(&scope, page.cursor.as_deref()).await?;
    let limit = i32::from(page.limit.get());
    let (found, more) = api.worker.store.list(grant.thing(), after.as_ref(), limit).await?;
    let cursor = match found.last().filter(|_| more) {
        Some(last) => Some(api.cursors.write(&scope, &last.id).await?),
        None => None,
    };
    let own = found.iter().filter(|transfer| transfer.epoch == grant.record.epoch);
    Ok(Json(Page { items: own.map(|transfer| View::of(transfer, now)).collect(), cursor }))
}

/// One transfer.
#[utoipa::path(get, path = "/v1/files/{id}", tag = "files", params(TransferPath),
    responses((status = 200, description = "The transfer.", body = View), Problem))]
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Segments(path): Segments<TransferPath>,
    Params(NoParams {}): Params<NoParams>,
    Call { now, .. }: Call,
) -> Result<Json<View>, Problem> {
    let (transfer, _) = api.transfer(&caller, &path.id).await?;
    Ok(Json(View::of(&transfer, now)))
}

/// Fresh URLs, and the key of an upload that is ready.
#[utoipa::path(post, path = "/v1/files/{id}/refresh", tag = "files", params(TransferPath),
    responses((status = 200, description = "The transfer, and what is to be had of it.", body = Access), Problem))]
pub(super) async fn refresh(
    State(api): State<Api>,
    caller: Caller,
    Segments(path): Segments<TransferPath>,
    Params(NoParams {}): Params<NoParams>,
    Call { now, .. }: Call,
) -> Result<Json<Access>, Problem> {
    let (transfer, standing) = api.transfer(&caller, &path.id).await?;
    match share(&transfer, Who::Person, standing.record.epoch, now) {
        Ok(Share::Source | Share::Parts(_) | Share::File(..)) => Ok(Json(api.answer(&transfer, now).await?)),
        Err(why) => Err(no_grant(why)),
    }
}

/// A download: the file is there and is to be sealed. An upload: it was read and may be erased.
#[utoipa::path(post, path = "/v1/files/{id}/complete", tag = "files", params(TransferPath), request_body = Read,
    responses((status = 200, description = "The transfer.", body = View), Problem))]
pub(super) async fn complete(
    State(api): State<Api>,
    caller: Caller,
    Segments(path): Segments<TransferPath>,
    Params(NoParams {}): Params<NoParams>,
    Call { now, .. }: Call,
    Body(read): Body<Read>,
) -> Result<Json<View>, Problem> {
    let (transfer, _) = api.transfer(&caller, &path.id).await?;
    let intent = match transfer.order.direction {
        Direction::Download => api.pin(&transfer).await?,
        Direction::Upload => {
            let sha256 = read.sha256.as_deref().map(Sha256Hex::parse).transpose();
            let sha256 = sha256.map_err(|bad| Problem::bad_request(bad.code(), bad.to_string()))?;
            Intent::Receive { sha256, bytes: read.size }
        }
    };
    api.apply(&transfer, &intent, now).await
}

/// Ends a transfer, whatever its state; its keys and objects go.
#[utoipa::path(delete, path = "/v1/files/{id}", tag = "files", params(TransferPath),
    responses((status = 200, description = "The transfer, cancelled.", body = View), Problem))]
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    Segments(path): Segments<TransferPath>,
    Params(NoParams {}): Params<NoParams>,
    Call { now, .. }: Call,
) -> Result<Json<View>, Problem> {
    let (transfer, _) = api.transfer(&caller, &path.id).await?;
    api.apply(&transfer, &Intent::Cancel, now).await
}

impl Api {
    /// Which version of the source is sealed: the newest one now, or the one that was pinned before.
    async fn pin(&self, transfer: &Transfer) -> Result<Intent, Problem> {
        if let Some(source) = &transfer.source {
            return Ok(Intent::Pin { version: source.version.clone(), bytes: transfer.order.size });
        }
        let found = self.worker.objects.source(&transfer.id).await?;
        let found = found.ok_or_else(|| {
            Problem::conflict(
                "source-missing",
                "the file has not come: PUT it to the URL that `refresh` gives, then again",
            )
        })?;
        Ok(Intent::Pin { version: found.version, bytes: found.bytes })
    }

    /// Writes what somebody wants, and asks for the work that follows from it.
    async fn apply(
        &self,
        transfer: &Transfer,
        intent: &Intent,
        now: loam_domain::Timestamp,
    ) -> Result<Json<View>, Problem> {
        let applied = self.worker.store.apply(&transfer.thing, &transfer.id, intent, now).await?;
        let applied = applied.ok_or_else(super::no_such_transfer)?;
        if let Err(why) = applied.outcome {
            return Err(refused(why));
        }
        self.queue.work(&transfer.thing, &transfer.id).await?;
        Ok(Json(View::of(&applied.transfer, now)))
    }
}

fn refused(why: Why) -> Problem {
    let detail = match why {
        Why::Over => "the transfer is over; create another one",
        Why::NotReady => "the file is not there yet: look at its state",
        Why::SizeDiffers => {
            "the file has another length than was ordered: PUT the right one, or create another transfer"
        }
        Why::NotOver
        | Why::OtherDirection
        | Why::OtherSource
        | Why::TooLarge
        | Why::NoDigest
        | Why::OtherAttempt
        | Why::OutOfOrder => "the transfer does not stand so that this can be done: look at its state",
    };
    Problem::conflict(why.as_str(), detail)
}
