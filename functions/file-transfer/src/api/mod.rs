//! The HTTP routes.

mod answers;
mod create;
mod transfers;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::extract::FromRef;
use loam_access::{Access, Grant as Standing, Role};
use loam_domain::Timestamp;
use loam_http::{Caller, Cursors, Idempotency, Problem};
use loam_things::Things;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiConfig;
use crate::grant::{NoGrant, Share, URL_SECONDS, Who, share, url_seconds};
use crate::ids::TransferId;
use crate::queue::Queue;
use crate::transfer::Transfer;
use crate::worker::Worker;
use answers::{Access as Answer, SourceUrl, View};

/// What the routes need; made once an environment.
#[derive(Debug, Clone)]
pub struct Api {
    access: Access,
    worker: Worker,
    queue: Queue,
    cursors: Arc<Cursors>,
    idempotency: Arc<Idempotency>,
}

impl Api {
    /// The routes' clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ApiConfig) -> Self {
        let things = Things::new(sdk, config.places.things_table.clone());
        Self {
            access: Access::new(sdk, config.memberships_table, things.clone()),
            worker: Worker::new(sdk, &config.places, things),
            queue: Queue::new(sdk, config.places.queue_url),
            cursors: Arc::new(Cursors::new(sdk, config.http_table.clone())),
            idempotency: Arc::new(Idempotency::new(sdk, config.http_table)),
        }
    }

    /// The transfer of a path, for who controls its thing in the transfer's own time; all others get one and the same 404.
    async fn transfer(&self, caller: &Caller, id: &str) -> Result<(Transfer, Standing), Problem> {
        let id = TransferId::parse(id).map_err(|_| no_such_transfer())?;
        let thing = self.worker.store.thing_of(&id).await?.ok_or_else(no_such_transfer)?;
        let standing = self.access.of(caller, &thing).await?.ok_or_else(no_such_transfer)?.require(Role::Controller)?;
        let transfer = self.worker.store.get(&thing, &id).await?;
        let transfer = transfer.filter(|transfer| transfer.epoch == standing.record.epoch);
        Ok((transfer.ok_or_else(no_such_transfer)?, standing))
    }

    /// What a person may have of a transfer now.
    async fn answer(&self, transfer: &Transfer, now: Timestamp) -> Result<Answer, Problem> {
        let mut answer = self.without_key(transfer, now).await?;
        if let Ok(Share::File(attempt, sha256)) = share(transfer, Who::Person, transfer.epoch, now) {
            answer.grant = self.worker.grant_file(transfer, attempt, sha256, Who::Person, now).await?;
        }
        Ok(answer)
    }

    /// The same but for what opens the file.
    async fn without_key(&self, transfer: &Transfer, now: Timestamp) -> Result<Answer, Problem> {
        let source = match share(transfer, Who::Person, transfer.epoch, now) {
            Ok(Share::Source) => self.source(transfer, now).await?,
            Ok(Share::File(..) | Share::Parts(_)) | Err(_) => None,
        };
        Ok(Answer { transfer: View::of(transfer, now), source, grant: None })
    }

    async fn source(&self, transfer: &Transfer, now: Timestamp) -> Result<Option<SourceUrl>, Problem> {
        let Some(seconds) = url_seconds(transfer, now) else { return Ok(None) };
        let url = self.worker.objects.url_of_source(&transfer.id, transfer.order.size, seconds).await?;
        let expires_at = now.plus_millis(i64::try_from(seconds.min(URL_SECONDS)).unwrap_or_default() * 1_000);
        Ok(Some(SourceUrl { method: "PUT", url, bytes: transfer.order.size, expires_at }))
    }
}

impl FromRef<Api> for Access {
    fn from_ref(api: &Api) -> Self {
        api.access.clone()
    }
}

fn no_such_transfer() -> Problem {
    Problem::not_found("no-such-transfer", "there is no such transfer, or it is none of a thing that you control")
}

fn no_grant(why: NoGrant) -> Problem {
    match why {
        NoGrant::OtherEpoch => no_such_transfer(),
        NoGrant::Over | NoGrant::NotYet | NoGrant::NotTheirs => {
            Problem::conflict(why.code(), "nothing is to be had of it now; its state says what it waits for")
        }
    }
}

/// All routes, for the binary and for openapi.json.
#[must_use]
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(create::create, transfers::list))
        .routes(routes!(transfers::show, transfers::cancel))
        .routes(routes!(transfers::refresh))
        .routes(routes!(transfers::complete))
}

/// What openapi.json says of the routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}
