//! The operators' routes: profiles, their lists, the dry run, revocation.

mod entries;
mod evaluate;
mod profiles;
mod revoke;

use std::sync::Arc;

use aws_config::SdkConfig;
use loam_http::Cursors;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiConfig;
use crate::connections::Connections;
use crate::facts::Facts;
use crate::ledger::Ledger;
use crate::rechecks::Rechecks;

/// What the routes need; made once in an environment's life.
#[derive(Debug, Clone)]
pub struct Api {
    facts: Facts,
    ledger: Ledger,
    connections: Connections,
    rechecks: Rechecks,
    cursors: Arc<Cursors>,
}

impl Api {
    /// The routes' clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ApiConfig) -> Self {
        Self {
            facts: Facts::new(sdk, config.profiles_table, config.things_table, config.invoke_prefix),
            ledger: Ledger::new(sdk, config.certificates_table),
            connections: Connections::new(sdk),
            rechecks: Rechecks::new(sdk, config.queue_url),
            cursors: Arc::new(Cursors::new(sdk, config.http_table)),
        }
    }
}

/// All routes.
#[must_use]
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(profiles::list))
        .routes(routes!(profiles::get, profiles::put, profiles::delete))
        .routes(routes!(entries::list))
        .routes(routes!(entries::put, entries::delete))
        .routes(routes!(evaluate::evaluate))
        .routes(routes!(revoke::revoke))
}

/// What the routes are, for `openapi.json`.
#[must_use]
pub fn openapi() -> OpenApi {
    routes().into_openapi()
}
