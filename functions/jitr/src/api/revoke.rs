//! Revocation: a thing's certificates may connect no more, and the device is disconnected.

use axum::Json;
use axum::extract::State;
use loam_domain::{CertificateId, ThingName};
use loam_http::{Body, Call, ETag, IfMatch, NoParams, Operator, Params, Problem, ThingPath};
use loam_runtime::{Failure as _, diagnostic};
use loam_things::{Notice, Outcome, ThingRecord, Why};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use crate::error::JitrFailure;
use crate::event::{Recheck, RecheckKind, RevokedAs};
use crate::ledger::Audit;
use crate::revoke::aws_status;

/// The longest reason, in characters.
const MAX_REASON: usize = 200;

/// What AWS guarantees, in the answer, so that nobody expects more.
const GUARANTEE: &str = "No certificate of the thing can open a connection from now on. The open connection was ended with \
    DeleteConnection, unless `connection` says otherwise; AWS ends by itself what a certificate that is not active still \
    holds within a few minutes. Loam looks again after a minute, until the device is gone.";

/// Why, and how finally.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Revocation {
    /// What the certificates become in AWS IoT: REVOKED, or INACTIVE. For Loam both are final.
    #[serde(default)]
    status: RevokedAs,
    /// Why, 1 to 200 characters; goes into the audit and the security notice.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// What was done.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Revoked {
    /// The thing.
    #[schema(value_type = String)]
    thing: ThingName,
    /// Its state now.
    state: &'static str,
    /// Its certificates that were revoked.
    #[schema(value_type = Vec<String>)]
    certificates: Vec<CertificateId>,
    /// What they are in AWS IoT.
    status: RevokedAs,
    /// What became of its connection.
    connection: Connection,
    /// What AWS guarantees.
    guarantee: &'static str,
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Connection {
    /// It was ended, or there was none.
    Ended,
    /// AWS did not say; the re-check ends it.
    Unknown,
}

/// Revokes all certificates of a thing and disconnects it. Repeated, it finishes what is left.
#[utoipa::path(post, path = "/v1/things/{thing}/revoke", params(ThingPath, IfMatch), request_body = Revocation,
    responses((status = 200, body = Revoked, headers(("ETag" = String))), Problem))]
pub(super) async fn revoke(
    State(api): State<Api>,
    Operator(caller): Operator,
    ThingPath(thing): ThingPath,
    Params(NoParams {}): Params<NoParams>,
    call: Call,
    if_match: IfMatch,
    Body(revocation): Body<Revocation>,
) -> Result<(ETag, Json<Revoked>), Problem> {
    if !(1..=MAX_REASON).contains(&revocation.reason.chars().count()) {
        return Err(Problem::bad_request(
            "invalid-reason",
            "the reason is empty or too long, expected 1 to 200 characters",
        ));
    }
    let record = api.facts.things.get(&thing).await?.ok_or_else(Problem::no_such_thing)?;
    if_match.check(Some(record.version))?;
    let recheck = Recheck {
        kind: RecheckKind::Recheck,
        thing,
        certificates: concerned(&record),
        status: revocation.status,
        by: caller.sub,
        reasons: vec![revocation.reason],
        attempt: 0,
    };
    // The intent first: should this run die, the re-check finishes it.
    api.rechecks.send(&recheck).await?;
    let record = api.suspend(&recheck, &call).await?;
    let connection = api.end(&recheck, &call).await?;
    let revoked = Revoked {
        thing: recheck.thing,
        state: record.state.as_str(),
        certificates: recheck.certificates,
        status: recheck.status,
        connection,
        guarantee: GUARANTEE,
    };
    Ok((ETag::of(record.version), Json(revoked)))
}

/// The certificates that can connect or are about to; where there are none any more, all that the thing ever had: an earlier
/// try may have got no further than the record.
fn concerned(record: &ThingRecord) -> Vec<CertificateId> {
    let standing: Vec<_> = record.standing().cloned().collect();
    if standing.is_empty() { record.certificates.keys().cloned().collect() } else { standing }
}

impl Api {
    /// The record before AWS: a registration that activates a certificate meanwhile reads it afterwards, and undoes that.
    async fn suspend(&self, recheck: &Recheck, call: &Call) -> Result<ThingRecord, Problem> {
        let notice = Notice { by: recheck.by.clone(), reasons: recheck.reasons.clone() };
        match self.facts.things.suspend(&recheck.thing, notice, call.now).await.map_err(JitrFailure::from)? {
            Outcome::Done(record) | Outcome::Already(record) => Ok(*record),
            Outcome::Refused(Why::Retired, _) => Err(Problem::conflict("thing-retired", "the thing is retired")),
            Outcome::Refused(_, record) => Ok(*record),
            Outcome::Missing => Err(Problem::no_such_thing()),
        }
    }

    async fn end(&self, recheck: &Recheck, call: &Call) -> Result<Connection, Problem> {
        for id in &recheck.certificates {
            self.facts.registry.set_status(id, aws_status(recheck.status)).await?;
            let audit = Audit { by: &recheck.by, reasons: &recheck.reasons, at: call.now };
            self.ledger.audit_revocation(id, audit).await?;
        }
        Ok(match self.connections.close(&recheck.thing).await {
            Ok(()) => Connection::Ended,
            Err(failure) => {
                let error = diagnostic(&failure).error_message;
                tracing::warn!(code = failure.code(), class = failure.class().as_str(), error, "ended by the re-check");
                Connection::Unknown
            }
        })
    }
}
