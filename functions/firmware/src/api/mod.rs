//! The HTTP routes: for operators only.

mod actions;
mod answers;
mod create;
mod groups;
mod order;
mod releases;
mod rollouts;
mod things;
mod told;
mod upgrades;

use std::sync::Arc;

use aws_config::SdkConfig;
use loam_http::{Cursors, Idempotency, Problem};
use loam_releases::names::Id;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiConfig;
use crate::aws::releases::Releases;
use crate::aws::rollouts::Rollouts;
use crate::aws::signing::Signing;
use crate::queue::Queue;
use crate::release::Release;
use crate::rollout::Rollout;
use crate::way_back::WayBack;
use groups::Groups;

/// What the routes need; made once an environment.
#[derive(Debug, Clone)]
pub struct Api {
    releases: Releases,
    rollouts: Rollouts,
    signing: Signing,
    way_back: WayBack,
    groups: Groups,
    queue: Queue,
    cursors: Arc<Cursors>,
    idempotency: Arc<Idempotency>,
    four_eyes: bool,
}

impl Api {
    /// The routes' clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ApiConfig) -> Self {
        Self {
            releases: Releases::new(sdk, config.firmware_table.clone()),
            rollouts: Rollouts::new(sdk, config.firmware_table.clone()),
            way_back: WayBack::new(sdk, &config.firmware_table),
            signing: Signing::new(sdk, config.firmware_key, config.firmware_table),
            groups: Groups::new(sdk, config.groups_table),
            queue: Queue::new(sdk, config.queue_url),
            cursors: Arc::new(Cursors::new(sdk, config.http_table.clone())),
            idempotency: Arc::new(Idempotency::new(sdk, config.http_table)),
            four_eyes: config.four_eyes,
        }
    }

    async fn release(&self, id: &Id) -> Result<Release, Problem> {
        let none = || Problem::not_found("no-such-release", "there is no such release; GET /v1/releases lists all");
        self.releases.get(id).await?.ok_or_else(none)
    }

    async fn rollout(&self, id: &Id) -> Result<Rollout, Problem> {
        let none = || Problem::not_found("no-such-rollout", "there is no such rollout; GET /v1/rollouts lists all");
        self.rollouts.get(id).await?.ok_or_else(none)
    }
}

/// All routes, for the binary and for openapi.json.
#[must_use]
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(releases::list))
        .routes(routes!(releases::publish))
        .routes(routes!(releases::deprecate))
        .routes(routes!(rollouts::list, create::create))
        .routes(routes!(rollouts::show))
        .routes(routes!(things::list))
        .routes(routes!(actions::approve))
        .routes(routes!(actions::start))
        .routes(routes!(actions::pause))
        .routes(routes!(actions::resume))
        .routes(routes!(actions::stop))
        .routes(routes!(actions::retry))
        .routes(routes!(actions::rollback))
}

/// What openapi.json says of the routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}
