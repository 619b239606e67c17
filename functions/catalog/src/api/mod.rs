//! The HTTP routes.

mod answers;
mod groups;
mod listing;
mod query;
mod things;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::extract::FromRef;
use loam_access::Access;
use loam_http::Cursors;
use loam_things::Things;
use loam_things::twins::Twins;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiConfig;
use crate::store::Store;

/// What the routes need.
#[derive(Debug, Clone)]
pub struct Api {
    access: Access,
    twins: Twins,
    store: Store,
    cursors: Arc<Cursors>,
}

impl Api {
    /// The routes' clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ApiConfig) -> Self {
        let things = Things::new(sdk, config.things_table);
        Self {
            access: Access::new(sdk, config.memberships_table, things.clone()),
            twins: Twins::new(sdk, config.twins_table.clone()),
            store: Store::new(sdk, config.twins_table, config.groups_table, things),
            cursors: Arc::new(Cursors::new(sdk, config.http_table)),
        }
    }
}

impl FromRef<Api> for Access {
    fn from_ref(api: &Api) -> Self {
        api.access.clone()
    }
}

/// All routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(listing::list))
        .routes(routes!(things::show, things::change))
        .routes(routes!(groups::show, groups::put, groups::delete))
        .routes(routes!(groups::put_in, groups::take_out))
}

/// Their description.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}
