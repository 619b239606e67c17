use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use loam_http::{ETag, Problem};
use loam_releases::version::Version;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::answers::RolloutView;
use super::order::{IdPath, Order, Seen};
use super::told;
use crate::aws::table::{Written, wait_after};
use crate::queue::Work;
use crate::rollout::{Action, Refusal, act};
use crate::way_back::{Ended, NoWay, Ways};

/// A rollout with its new `ETag`.
type Acted = Result<(ETag, Json<RolloutView>), Problem>;

/// Says that a rollout may be started. Who created it may not, unless the stack was told that they may.
#[utoipa::path(post, path = "/v1/rollouts/{id}/approve", tag = "firmware", params(IdPath, Seen),
    responses((status = 200, description = "The rollout.", body = RolloutView, headers(("ETag" = String))), Seen, Problem))]
pub(super) async fn approve(State(api): State<Api>, order: Order) -> Acted {
    api.act(Action::Approve, &order).await
}

/// Starts an approved rollout: its first wave opens. From then on it has its way over those of older versions, and over those of
/// its own that were started before.
#[utoipa::path(post, path = "/v1/rollouts/{id}/start", tag = "firmware", params(IdPath, Seen),
    responses((status = 200, description = "The rollout.", body = RolloutView, headers(("ETag" = String))), Seen, Problem))]
pub(super) async fn start(State(api): State<Api>, order: Order) -> Acted {
    api.act(Action::Start, &order).await
}

/// Asks no more things; what was asked goes on.
#[utoipa::path(post, path = "/v1/rollouts/{id}/pause", tag = "firmware", params(IdPath, Seen),
    responses((status = 200, description = "The rollout.", body = RolloutView, headers(("ETag" = String))), Seen, Problem))]
pub(super) async fn pause(State(api): State<Api>, order: Order) -> Acted {
    api.act(Action::Pause, &order).await
}

/// Goes on. A wave that missed its gate passes all the same.
#[utoipa::path(post, path = "/v1/rollouts/{id}/resume", tag = "firmware", params(IdPath, Seen),
    responses((status = 200, description = "The rollout.", body = RolloutView, headers(("ETag" = String))), Seen, Problem))]
pub(super) async fn resume(State(api): State<Api>, order: Order) -> Acted {
    api.act(Action::Resume, &order).await
}

/// Ends a rollout: it takes out every thing that does not install yet.
#[utoipa::path(post, path = "/v1/rollouts/{id}/stop", tag = "firmware", params(IdPath, Seen),
    responses((status = 200, description = "The rollout.", body = RolloutView, headers(("ETag" = String))), Seen, Problem))]
pub(super) async fn stop(State(api): State<Api>, order: Order) -> Acted {
    api.act(Action::Stop, &order).await
}

/// Tries again what failed, refused or timed out, in all waves that are open; and what was too old, as it may have gone
/// through the version between meanwhile.
#[utoipa::path(post, path = "/v1/rollouts/{id}/retry", tag = "firmware", params(IdPath, Seen),
    responses((status = 200, description = "The rollout.", body = RolloutView, headers(("ETag" = String))), Seen, Problem))]
pub(super) async fn retry(State(api): State<Api>, order: Order) -> Acted {
    api.act(Action::Retry, &order).await
}

/// The rollouts that lead back.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WaysBack {
    /// Their ids: one for each release that was left.
    rollouts: Vec<String>,
    /// The versions that things left and to which none of these leads: those things stay where they are.
    left_out: Vec<LeftOut>,
}

/// A version to which nothing leads back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeftOut {
    /// The version that things left.
    version: String,
    /// `no-release`: none of it was published here; `security-counter`: its release has a lower one than what they run.
    reason: &'static str,
}

/// Leads the things of a rollout that is over back to what ran before: by a rollout for each release that they left, approved
/// by who asks for it, which starts by itself. Asked for again they are the same as long as they go on; after one that is over
/// comes another one, for what is left. None leads below the release's security counter, as no device goes there.
#[utoipa::path(post, path = "/v1/rollouts/{id}/rollback", tag = "firmware", params(IdPath, Seen),
    responses((status = 202, description = "The rollouts that lead back.", body = WaysBack), Seen, Problem))]
pub(super) async fn rollback(State(api): State<Api>, order: Order) -> Result<(StatusCode, Json<WaysBack>), Problem> {
    let before = api.rollout(&order.id).await?;
    order.check(before.version)?;
    act(&before, Action::RollBack, &order.by, api.four_eyes, before.version, order.now).map_err(refused)?;
    let ways = Box::pin(api.way_back.order(&before, &order.by, Ended::GoesAnew, order.now)).await?;
    if ways.ids.is_empty() {
        return Err(no_way(&ways));
    }
    for id in &ways.ids {
        api.queue.send(&Work::Rollout(id.clone())).await?;
    }
    Ok((StatusCode::ACCEPTED, Json(ways.into())))
}

impl From<Ways> for WaysBack {
    fn from(Ways { ids, left_out }: Ways) -> Self {
        let view = |(version, why): (Version, NoWay)| LeftOut { version: version.to_string(), reason: why.as_str() };
        Self {
            rollouts: ids.iter().map(ToString::to_string).collect(),
            left_out: left_out.into_iter().map(view).collect(),
        }
    }
}

/// Why nothing leads back.
fn no_way(ways: &Ways) -> Problem {
    if ways.left_out.iter().any(|(_, why)| *why == NoWay::SecurityCounter) {
        let detail = "its security counter is higher than that of what its things ran before, and no device goes below its \
            own: publish the old firmware as a newer version with this counter, and roll that out";
        return Problem::conflict(NoWay::SecurityCounter.as_str(), detail);
    }
    let detail = "none of its things runs its version and left one that was published here";
    Problem::conflict("nothing-to-roll-back", detail)
}

impl Api {
    /// Who says `If-Match: *` means whatever is there: while a rollout asks, its conductor writes it once for 25 things.
    async fn act(&self, action: Action, order: &Order) -> Acted {
        let mut tries = 0;
        let after = loop {
            let before = self.rollout(&order.id).await?;
            order.check(before.version)?;
            let after = act(&before, action, &order.by, self.four_eyes, before.version, order.now).map_err(refused)?;
            let event = told::of_action(&before, &after, action, &order.by, order.now);
            if self.rollouts.replace(&after, event.as_ref()).await? == Written::Yes {
                break after;
            }
            tries = wait_after(tries).await?;
        };
        // What was written is done, whether or not the conductor hears of it at once: the schedule looks each minute.
        self.queue.send(&Work::Rollout(after.id.clone())).await?;
        Ok((ETag::of(after.version), Json(after.into())))
    }
}

fn refused(why: Refusal) -> Problem {
    let detail = match why {
        Refusal::Stale => return Problem::stale(),
        Refusal::OwnRollout => {
            return Problem::forbidden(why.as_str(), "somebody else than who created the rollout must approve it");
        }
        Refusal::Filling => "its targets are being written down: look again in a moment",
        Refusal::NotApproved => "it must be approved before it is started",
        Refusal::NotRunning => "it does not run",
        Refusal::NotPaused => "it is not paused",
        Refusal::Over => "it is over: create another one",
        Refusal::NotOver => "it must be stopped, or come to its end, before its things are led back",
        Refusal::Started => "it was started before",
    };
    Problem::conflict(why.as_str(), detail)
}
