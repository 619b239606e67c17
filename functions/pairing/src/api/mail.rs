//! Members' mail.

use axum::Json;
use axum::extract::State;
use loam_access::Viewer;
use loam_domain::UserId;
use loam_http::{Body, Call, MailAddress, NoParams, Params, Problem, ThingPath};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::refusals::refused;
use super::settle::Settled;
use super::{Api, person};
use crate::mailbox::Subscribed;
use crate::tenancy::Intent;

/// Whether the caller wants a thing's notices by mail.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MailOrder {
    /// Whether.
    wanted: bool,
}

/// Whether the caller gets a thing's notices by mail.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct MailView {
    /// Whether they want to.
    wanted: bool,
    /// Whether they said yes to AWS's own mail, once for all things; absent where no mail is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    confirmed: Option<bool>,
}

/// Says whether the caller wants this thing's notices by mail. It takes an id token, whose claim `email` says where to; AWS asks
/// there once whether that is right. The address is kept by the subscription alone.
#[utoipa::path(put, path = "/v1/things/{thing}/mail", request_body = MailOrder, params(ThingPath),
    responses((status = 200, description = "As wanted.", body = MailView), Problem))]
pub(super) async fn put(
    State(api): State<Api>,
    Viewer(grant): Viewer,
    call: Call,
    address: MailAddress,
    Params(NoParams {}): Params<NoParams>,
    Body(MailOrder { wanted }): Body<MailOrder>,
) -> Result<Json<MailView>, Problem> {
    let by = person(&grant.caller)?;
    let confirmed = if wanted { Some(api.subscribed(&by, &address).await?) } else { None };
    match api.settle(grant.thing(), &Intent::Mail { by, wanted }, &[], call.now).await? {
        Settled::Done(_) | Settled::Already(_) => Ok(Json(MailView { wanted, confirmed })),
        Settled::Refused(_) if grant.caller.is_operator() => {
            let detail = "notices go to members; the stack's own mailbox gets all of them";
            Err(Problem::conflict("no-member", detail))
        }
        Settled::Refused(why) => Err(refused(why)),
    }
}

impl Api {
    /// Subscribes the caller's mailbox; whether they confirmed it.
    async fn subscribed(&self, user: &UserId, MailAddress(address): &MailAddress) -> Result<bool, Problem> {
        let Some(address) = address else {
            let detail = "the token has no claim `email`: send the id token, whose claim says where to";
            return Err(Problem::bad_request("id-token-needed", detail));
        };
        match self.mailboxes.subscribe(user, address).await? {
            Subscribed::Confirmed => Ok(true),
            Subscribed::Asked => Ok(false),
            Subscribed::Otherwise => {
                let detail = "the mailbox is subscribed already, for all notices or for another person";
                Err(Problem::conflict("mailbox-taken", detail))
            }
            Subscribed::Full => {
                Err(Problem::conflict("too-many-mailboxes", "no further person can get mail; tell an operator"))
            }
        }
    }
}
