//! Handing a thing over.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use loam_access::{Grant, Owner};
use loam_domain::Timestamp;
use loam_http::{Body, Call, Caller, Creation, NoParams, Params, Problem, Segments, ThingPath};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::confirm::{IdPath, Owned, owned};
use super::invitations::Secret;
use super::refusals::refused;
use super::settle::Settled;
use super::unpair::{Ending, ending};
use super::{Api, id_for, person};
use crate::chance::random;
use crate::store::ShareKind;
use crate::tenancy::{Intent, SHARE_MILLIS, Standing, Why};
use crate::token::{ShareId, TOKEN_BYTES, Token};

/// Nothing more is to be said: whoever has id and token may accept.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OfferOrder {}

/// An offer of ownership. Whoever has id and token may accept it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfferMade {
    /// Its id.
    id: String,
    /// Its secret, shown here and nowhere else.
    token: String,
    /// From then on it is too late, in milliseconds since 1970-01-01T00:00:00Z.
    expires_at: i64,
}

/// Offers a thing to whoever gets id and token; its owner alone may. One offer at a time; it lives for 24 hours.
#[utoipa::path(post, path = "/v1/things/{thing}/transfers-of-ownership", request_body = OfferOrder,
    params(ThingPath, ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[ -~]+$",
        description = "The same key and request within 24 hours: the same answer.")),
    responses((status = 201, description = "The offer.", body = OfferMade), Problem))]
pub(super) async fn offer(
    State(api): State<Api>,
    Owner(grant): Owner,
    call: Call,
    Params(NoParams {}): Params<NoParams>,
    Creation { body: OfferOrder {}, repeat }: Creation<OfferOrder>,
) -> Result<Response, Problem> {
    let id = id_for(repeat.as_ref())?;
    Box::pin(api.idempotency.once(&call, repeat.as_ref(), api.offer(&grant, id, call.now))).await
}

/// Accepts an offer. All access of the former owner and their guests ends in this very request; the caller owns the thing when
/// nothing of them is left. Done again by the same person, it says how far that is.
#[utoipa::path(post, path = "/v1/transfers-of-ownership/{id}/accept", request_body = Secret, params(IdPath),
    responses((status = 200, description = "The thing is the caller's.", body = Owned),
        (status = 202, description = "It will be, when the erasure is over.", body = Ending), Problem))]
pub(super) async fn accept(
    State(api): State<Api>,
    caller: Caller,
    call: Call,
    Segments(path): Segments<IdPath>,
    Params(NoParams {}): Params<NoParams>,
    Body(body): Body<Secret>,
) -> Result<Response, Problem> {
    let none = || refused(Why::NoOffer);
    let user = person(&caller)?;
    let token = Token::parse(&body.token).ok_or_else(none)?;
    let (id, thing) = api.share_at(&path, ShareKind::Offer, call.now).await?.ok_or_else(none)?;
    api.has_place(&user, &thing).await?;
    let intent = Intent::TakeOver { user, id, token: token.hash() };
    match api.settle(&thing, &intent, &[], call.now).await? {
        Settled::Already(tenancy) if tenancy.standing == Standing::Paired => {
            Ok(Json(owned(&thing, &tenancy)).into_response())
        }
        Settled::Done(tenancy) | Settled::Already(tenancy) => Ok(ending(&thing, &tenancy)),
        Settled::Refused(Why::Gone) => Err(none()),
        Settled::Refused(why) => Err(refused(why)),
    }
}

/// Takes an offer back; the thing's owner alone may.
#[utoipa::path(delete, path = "/v1/transfers-of-ownership/{id}", params(IdPath),
    responses((status = 204, description = "Nobody can accept it any more."), Problem))]
pub(super) async fn withdraw(
    State(api): State<Api>,
    caller: Caller,
    call: Call,
    Segments(path): Segments<IdPath>,
    Params(NoParams {}): Params<NoParams>,
) -> Result<StatusCode, Problem> {
    let none = || refused(Why::NoOffer);
    let (id, thing) = api.share_at(&path, ShareKind::Offer, call.now).await?.ok_or_else(none)?;
    match api.settle(&thing, &Intent::Withdraw { by: person(&caller)?, id }, &[], call.now).await? {
        Settled::Done(_) | Settled::Already(_) => Ok(StatusCode::NO_CONTENT),
        Settled::Refused(Why::Gone | Why::NotAMember) => Err(none()),
        Settled::Refused(why) => Err(refused(why)),
    }
}

impl Api {
    async fn offer(
        &self,
        grant: &Grant,
        id: ShareId,
        now: Timestamp,
    ) -> Result<(StatusCode, Json<OfferMade>), Problem> {
        let by = person(&grant.caller)?;
        let token = Token::new(random::<TOKEN_BYTES>()?);
        let intent = Intent::Offer { by, id: id.clone(), token: token.hash() };
        let tenancy = self.share(grant, (&id, ShareKind::Offer), &intent, now).await?;
        let expires_at = tenancy.offer.map_or(now.plus_millis(SHARE_MILLIS), |offer| offer.expires_at);
        let made = OfferMade { id: id.as_str().to_owned(), token: token.to_text(), expires_at: expires_at.as_millis() };
        Ok((StatusCode::CREATED, Json(made)))
    }
}
