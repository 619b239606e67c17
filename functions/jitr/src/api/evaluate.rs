//! The dry run: what would become of a certificate.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use loam_domain::{CertificateId, ThingName};
use loam_http::{Body, Call, NoParams, Operator, Params, Problem};
use loam_runtime::Class;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::profiles::CaPath;
use crate::certificate::Certificate;
use crate::decide::{Decision, Place, Then};
use crate::error::JitrFailure;
use crate::profile::Profile;
use crate::reason::Reason;

/// A certificate, and the CA that it would be registered under.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Question {
    /// The certificate in PEM form; the first one counts.
    certificate_pem: String,
    /// AWS's id of the CA certificate: 64 lower-case hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    ca_id: String,
}

/// What would become of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Evaluation {
    /// What would be done.
    decision: Verdict,
    /// Why not; empty unless it is refused.
    reasons: Vec<Explanation>,
    /// AWS's id of the certificate; absent for what is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_id: Option<String>,
    /// The thing that it would become.
    #[serde(skip_serializing_if = "Option::is_none")]
    thing: Option<Resulting>,
    /// The thing's other certificates that can connect or are about to.
    #[schema(value_type = Vec<String>)]
    others: Vec<CertificateId>,
    /// What becomes of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    others_then: Option<&'static str>,
}

/// What would be done with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// It would become a thing, or a further certificate of one. Where `maxDevices` is reached it is refused all the same:
    /// that is counted when the name is won.
    Admit,
    /// It would be revoked.
    Refuse,
    /// Its CA has no profile here: it would be left alone.
    NotOurs,
    /// The profile is disabled: it would stay as it is.
    Wait,
}

/// A reason.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Explanation {
    /// Its stable code.
    code: &'static str,
    /// What was expected.
    detail: &'static str,
}

/// A thing as it would be.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resulting {
    /// Its name.
    #[schema(value_type = String)]
    name: ThingName,
    /// Whether it would be new.
    new: bool,
    /// Its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    thing_type: Option<String>,
    /// Its groups.
    groups: BTreeSet<String>,
    /// Its attributes.
    attributes: BTreeMap<String, String>,
    /// The desired state of its first shadow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    initial_desired: Option<Map<String, Value>>,
}

/// Says what would become of a certificate, with all reasons, and changes nothing.
#[utoipa::path(post, path = "/v1/jitr/evaluate", request_body = Question,
    responses((status = 200, body = Evaluation), Problem))]
pub(super) async fn evaluate(
    State(api): State<Api>,
    Operator(_caller): Operator,
    Params(NoParams {}): Params<NoParams>,
    call: Call,
    Body(question): Body<Question>,
) -> Result<Json<Evaluation>, Problem> {
    let ca_id = CaPath { ca_id: question.ca_id }.parse()?;
    let Some(stored) = api.facts.profiles.get(&ca_id).await? else {
        return Ok(Json(Evaluation::bare(Verdict::NotOurs, None, vec![])));
    };
    let Ok(certificate) = Certificate::from_pem(&question.certificate_pem) else {
        return Ok(Json(Evaluation::bare(Verdict::Refuse, None, vec![Reason::Unreadable])));
    };
    let id = CertificateId::parse(&certificate.id).map_err(|_| JitrFailure::Incomplete)?;
    let decided = api.facts.decision(&id, &ca_id, &stored.profile, &certificate, call.now).await;
    let (_, decision) = decided.map_err(told)?;
    let mut evaluation = Evaluation::of(id, decision, &stored.profile);
    if !stored.profile.document().enabled && evaluation.decision == Verdict::Admit {
        evaluation.decision = Verdict::Wait;
    }
    Ok(Json(evaluation))
}

/// A CA that AWS does not know is the caller's mistake here, and ours in an event.
fn told(failure: JitrFailure) -> Problem {
    if let JitrFailure::Call { call: crate::error::Call::DescribeCa, class: Class::NotFound, .. } = &failure {
        return Problem::not_found("no-such-ca", "AWS IoT knows no CA certificate of this id: register it first");
    }
    failure.into()
}

impl Evaluation {
    fn bare(decision: Verdict, certificate_id: Option<String>, reasons: Vec<Reason>) -> Self {
        let explain = |reason: Reason| Explanation { code: reason.as_str(), detail: reason.expected() };
        let reasons = reasons.into_iter().map(explain).collect();
        Self { decision, reasons, certificate_id, thing: None, others: vec![], others_then: None }
    }

    fn of(id: CertificateId, decision: Decision, profile: &Profile) -> Self {
        let id = Some(String::from(id));
        match decision {
            Decision::Refuse { thing, reasons } => Self {
                thing: thing.map(|name| Resulting::of(name, false, profile)),
                ..Self::bare(Verdict::Refuse, id, reasons)
            },
            Decision::Admit(admission) => Self {
                thing: Some(Resulting::of(admission.thing, admission.place == Place::First, profile)),
                others: admission.others,
                others_then: match admission.then {
                    Then::Nothing => None,
                    Then::Rotate => Some("retire-on-first-connect"),
                    Then::Replace => Some("retire-at-once"),
                },
                ..Self::bare(Verdict::Admit, id, vec![])
            },
        }
    }
}

impl Resulting {
    fn of(name: ThingName, new: bool, profile: &Profile) -> Self {
        let document = profile.document().clone();
        Self {
            name,
            new,
            thing_type: document.thing_type,
            groups: document.groups,
            attributes: document.attributes,
            initial_desired: document.initial_desired,
        }
    }
}
