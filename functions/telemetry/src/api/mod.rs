//! The HTTP routes.

mod answers;
mod query;
mod routes;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::extract::FromRef;
use loam_access::Access;
use loam_http::Cursors;
use loam_things::Things;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{ApiConfig, Reader};

/// What the routes need; made once an environment.
#[derive(Debug, Clone)]
pub struct Api {
    access: Access,
    reader: Reader,
    cursors: Arc<Cursors>,
}

impl Api {
    /// The routes' clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ApiConfig) -> Self {
        let things = Things::new(sdk, config.things_table);
        Self {
            access: Access::new(sdk, config.memberships_table, things),
            reader: Reader::new(sdk, config.table),
            cursors: Arc::new(Cursors::new(sdk, config.http_table)),
        }
    }
}

impl FromRef<Api> for Access {
    fn from_ref(api: &Api) -> Self {
        api.access.clone()
    }
}

/// All routes, for the binary and for openapi.json.
#[must_use]
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(routes::latest)).routes(routes!(routes::series))
}

/// What openapi.json says of the routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}
