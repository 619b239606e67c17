use axum::Json;
use axum::extract::State;
use loam_domain::Timestamp;
use loam_http::{ETag, NoParams, Operator, Page, PageParams, Params, Problem, Scope, Segments};
use loam_releases::names::Id;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answers::{RolloutProgress, RolloutView};
use super::order::IdPath;
use crate::aws::rollouts::Spot;

/// A place in the list, as a cursor holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Place {
    over: bool,
    after: Option<(Timestamp, Id)>,
}

/// Rollouts: first those that are not over, then the others; of each the newest first.
#[utoipa::path(get, path = "/v1/rollouts", tag = "firmware", params(PageParams),
    responses((status = 200, description = "The rollouts.", body = Page<RolloutView>), Problem))]
pub(super) async fn list(
    State(api): State<Api>,
    Operator(_): Operator,
    Params(page): Params<PageParams>,
    scope: Scope,
) -> Result<Json<Page<RolloutView>>, Problem> {
    let begin: Option<Place> = api.cursors.read(&scope, page.cursor.as_deref()).await?;
    let mut spot = Some(begin.map_or(Spot { over: false, after: None }, |Place { over, after }| Spot { over, after }));
    let (limit, mut items) = (usize::from(page.limit.get()), vec![]);
    while let Some(from) = spot.take_if(|_| items.len() < limit) {
        let left = i32::try_from(limit - items.len()).unwrap_or(i32::MAX);
        let found = api.rollouts.page(&from, left).await?;
        items.extend(found.rollouts.into_iter().map(RolloutView::from));
        spot = found.last;
    }
    let cursor = match spot {
        Some(Spot { over, after }) => Some(api.cursors.write(&scope, &Place { over, after }).await?),
        None => None,
    };
    Ok(Json(Page { items, cursor }))
}

/// One rollout: where it stands, and how many things of each wave stand where.
#[utoipa::path(get, path = "/v1/rollouts/{id}", tag = "firmware", params(IdPath),
    responses((status = 200, description = "The rollout.", body = RolloutProgress, headers(("ETag" = String))), Problem))]
pub(super) async fn show(
    State(api): State<Api>,
    Operator(_): Operator,
    Segments(path): Segments<IdPath>,
    Params(NoParams {}): Params<NoParams>,
) -> Result<(ETag, Json<RolloutProgress>), Problem> {
    let rollout = api.rollout(&path.parse()?).await?;
    let tallies = api.rollouts.tallies(&rollout).await?;
    Ok((ETag::of(rollout.version), Json(RolloutProgress::of(rollout, &tallies))))
}
