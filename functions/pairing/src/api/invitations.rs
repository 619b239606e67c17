//! Sharing a thing.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use loam_access::{Grant, Owner};
use loam_domain::{ThingName, Timestamp, UserId};
use loam_http::{Body, Call, Caller, Creation, NoParams, Params, Problem, Segments, ThingPath};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::confirm::IdPath;
use super::refusals::refused;
use super::settle::Settled;
use super::{Api, id_for, person};
use crate::chance::random;
use crate::people::{Guest, Role};
use crate::store::{Pointer, ShareKind, StoreFailure};
use crate::tenancy::{Intent, SHARE_MILLIS, Tenancy, Why};
use crate::token::{ShareId, TOKEN_BYTES, Token};

/// As what somebody is invited.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InvitationOrder {
    /// `viewer` or `controller`. Ownership changes hands by a transfer only.
    role: Guest,
}

/// An invitation. Whoever has id and token may accept it, once.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InvitationMade {
    /// Its id.
    id: String,
    /// Its secret, shown here and nowhere else.
    token: String,
    /// What the guest becomes.
    role: &'static str,
    /// From then on it is too late, in milliseconds since 1970-01-01T00:00:00Z.
    expires_at: i64,
}

/// The secret of an invitation or an offer.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Secret {
    /// As the answer that made it says.
    #[schema(max_length = 64)]
    pub(super) token: String,
}

/// What the caller is to a thing now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Joined {
    /// Its name.
    thing: String,
    /// `viewer`, `controller` or `owner`.
    role: &'static str,
}

/// Invites somebody; its owner alone may. The invitation can be accepted for 24 hours, once.
#[utoipa::path(post, path = "/v1/things/{thing}/invitations", request_body = InvitationOrder,
    params(ThingPath, ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[ -~]+$",
        description = "The same key and request within 24 hours: the same answer.")),
    responses((status = 201, description = "The invitation.", body = InvitationMade), Problem))]
pub(super) async fn invite(
    State(api): State<Api>,
    Owner(grant): Owner,
    call: Call,
    Params(NoParams {}): Params<NoParams>,
    Creation { body, repeat }: Creation<InvitationOrder>,
) -> Result<Response, Problem> {
    let id = id_for(repeat.as_ref())?;
    Box::pin(api.idempotency.once(&call, repeat.as_ref(), api.invite(&grant, id, body.role, call.now))).await
}

/// Accepts an invitation. Done again by the same person, it is done.
#[utoipa::path(post, path = "/v1/invitations/{id}/accept", request_body = Secret, params(IdPath),
    responses((status = 200, description = "The caller is a member.", body = Joined), Problem))]
pub(super) async fn accept(
    State(api): State<Api>,
    caller: Caller,
    call: Call,
    Segments(path): Segments<IdPath>,
    Params(NoParams {}): Params<NoParams>,
    Body(body): Body<Secret>,
) -> Result<Json<Joined>, Problem> {
    let none = || refused(Why::NoInvitation);
    let user = person(&caller)?;
    let token = Token::parse(&body.token).ok_or_else(none)?;
    let (id, thing) = api.share_at(&path, ShareKind::Invitation, call.now).await?.ok_or_else(none)?;
    api.has_place(&user, &thing).await?;
    let intent = Intent::Accept { user: user.clone(), id, token: token.hash() };
    match api.settle(&thing, &intent, &[], call.now).await? {
        Settled::Done(tenancy) | Settled::Already(tenancy) => {
            let role = tenancy.role_of(&user).ok_or_else(none)?;
            Ok(Json(Joined { thing: thing.to_string(), role: role.as_str() }))
        }
        Settled::Refused(Why::Gone) => Err(none()),
        Settled::Refused(why) => Err(refused(why)),
    }
}

/// Takes an invitation back; the thing's owner alone may.
#[utoipa::path(delete, path = "/v1/invitations/{id}", params(IdPath),
    responses((status = 204, description = "Nobody can accept it any more."), Problem))]
pub(super) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    call: Call,
    Segments(path): Segments<IdPath>,
    Params(NoParams {}): Params<NoParams>,
) -> Result<StatusCode, Problem> {
    let none = || refused(Why::NoInvitation);
    let (id, thing) = api.share_at(&path, ShareKind::Invitation, call.now).await?.ok_or_else(none)?;
    match api.settle(&thing, &Intent::Revoke { by: person(&caller)?, id }, &[], call.now).await? {
        Settled::Done(_) | Settled::Already(_) => Ok(StatusCode::NO_CONTENT),
        // Who has nothing to do with the thing hears of no invitation.
        Settled::Refused(Why::Gone | Why::NotAMember) => Err(none()),
        Settled::Refused(why) => Err(refused(why)),
    }
}

impl Api {
    /// The invitation or offer of a path, and its thing; `None` if there is none of this kind.
    pub(super) async fn share_at(
        &self,
        path: &IdPath,
        kind: ShareKind,
        now: Timestamp,
    ) -> Result<Option<(ShareId, ThingName)>, StoreFailure> {
        let Some(id) = ShareId::parse(&path.id) else { return Ok(None) };
        let pointer = self.store.pointer(&id, now).await?.filter(|pointer| pointer.kind == kind);
        Ok(pointer.map(|pointer| (id, pointer.thing)))
    }

    /// Makes an invitation or an offer, and the way from its id to the thing, in one write.
    pub(super) async fn share(
        &self,
        grant: &Grant,
        (id, kind): (&ShareId, ShareKind),
        intent: &Intent,
        now: Timestamp,
    ) -> Result<Tenancy, Problem> {
        let place = Pointer { thing: grant.thing().clone(), kind };
        let place = self.store.new_pointer(id, &place, now.plus_millis(SHARE_MILLIS))?;
        match self.settle(grant.thing(), intent, &[place], now).await? {
            Settled::Done(tenancy) | Settled::Already(tenancy) => Ok(tenancy),
            Settled::Refused(why) => Err(refused_to(grant, why)),
        }
    }

    async fn invite(
        &self,
        grant: &Grant,
        id: ShareId,
        guest: Guest,
        now: Timestamp,
    ) -> Result<(StatusCode, Json<InvitationMade>), Problem> {
        let by = person(&grant.caller)?;
        let token = Token::new(random::<TOKEN_BYTES>()?);
        let intent = Intent::Invite { by, id: id.clone(), token: token.hash(), guest };
        let tenancy = self.share(grant, (&id, ShareKind::Invitation), &intent, now).await?;
        let expires_at = tenancy.invitations.get(&id).map_or(now.plus_millis(SHARE_MILLIS), |made| made.expires_at);
        let role = Role::from(guest).as_str();
        let made = InvitationMade {
            id: id.as_str().to_owned(),
            token: token.to_text(),
            role,
            expires_at: expires_at.as_millis(),
        };
        Ok((StatusCode::CREATED, Json(made)))
    }
}

/// An operator knows of every thing and owns none: they hear so.
pub(super) fn refused_to(grant: &Grant, why: Why) -> Problem {
    let why = if why == Why::NotAMember && grant.caller.is_operator() { Why::NotOwner } else { why };
    refused(why)
}

/// A member's id in a path.
pub(super) fn user_in(text: &str) -> Result<UserId, Problem> {
    UserId::parse(text).map_err(|refusal| Problem::bad_request("invalid-path", refusal.to_string()))
}
