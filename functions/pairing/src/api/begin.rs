//! Asking for a challenge.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use loam_domain::pairing::challenge::Challenge;
use loam_domain::pairing::claim_code::{ClaimCode, Mistyped};
use loam_domain::{ThingName, Timestamp, UserId};
use loam_http::{Call, Caller, Creation, Mistake, NoParams, Params, Problem};
use loam_things::{LifeCycle, ThingRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::refusals::refused;
use super::{Api, id_for, person};
use crate::begin::{Begun, Known, begun};
use crate::chance::random;
use crate::claim::Claim;
use crate::device_key::Algorithm;
use crate::store::{Saved, StoreFailure};
use crate::tenancy::Why;
use crate::token::ShareId;

/// Which thing somebody wants to own.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct PairingOrder {
    /// Its name.
    #[schema(pattern = "^[A-Za-z0-9:_-]{1,128}$", max_length = 128)]
    thing: String,
    /// The code that is printed on the device or shown by it, as it was typed; not needed after a press of its button.
    #[serde(default)]
    #[schema(max_length = 64)]
    claim_code: Option<String>,
}

/// A claim: what the device has to sign.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pairing {
    /// Its id.
    id: String,
    /// Which thing.
    thing: String,
    /// Random bytes in base64url.
    challenge: String,
    /// Who claims; the device signs it.
    user: String,
    /// Which owner's time it would be; the device signs it.
    epoch: u64,
    /// The bytes to sign, as text; the device makes them itself, with its own name.
    signed_text: String,
    /// How the device may sign.
    algorithms: Vec<&'static str>,
    /// From then on it is too late, in milliseconds since 1970-01-01T00:00:00Z.
    expires_at: i64,
}

/// What was asked, read.
struct Asked {
    user: UserId,
    thing: ThingName,
    code: Option<ClaimCode>,
    id: ShareId,
    now: Timestamp,
}

/// Asks for a challenge, which the app carries to the device over a local link; the device signs it.
///
/// It takes an open window of the device (its button), or the code that is printed on it or shown by it. For a thing that is not
/// there, is closed, or has another code the answer is the same.
#[utoipa::path(post, path = "/v1/pairings", request_body = PairingOrder,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[ -~]+$",
        description = "The same key and request within 24 hours: the same answer.")),
    responses((status = 201, description = "What the device has to sign.", body = Pairing), Problem))]
pub(super) async fn begin(
    State(api): State<Api>,
    caller: Caller,
    call: Call,
    Params(NoParams {}): Params<NoParams>,
    Creation { body, repeat }: Creation<PairingOrder>,
) -> Result<Response, Problem> {
    let asked = Asked {
        user: person(&caller)?,
        thing: thing_in(&body.thing)?,
        code: body.claim_code.as_deref().map(code_in).transpose()?,
        id: id_for(repeat.as_ref())?,
        now: call.now,
    };
    Box::pin(api.idempotency.once(&call, repeat.as_ref(), api.begin(&asked))).await
}

fn thing_in(text: &str) -> Result<ThingName, Problem> {
    ThingName::parse(text).map_err(|refusal| {
        let mistake = Mistake::at("/thing", refusal.detail.clone());
        Problem::bad_request("invalid-thing-name", refusal.detail).with_mistakes([mistake])
    })
}

pub(super) fn code_in(text: &str) -> Result<ClaimCode, Problem> {
    ClaimCode::parse(text).map_err(|mistyped| {
        let mistake = Mistake::at("/claimCode", mistyped.to_string());
        let detail = "the claim code is mistyped; look again: 12 letters and digits, for example 7K3M-9QXT-4HPC";
        Problem::bad_request(Mistyped::CODE, detail).with_mistakes([mistake])
    })
}

impl Api {
    async fn begin(&self, asked: &Asked) -> Result<(StatusCode, Json<Pairing>), Problem> {
        let Asked { user, thing, code, id, now } = asked;
        let counted = match code {
            Some(_) => Some(self.counted(user, thing, *now).await?),
            None => None,
        };
        let known = Box::pin(self.known(thing)).await?;
        let came = begun(thing, known.as_ref(), user, code.as_ref(), *now);
        if let Some(both) = counted.filter(|_| came.was_admitted()) {
            self.given_back(user, thing, &both).await?;
        }
        match came {
            Begun::Challenge { epoch, .. } => {
                let claim = Claim::begun(thing.clone(), user.clone(), epoch, Challenge::new(random()?), *now);
                let (id, claim) = self.begun_claim(id, claim, *now).await?;
                Ok((StatusCode::CREATED, Json(shown(&id, &claim))))
            }
            Begun::NoSuchThing => {
                if code.is_some() {
                    metrics::counter!("WrongCodes").increment(1);
                }
                Err(Problem::no_such_thing())
            }
            Begun::AlreadyYours => Err(Problem::conflict("already-paired", "the thing is yours already")),
            Begun::PairedByAnother => Err(refused(Why::Owned)),
            Begun::StillErasing => Err(refused(Why::StillErasing)),
        }
    }

    /// Keeps a claim. One of this id that can still be answered is that of the same request, whose first answer was lost.
    async fn begun_claim(&self, id: &ShareId, claim: Claim, now: Timestamp) -> Result<(ShareId, Claim), Problem> {
        if self.store.begin_claim(id, &claim).await? == Saved::Yes {
            return Ok((id.clone(), claim));
        }
        let known = self.store.claim(&claim.user, id, now).await?;
        if let Some(known) = known.filter(|known| now < known.expires_at && known.epoch == claim.epoch) {
            return Ok((id.clone(), known));
        }
        // The key was used for a claim whose time is over.
        let id = id_for(None)?;
        self.store.begin_claim(&id, &claim).await?;
        Ok((id, claim))
    }

    /// What is known of a thing: always the same four reads, whatever each of them finds.
    async fn known(&self, thing: &ThingName) -> Result<Option<Known>, StoreFailure> {
        let store = &self.store;
        let (known, window, printed) = tokio::join!(store.known(thing), store.window(thing), store.printed_code(thing));
        let (known, window, printed) = (known?, window?, printed?);
        Ok(known.filter(|known| !known.record.is_retiring()).map(|known| Known {
            onboarded: is_onboarded(&known.record),
            tenancy: known.tenancy,
            window,
            printed: printed.map(|printed| printed.hash),
        }))
    }
}

/// Whether there is something to own: it described itself, and can connect.
fn is_onboarded(record: &ThingRecord) -> bool {
    matches!(record.state, LifeCycle::Onboarded | LifeCycle::Paired)
}

fn shown(id: &ShareId, claim: &Claim) -> Pairing {
    Pairing {
        id: id.as_str().to_owned(),
        thing: claim.thing.to_string(),
        challenge: claim.challenge.to_text(),
        user: claim.user.to_string(),
        epoch: claim.epoch,
        signed_text: claim.challenge.signed_text(&claim.thing, &claim.user, claim.epoch),
        algorithms: Algorithm::ALL.map(Algorithm::as_str).into(),
        expires_at: claim.expires_at.as_millis(),
    }
}
