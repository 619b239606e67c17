//! The ledger: one row per certificate of ours, who works on it, and what was decided.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use loam_domain::{CertificateId, ThingName, Timestamp};

use crate::error::{Call, JitrFailure};
use crate::ledger_row::{Row, Standing};
use crate::reason::Reason;

/// The table of certificates.
#[derive(Debug, Clone)]
pub struct Ledger {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

/// Who works on a certificate, and from when until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// A name that no other run of the handler has.
    pub owner: String,
    /// Begin.
    pub now: Timestamp,
    /// End of the lease, see [`crate::lease`].
    pub until: Timestamp,
}

/// Who acted on a certificate from outside, and why: the audit.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    /// Who.
    pub by: &'a str,
    /// Why.
    pub reasons: &'a [String],
    /// When.
    pub at: Timestamp,
}

impl Ledger {
    /// The table of this name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table }
    }

    /// Takes the certificate's lease and answers its row; `None` while somebody else holds it.
    ///
    /// # Errors
    /// [`Call::WriteLedger`], [`JitrFailure::BadRow`].
    pub async fn take(
        &self,
        certificate: &CertificateId,
        ca_id: &CertificateId,
        worker: &Worker,
    ) -> Result<Option<Row>, JitrFailure> {
        let request = self
            .update(certificate)
            .update_expression(
                "SET caId = :ca, leaseUntil = :until, leaseOwner = :owner, firstSeenAt = if_not_exists(firstSeenAt, \
                 :now) ADD attempts :one",
            )
            .condition_expression("attribute_not_exists(leaseUntil) OR leaseUntil <= :now OR leaseOwner = :owner")
            .expression_attribute_values(":ca", text(ca_id.as_str()))
            .expression_attribute_values(":until", number(worker.until.as_millis()))
            .expression_attribute_values(":owner", text(&worker.owner))
            .expression_attribute_values(":now", number(worker.now.as_millis()))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew);
        match request.send().await {
            Ok(answer) => Ok(Some(Row::read(answer.attributes().ok_or(JitrFailure::BadRow)?)?)),
            Err(error) if is_lost_condition(error.as_service_error()) => Ok(None),
            Err(error) => Err(JitrFailure::call(Call::WriteLedger, error)),
        }
    }

    /// Notes what is about to be done, before it is done.
    ///
    /// # Errors
    /// [`JitrFailure::LeaseLost`] when somebody took over, [`Call::WriteLedger`].
    pub async fn plan(
        &self,
        certificate: &CertificateId,
        worker: &Worker,
        standing: &Standing,
    ) -> Result<(), JitrFailure> {
        self.write(certificate, worker, standing, false).await
    }

    /// Notes what came of it, and gives the lease back.
    ///
    /// # Errors
    /// [`JitrFailure::LeaseLost`] when somebody took over, [`Call::WriteLedger`].
    pub async fn settle(
        &self,
        certificate: &CertificateId,
        worker: &Worker,
        standing: &Standing,
    ) -> Result<(), JitrFailure> {
        self.write(certificate, worker, standing, true).await
    }

    async fn write(
        &self,
        certificate: &CertificateId,
        worker: &Worker,
        standing: &Standing,
        is_last: bool,
    ) -> Result<(), JitrFailure> {
        let set = "SET #status = :status, decidedAt = :now, reasons = :reasons, thing = :thing";
        let request = self
            .update(certificate)
            .update_expression(if is_last { format!("{set} REMOVE leaseUntil, leaseOwner") } else { set.to_owned() })
            .condition_expression("leaseOwner = :owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", text(standing.word()))
            .expression_attribute_values(":reasons", list(standing.reasons().iter().map(|reason| reason.as_str())))
            .expression_attribute_values(":thing", optional(standing.thing().map(ThingName::as_str)))
            .expression_attribute_values(":owner", text(&worker.owner))
            .expression_attribute_values(":now", number(worker.now.as_millis()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_lost_condition(error.as_service_error()) => Err(JitrFailure::LeaseLost),
            Err(error) => Err(JitrFailure::call(Call::WriteLedger, error)),
        }
    }

    /// Gives the lease back after a failure, so that the next try need not wait; nothing depends on it.
    ///
    /// # Errors
    /// [`Call::WriteLedger`]: the lease runs out by itself.
    pub async fn release(&self, certificate: &CertificateId, worker: &Worker) -> Result<(), JitrFailure> {
        let request = self
            .update(certificate)
            .update_expression("REMOVE leaseUntil, leaseOwner")
            .condition_expression("leaseOwner = :owner")
            .expression_attribute_values(":owner", text(&worker.owner));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_lost_condition(error.as_service_error()) => Ok(()),
            Err(error) => Err(JitrFailure::call(Call::WriteLedger, error)),
        }
    }

    /// Writes down that somebody revoked the certificate. Who works on it at this moment finds the thing's record without
    /// it, and undoes what they did.
    ///
    /// # Errors
    /// [`Call::WriteLedger`].
    pub async fn audit_revocation(&self, certificate: &CertificateId, audit: Audit<'_>) -> Result<(), JitrFailure> {
        let request = self
            .update(certificate)
            .update_expression("SET revokedBy = :by, revokedAt = :at, revokedFor = :reasons")
            .expression_attribute_values(":by", text(audit.by))
            .expression_attribute_values(":at", number(audit.at.as_millis()))
            .expression_attribute_values(":reasons", list(audit.reasons.iter().map(String::as_str)));
        request.send().await.map_err(|error| JitrFailure::call(Call::WriteLedger, error))?;
        Ok(())
    }

    /// The row, read consistently.
    ///
    /// # Errors
    /// [`Call::ReadLedger`], [`JitrFailure::BadRow`].
    pub async fn get(&self, certificate: &CertificateId) -> Result<Option<Row>, JitrFailure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(certificate)));
        let answer = request.send().await.map_err(|error| JitrFailure::call(Call::ReadLedger, error))?;
        answer.item().map(Row::read).transpose()
    }

    fn update(
        &self,
        certificate: &CertificateId,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(key(certificate)))
    }
}

fn is_lost_condition(error: Option<&UpdateItemError>) -> bool {
    matches!(error, Some(UpdateItemError::ConditionalCheckFailedException(_)))
}

fn key(certificate: &CertificateId) -> HashMap<String, AttributeValue> {
    HashMap::from([("certificateId".to_owned(), text(certificate.as_str()))])
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn optional(value: Option<&str>) -> AttributeValue {
    value.map_or(AttributeValue::Null(true), text)
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn list<'a>(values: impl Iterator<Item = &'a str>) -> AttributeValue {
    AttributeValue::L(values.map(text).collect())
}

/// Reasons as the ledger keeps them.
pub(crate) fn reasons_of(value: Option<&AttributeValue>) -> Vec<Reason> {
    let words = value.and_then(|value| value.as_l().ok()).map(Vec::as_slice).unwrap_or_default();
    words.iter().filter_map(|word| Reason::from_word(word.as_s().ok()?)).collect()
}
