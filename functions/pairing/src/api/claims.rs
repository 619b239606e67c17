//! A person's own claims.

use axum::Json;
use axum::extract::State;
use loam_domain::Timestamp;
use loam_http::{Call, Caller, NoParams, Page, Params, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, person};
use crate::claim::{Claim, ClaimState};
use crate::token::ShareId;

/// The most claims that are shown.
const MOST_SHOWN: usize = 500;

/// A claim of the last day.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimView {
    /// Its id.
    id: String,
    /// Which thing.
    thing: String,
    /// `open`: its challenge can be answered. `confirmed`: the thing was paired by it. `burnt`: it was answered wrongly.
    /// `expired`: it is too late.
    #[schema(pattern = "^(open|confirmed|burnt|expired)$")]
    state: &'static str,
    /// Which owner's time it is for.
    epoch: u64,
    /// From then on it is too late, in milliseconds since 1970-01-01T00:00:00Z.
    expires_at: i64,
}

/// The caller's own claims of the last day, the newest first; at most 500.
#[utoipa::path(get, path = "/v1/pairings",
    responses((status = 200, description = "The claims.", body = Page<ClaimView>), Problem))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    call: Call,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Json<Page<ClaimView>>, Problem> {
    let mut claims = api.store.claims(&person(&caller)?, call.now).await?;
    claims.sort_by_key(|known| std::cmp::Reverse(known.claim.expires_at));
    let items = claims.iter().take(MOST_SHOWN).map(|known| shown(&known.id, &known.claim, call.now)).collect();
    Ok(Json(Page { items, cursor: None }))
}

fn shown(id: &ShareId, claim: &Claim, now: Timestamp) -> ClaimView {
    let state = match claim.state {
        ClaimState::Open if now >= claim.expires_at => "expired",
        ClaimState::Open => "open",
        ClaimState::Confirmed => "confirmed",
        ClaimState::Burnt => "burnt",
    };
    ClaimView {
        id: id.as_str().to_owned(),
        thing: claim.thing.to_string(),
        state,
        epoch: claim.epoch,
        expires_at: claim.expires_at.as_millis(),
    }
}
