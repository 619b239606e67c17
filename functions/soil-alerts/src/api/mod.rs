//! The HTTP routes: rules, what is remembered of a thing, and what people do about it.

mod alerts;
mod episodes;
mod groups;
mod ruled;
mod rules;
mod views;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::extract::FromRef;
use loam_access::Access;
use loam_http::Cursors;
use loam_things::Things;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiConfig;
use crate::smart::{NearestRules, RuleStore, StateStore};
use groups::Groups;

/// What the routes need; made once an environment.
#[derive(Debug, Clone)]
pub struct Api {
    access: Access,
    rules: RuleStore,
    nearest: NearestRules,
    states: StateStore,
    groups: Groups,
    cursors: Arc<Cursors>,
    threshold: f64,
}

impl Api {
    /// The routes' clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ApiConfig) -> Self {
        let tables = aws_sdk_dynamodb::Client::new(sdk);
        let things = Things::new(sdk, config.things_table);
        Self {
            access: Access::new(sdk, config.memberships_table, things),
            rules: RuleStore::new(tables.clone(), config.rules_table.clone()),
            nearest: NearestRules::new(tables.clone(), config.rules_table, config.twins_table),
            states: StateStore::new(tables.clone(), config.states_table),
            groups: Groups::new(tables, config.groups_table),
            cursors: Arc::new(Cursors::new(sdk, config.http_table)),
            threshold: config.threshold,
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
    OpenApiRouter::new()
        .routes(routes!(rules::list))
        .routes(routes!(rules::get, rules::put, rules::delete))
        .routes(routes!(alerts::alerts))
        .routes(routes!(episodes::acknowledge_episode))
        .routes(routes!(episodes::snooze_thing))
}

/// What openapi.json says of the routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}
