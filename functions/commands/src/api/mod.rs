//! The HTTP routes.

mod commands;
mod many;
mod one;
mod state;
mod views;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::extract::FromRef;
use loam_access::Access;
use loam_http::{Cursors, Idempotency};
use loam_things::Things;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiConfig;
use crate::place::Orders;
use crate::queue::Queue;
use crate::shadows::Shadows;
use crate::store::Store;

/// What the routes need.
#[derive(Debug, Clone)]
pub struct Api {
    access: Access,
    store: Store,
    orders: Orders,
    shadows: Shadows,
    queue: Queue,
    cursors: Arc<Cursors>,
    idempotency: Idempotency,
}

impl Api {
    /// The routes' clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ApiConfig) -> Self {
        let things = Things::new(sdk, config.things_table);
        let store = Store::new(sdk, config.commands_table);
        Self {
            access: Access::new(sdk, config.memberships_table, things.clone()),
            orders: Orders::new(store.clone(), things),
            store,
            shadows: Shadows::new(sdk),
            queue: Queue::new(sdk, config.queue_url),
            cursors: Arc::new(Cursors::new(sdk, config.http_table.clone())),
            idempotency: Idempotency::new(sdk, config.http_table),
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
        .routes(routes!(state::show, state::change))
        .routes(routes!(commands::order, commands::list))
        .routes(routes!(many::order_many))
        .routes(routes!(one::show, one::cancel))
        .routes(routes!(many::recipients))
}

/// Their description.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}
