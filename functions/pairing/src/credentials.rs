//! Live access: a person's token becomes credentials for MQTT, good for their own mailbox and nothing else.

mod config;
mod error;
mod id_token;
mod vendor;

use std::time::Duration;

use aws_config::SdkConfig;
use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::header::{CACHE_CONTROL, HeaderName};
use loam_domain::Timestamp;
use loam_http::{Call, NoParams, Params, Problem};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::people::UserId;
use crate::relay::{IdentityId, LIVE_MILLIS, Mailbox};
use crate::store::{Saved, Store};

pub use config::CredentialsConfig;
pub use error::CredentialsFailure;
use id_token::IdToken;
use vendor::Vendor;

/// How often a mailbox is written while requests of the same person are faster; they wait up to 0.6 s in all.
const MOST_TRIES: u32 = 6;

/// What the route needs; made once an environment.
#[derive(Debug, Clone)]
pub struct Issuer {
    vendor: Vendor,
    store: Store,
    endpoint: String,
}

impl Issuer {
    /// The route's clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: CredentialsConfig) -> Self {
        let store = Store::of_mailboxes(sdk, config.pairings_table.clone());
        Self { endpoint: config.iot_endpoint.clone(), vendor: Vendor::new(sdk, config), store }
    }

    /// Remembers that `user` listens as `identity` from now on. Two requests of one person meet at the same rows.
    async fn open(&self, user: &UserId, identity: &IdentityId, now: Timestamp) -> Result<(), CredentialsFailure> {
        let mailbox = Mailbox { identity: identity.clone(), live_until: now.plus_millis(LIVE_MILLIS) };
        for tries in 0..MOST_TRIES {
            if self.store.put_mailbox(user, &mailbox).await? == Saved::Yes {
                return Ok(());
            }
            if self.store.user_of(identity, now).await?.is_some_and(|other| other != *user) {
                return Err(CredentialsFailure::AnothersIdentity);
            }
            tokio::time::sleep(Duration::from_millis(20_u64 << tries)).await;
        }
        Err(CredentialsFailure::Contended { tries: MOST_TRIES })
    }
}

/// Its route, for an api crate whose state holds a [`Issuer`].
#[must_use]
pub fn routes<S>() -> OpenApiRouter<S>
where
    Issuer: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new().routes(routes!(credentials))
}

/// Credentials for MQTT over WebSocket, signed with SigV4 for the service `iotdevicegateway`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LiveAccess {
    /// The person's identity: the same every time.
    identity_id: String,
    /// The temporary key's id.
    access_key_id: String,
    /// The temporary key.
    secret_key: String,
    /// To be sent with every signature; over WebSocket after it, as `X-Amz-Security-Token`.
    session_token: String,
    /// Until when a connection can be opened with them, in milliseconds since the epoch: about an hour. A connection lasts
    /// up to 24 hours.
    #[schema(value_type = i64)]
    expires_at: Timestamp,
    /// Host name of the broker: `wss://{endpoint}/mqtt`.
    endpoint: String,
    /// The only client id that may connect: the identity. A second connection with it ends the first.
    client_id: String,
    /// What may be subscribed to and published on; everything else ends the connection.
    topics: Topics,
}

/// The mailbox. `+` stands for the name of a thing.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Topics {
    /// All that is told: `.../things/{thing}/state`, `presence`, `alerts`, `commands`, `files`, `members`, and answers to
    /// what the app publishes.
    subscribe: String,
    /// Desired state, as JSON: what `PATCH /v1/things/{thing}/state` takes, and a `requestId`.
    desired: String,
    /// A command, as JSON: what `POST /v1/things/{thing}/commands` takes, and a `requestId`.
    commands: String,
}

impl Topics {
    fn of(identity: &IdentityId) -> Self {
        Self {
            subscribe: format!("loam/users/{identity}/#"),
            desired: format!("loam/users/{identity}/things/+/desired"),
            commands: format!("loam/users/{identity}/things/+/commands/request"),
        }
    }
}

/// Gives temporary credentials for the caller's own mailbox.
///
/// Takes the id token of the sign-in, not the access token, since AWS's identity pool takes only that. What arrives in the
/// mailbox is decided for every message: access to a thing ends with the membership, whatever the credentials' age.
#[utoipa::path(post, path = "/v1/credentials", tag = "pairing",
    responses((status = 200, description = "Credentials for MQTT.", body = LiveAccess), Problem))]
async fn credentials(
    State(issuer): State<Issuer>,
    call: Call,
    Params(NoParams {}): Params<NoParams>,
    token: IdToken,
) -> Result<([(HeaderName, &'static str); 1], Json<LiveAccess>), Problem> {
    let identity = issuer.vendor.identity(&token).await?;
    // In this order: who has credentials is known, and may use the mailbox.
    issuer.vendor.let_use_mailbox(&identity).await?;
    issuer.open(&token.user, &identity, call.now).await?;
    let key = issuer.vendor.key(&identity, &token).await?;
    let access = LiveAccess {
        topics: Topics::of(&identity),
        identity_id: identity.to_string(),
        client_id: identity.to_string(),
        access_key_id: key.id,
        secret_key: key.secret,
        session_token: key.session_token,
        expires_at: key.expires_at,
        endpoint: issuer.endpoint.clone(),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(access)))
}
