//! The people of a thing.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use loam_access::Viewer;
use loam_http::{Call, NoParams, Params, Problem, Segments, ThingPath};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::invitations::{refused_to, user_in};
use super::refusals::refused;
use super::settle::Settled;
use super::{Api, person};
use crate::people::{Role, UserId};
use crate::tenancy::{Intent, Tenancy, Why};

/// A member of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct MemberPath {
    /// Name of the thing.
    #[expect(dead_code, reason = "read by the extractor; here for openapi.json")]
    #[param(pattern = "^[A-Za-z0-9:_-]{1,128}$", max_length = 128)]
    thing: String,
    /// The person's id.
    #[param(pattern = "^[A-Za-z0-9:._@-]{1,128}$", max_length = 128)]
    user: String,
}

/// The people of a thing, and who may still become one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Members {
    /// The people, by id.
    members: Vec<MemberView>,
    /// Invitations that can still be accepted; for the owner and operators alone.
    invitations: Vec<InvitationView>,
    /// The offer of ownership, while it can be accepted; for the owner and operators alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    offer: Option<OfferView>,
}

/// A person's place.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct MemberView {
    /// Their id.
    user: String,
    /// `viewer`, `controller` or `owner`.
    role: &'static str,
    /// From when on the thing's data is theirs to see, in milliseconds since 1970-01-01T00:00:00Z.
    since: i64,
    /// Whether they want its notices by mail; of the caller alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    mail: Option<bool>,
}

/// An invitation, without its token.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InvitationView {
    /// Its id.
    id: String,
    /// What the guest becomes.
    role: &'static str,
    /// From then on it is too late, in milliseconds since 1970-01-01T00:00:00Z.
    expires_at: i64,
}

/// An offer of ownership, without its token.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OfferView {
    /// Its id.
    id: String,
    /// From then on it is too late, in milliseconds since 1970-01-01T00:00:00Z.
    expires_at: i64,
}

/// The people of a thing.
#[utoipa::path(get, path = "/v1/things/{thing}/members", params(ThingPath),
    responses((status = 200, description = "The people.", body = Members), Problem))]
pub(super) async fn list(
    State(api): State<Api>,
    Viewer(grant): Viewer,
    call: Call,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Json<Members>, Problem> {
    let user = person(&grant.caller)?;
    let known = api.store.known(grant.thing()).await?.ok_or_else(Problem::no_such_thing)?;
    let tenancy = known.tenancy;
    let all = grant.caller.is_operator() || tenancy.owner() == Some(&user);
    let invitations = tenancy.open_invitations(call.now).filter(|_| all).map(|(id, each)| InvitationView {
        id: id.as_str().to_owned(),
        role: Role::from(each.guest).as_str(),
        expires_at: each.expires_at.as_millis(),
    });
    let offer = tenancy.offer.as_ref().filter(|offer| all && call.now < offer.expires_at);
    let offer =
        offer.map(|offer| OfferView { id: offer.id.as_str().to_owned(), expires_at: offer.expires_at.as_millis() });
    Ok(Json(Members { members: people(&tenancy, &user), invitations: invitations.collect(), offer }))
}

/// Ends a membership: its owner may anybody's but their own, everybody else their own.
#[utoipa::path(delete, path = "/v1/things/{thing}/members/{user}", params(MemberPath),
    responses((status = 204, description = "The person is no member any more."), Problem))]
pub(super) async fn remove(
    State(api): State<Api>,
    Viewer(grant): Viewer,
    call: Call,
    Segments(path): Segments<MemberPath>,
    Params(NoParams {}): Params<NoParams>,
) -> Result<StatusCode, Problem> {
    let user = user_in(&path.user)?;
    let intent = Intent::Remove { by: person(&grant.caller)?, user };
    match api.settle(grant.thing(), &intent, &[], call.now).await? {
        Settled::Done(_) | Settled::Already(_) => Ok(StatusCode::NO_CONTENT),
        Settled::Refused(why @ Why::NotAMember) => Err(refused_to(&grant, why)),
        Settled::Refused(why) => Err(refused(why)),
    }
}

fn people(tenancy: &Tenancy, own: &UserId) -> Vec<MemberView> {
    let view = |(user, member): (&UserId, &crate::tenancy::Member)| MemberView {
        user: user.to_string(),
        role: member.role.as_str(),
        since: member.since.as_millis(),
        mail: (user == own).then_some(member.mail),
    };
    tenancy.members.iter().map(view).collect()
}
