//! The device's answer to a challenge.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use loam_domain::{ThingName, Timestamp, UserId};
use loam_http::{Body, Call, Caller, Mistake, NoParams, Params, Problem, Segments};
use loam_things::ThingRecord;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::refusals::refused;
use super::settle::meaning;
use super::{Api, person};
use crate::claim::{Answered, Claim, Proof};
use crate::device_key::Algorithm;
use crate::registry::{Known, newest_first};
use crate::store::{Written, wait_after};
use crate::tenancy::{Intent, Outcome, Tenancy, Transition, Why, next};
use crate::token::ShareId;

/// A claim, an invitation or an offer of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct IdPath {
    /// Its id.
    #[param(pattern = "^[A-Za-z0-9_-]{1,64}$", max_length = 64)]
    pub(super) id: String,
}

/// What the device signed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Signed {
    /// How it signed: one of the claim's `algorithms`.
    algorithm: String,
    /// The signature, in base64.
    #[schema(max_length = 1368)]
    signature: String,
}

/// The thing, and what the caller is to it now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Owned {
    /// Its name.
    thing: String,
    /// `owner`.
    #[schema(pattern = "^owner$")]
    role: &'static str,
    /// From when on its data is theirs to see, in milliseconds since 1970-01-01T00:00:00Z.
    since: i64,
    /// Which owner's time it is.
    epoch: u64,
}

/// Hands in what the device signed. Right, the caller owns the thing from now on. Wrong, the challenge is burnt: the next try
/// takes a new one.
#[utoipa::path(post, path = "/v1/pairings/{id}/confirm", request_body = Signed, params(IdPath),
    responses((status = 200, description = "The thing is the caller's.", body = Owned), Problem))]
pub(super) async fn confirm(
    State(api): State<Api>,
    caller: Caller,
    call: Call,
    Segments(path): Segments<IdPath>,
    Params(NoParams {}): Params<NoParams>,
    Body(body): Body<Signed>,
) -> Result<Json<Owned>, Problem> {
    let answer = Answer { algorithm: body.algorithm()?, signature: body.signature()? };
    let id = ShareId::parse(&path.id).ok_or_else(no_such_pairing)?;
    api.confirm(&person(&caller)?, &id, &answer, call.now).await.map(Json)
}

struct Answer {
    algorithm: Algorithm,
    signature: Vec<u8>,
}

impl Signed {
    fn algorithm(&self) -> Result<Algorithm, Problem> {
        let unknown = || {
            let words = Algorithm::ALL.map(Algorithm::as_str).join(", ");
            let mistake = Mistake::at("/algorithm", format!("expected one of {words}"));
            let detail = "nobody signs so here; take one of the claim's algorithms";
            Problem::bad_request("unknown-algorithm", detail).with_mistakes([mistake])
        };
        Algorithm::parse(&self.algorithm).ok_or_else(unknown)
    }

    fn signature(&self) -> Result<Vec<u8>, Problem> {
        BASE64_STANDARD.decode(&self.signature).map_err(|_| {
            let mistake = Mistake::at("/signature", "expected base64, with padding");
            Problem::bad_request("invalid-signature", "the signature is no base64").with_mistakes([mistake])
        })
    }
}

impl Api {
    async fn confirm(&self, user: &UserId, id: &ShareId, answer: &Answer, now: Timestamp) -> Result<Owned, Problem> {
        let (mut tries, mut proven) = (0, false);
        loop {
            let claim = self.store.claim(user, id, now).await?.ok_or_else(no_such_pairing)?;
            let known = self.store.known(&claim.thing).await?.filter(|known| !known.record.is_retiring());
            if let Err(why) = claim.may_be_answered(user, now) {
                return again(why, &claim, known.map(|known| known.tenancy));
            }
            let known = known.ok_or_else(no_such_pairing)?;
            let intent = Intent::Pair { user: user.clone(), epoch: claim.epoch };
            let change = match next(&known.tenancy, &intent, now) {
                Transition::Nothing(Outcome::Already(tenancy)) => return Ok(owned(&claim.thing, &tenancy)),
                Transition::Nothing(Outcome::Refused(why)) => return Err(refused(why)),
                Transition::Change(change) => change,
            };
            if !proven {
                self.prove(&known.record, (id, &claim), answer).await?;
                self.has_place(user, &claim.thing).await?;
                proven = true;
            }
            let confirmed = self.store.confirmed_claim(id, &claim)?;
            match self.store.write(&known, &change, &[confirmed], now).await? {
                Written::Yes => {
                    metrics::counter!("Paired").increment(1);
                    return Ok(owned(&claim.thing, &change.tenancy));
                }
                Written::Refused(why) => return Err(refused(meaning(why))),
                Written::Lost => tries = wait_after(tries).await?,
            }
        }
    }

    /// Goes on only if the device signed; burns the challenge if it did not.
    async fn prove(
        &self,
        record: &ThingRecord,
        (id, claim): (&ShareId, &Claim),
        answer: &Answer,
    ) -> Result<(), Problem> {
        if self.proof(record, claim, answer).await? == Proof::Good {
            return Ok(());
        }
        self.store.burn_claim(id, claim).await?;
        metrics::counter!("NotSigned").increment(1);
        let detail = "no key of this thing signed this challenge, so it is burnt; ask for another";
        Err(Problem::forbidden("not-signed-by-the-device", detail))
    }

    /// What the answer proves, by the thing's live certificates, the newest first. A key that cannot be read proves nothing
    /// either way.
    async fn proof(&self, record: &ThingRecord, claim: &Claim, answer: &Answer) -> Result<Proof, Problem> {
        let text = claim.challenge.signed_text(&claim.thing, &claim.user, claim.epoch);
        let (mut readable, mut unusable) = (false, false);
        for certificate in newest_first(record) {
            match self.registry.key_of(certificate).await? {
                Known::Key(key) if key.verify(answer.algorithm, &text, &answer.signature).is_ok() => {
                    return Ok(Proof::Good);
                }
                Known::Key(_) => readable = true,
                Known::Unusable => unusable = true,
                Known::Gone => {}
            }
        }
        match (readable, unusable) {
            (true, false) => Ok(Proof::Bad),
            (_, true) => Err(unusable_key()),
            (false, false) => Err(refused(Why::NotOnboarded)),
        }
    }
}

/// A claim that was answered before, or too late.
fn again(why: Answered, claim: &Claim, tenancy: Option<Tenancy>) -> Result<Owned, Problem> {
    match why {
        Answered::Already => {
            let present =
                tenancy.filter(|tenancy| tenancy.owner() == Some(&claim.user) && tenancy.epoch == claim.epoch);
            present.map(|tenancy| owned(&claim.thing, &tenancy)).ok_or_else(|| refused(Why::EpochOver))
        }
        Answered::Expired => {
            Err(Problem::conflict("challenge-expired", "a challenge lives for five minutes; ask for another"))
        }
        Answered::Burnt | Answered::Burn => {
            Err(Problem::conflict("challenge-burnt", "the challenge was answered wrongly before; ask for another"))
        }
        Answered::NotYours | Answered::Confirm => Err(no_such_pairing()),
    }
}

pub(super) fn owned(thing: &ThingName, tenancy: &Tenancy) -> Owned {
    Owned { thing: thing.to_string(), role: "owner", since: tenancy.since.as_millis(), epoch: tenancy.epoch }
}

fn no_such_pairing() -> Problem {
    Problem::not_found("no-such-pairing", "there is no such claim of yours; ask for a challenge first")
}

fn unusable_key() -> Problem {
    let detail = "the key of the thing's certificate is of a kind that cannot be verified here: expected RSA of 2,048 to 8,192 \
                  bits, or ECDSA on P-256 or P-384 with an uncompressed point; give the device another certificate";
    Problem::conflict("device-key-unusable", detail)
}
