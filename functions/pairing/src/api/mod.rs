//! The HTTP routes.

mod attempts;
mod begin;
mod claims;
mod codes;
mod confirm;
mod invitations;
mod mail;
mod members;
mod refusals;
mod settle;
mod transfers;
mod unpair;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::extract::FromRef;
use loam_access::{Access, MOST_MEMBERSHIPS};
use loam_domain::{ThingName, UserId};
use loam_http::{Caller, Idempotency, Problem, Repeat};
use loam_things::Things;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::chance::random;
use crate::credentials::{self, Issuer};
use crate::mailbox::Mailboxes;
use crate::registry::Registry;
use crate::store::{Store, Tables};
use crate::token::ShareId;
use crate::{ApiConfig, PairingFailure};

/// What the routes need.
#[derive(Debug, Clone)]
pub struct Api {
    access: Access,
    store: Store,
    registry: Registry,
    mailboxes: Mailboxes,
    idempotency: Arc<Idempotency>,
    issuer: Issuer,
}

impl Api {
    /// The routes' clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ApiConfig) -> Self {
        let ApiConfig { pairings_table, memberships_table, things_table, http_table, alerts_topic, credentials } =
            config;
        let things = Things::new(sdk, things_table.clone());
        let tables = Tables { pairings: pairings_table, memberships: memberships_table.clone(), things: things_table };
        Self {
            access: Access::new(sdk, memberships_table, things),
            store: Store::new(sdk, tables),
            registry: Registry::new(sdk),
            mailboxes: Mailboxes::new(sdk, alerts_topic),
            idempotency: Arc::new(Idempotency::new(sdk, http_table)),
            issuer: Issuer::new(sdk, credentials),
        }
    }

    /// Refuses who has as many things as count, and would get one more.
    async fn has_place(&self, user: &UserId, thing: &ThingName) -> Result<(), Problem> {
        let things = self.access.things_of(user.as_str()).await?;
        let known = things.iter().any(|membership| membership.thing == *thing);
        if known || things.len() < usize::from(MOST_MEMBERSHIPS) {
            return Ok(());
        }
        let detail = format!("you have {MOST_MEMBERSHIPS} things, and nobody has more; give one of them up first");
        Err(Problem::conflict("too-many-things", detail))
    }
}

impl FromRef<Api> for Issuer {
    fn from_ref(api: &Api) -> Self {
        api.issuer.clone()
    }
}

impl FromRef<Api> for Access {
    fn from_ref(api: &Api) -> Self {
        api.access.clone()
    }
}

/// The person who calls. Every `sub` of a user pool is an id.
fn person(caller: &Caller) -> Result<UserId, Problem> {
    let detail = "the token's `sub` is no person's id; sign in to the user pool of this stack";
    UserId::parse(&caller.sub).map_err(|_| Problem::forbidden("no-person", detail))
}

/// The id of what a request creates: the same for a repeat of the request, and random for one without `Idempotency-Key`.
fn id_for(repeat: Option<&Repeat>) -> Result<ShareId, PairingFailure> {
    let Some(repeat) = repeat else { return Ok(ShareId::from_random(random()?)) };
    let mark = repeat.mark();
    let digits = mark.get(..32).and_then(|digits| u128::from_str_radix(digits, 16).ok());
    Ok(ShareId::from_random(digits.unwrap_or_default().to_be_bytes()))
}

/// All routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(begin::begin, claims::list))
        .routes(routes!(confirm::confirm))
        .routes(routes!(unpair::unpair))
        .routes(routes!(invitations::invite))
        .routes(routes!(invitations::accept))
        .routes(routes!(invitations::revoke))
        .routes(routes!(members::list))
        .routes(routes!(members::remove))
        .routes(routes!(transfers::offer))
        .routes(routes!(transfers::accept))
        .routes(routes!(transfers::withdraw))
        .routes(routes!(codes::put, codes::delete))
        .routes(routes!(mail::put))
        .merge(credentials::routes())
}

/// Their description.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}
