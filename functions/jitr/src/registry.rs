//! AWS IoT's registry: certificates, things, policies. Each step is "ensure": done again, it changes nothing.
//!
//! Source of what AWS answers: AWS IoT API reference, the operations' "Errors". The control plane throttles with HTTP 400
//! `ThrottlingException`; certificate calls are limited to about 10 a second in an account, `AttachPolicy` to 15.

use aws_config::SdkConfig;
use aws_sdk_iot::operation::create_thing::CreateThingError;
use aws_sdk_iot::operation::describe_certificate::DescribeCertificateError;
use aws_sdk_iot::operation::describe_thing::DescribeThingError;
use aws_sdk_iot::operation::detach_thing_principal::DetachThingPrincipalError;
use aws_sdk_iot::operation::update_certificate::UpdateCertificateError;
use aws_sdk_iot::types::{AttributePayload, CertificateStatus, ThingPrincipalType};
use loam_domain::{CertificateId, ThingName};
use loam_things::ThingRecord;

use crate::certificate::Authority;
use crate::error::{Call, JitrFailure};
use crate::ledger_row::AwsStatus;

/// The registry of the account and region.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    client: aws_sdk_iot::Client,
}

/// What AWS says of a certificate.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    /// Its ARN, which policies and things are attached to.
    pub(crate) arn: String,
    /// Its state.
    pub(crate) status: AwsStatus,
    /// The CA that it was registered under, if any.
    pub(crate) ca_id: Option<CertificateId>,
    /// Itself.
    pub(crate) pem: String,
}

/// What came of creating a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    /// It is there, with exactly this configuration.
    There,
    /// One of this name has another configuration: we did not make it.
    Foreign,
}

impl Registry {
    /// The registry.
    #[must_use]
    pub(crate) fn new(sdk: &SdkConfig) -> Self {
        Self { client: aws_sdk_iot::Client::new(sdk) }
    }

    /// A certificate; `None` for one that was deleted.
    ///
    /// # Errors
    /// [`Call::DescribeCertificate`], [`JitrFailure::Incomplete`].
    pub(crate) async fn certificate(&self, id: &CertificateId) -> Result<Option<Description>, JitrFailure> {
        let answer = self.client.describe_certificate().certificate_id(id.as_str()).send().await;
        let description = match answer {
            Ok(answer) => answer.certificate_description.ok_or(JitrFailure::Incomplete)?,
            Err(error) => match error.as_service_error() {
                Some(DescribeCertificateError::ResourceNotFoundException(_)) => return Ok(None),
                _ => return Err(JitrFailure::call(Call::DescribeCertificate, error)),
            },
        };
        Ok(Some(Description {
            arn: description.certificate_arn.ok_or(JitrFailure::Incomplete)?,
            status: status(description.status.as_ref()),
            ca_id: description.ca_certificate_id.and_then(|id| CertificateId::parse(&id).ok()),
            pem: description.certificate_pem.ok_or(JitrFailure::Incomplete)?,
        }))
    }

    /// A CA's certificate.
    ///
    /// # Errors
    /// [`Call::DescribeCa`], [`JitrFailure::UnreadableCa`].
    pub(crate) async fn authority(&self, ca_id: &CertificateId) -> Result<Authority, JitrFailure> {
        let answer = self.client.describe_ca_certificate().certificate_id(ca_id.as_str()).send().await;
        let answer = answer.map_err(|error| JitrFailure::call(Call::DescribeCa, error))?;
        let pem = answer.certificate_description.and_then(|description| description.certificate_pem);
        Authority::from_pem(&pem.ok_or(JitrFailure::Incomplete)?).map_err(|_| JitrFailure::UnreadableCa)
    }

    /// Whether the registry knows a thing of this name.
    ///
    /// # Errors
    /// [`Call::DescribeThing`].
    pub(crate) async fn knows(&self, thing: &ThingName) -> Result<bool, JitrFailure> {
        let answer = self.client.describe_thing().thing_name(thing.as_str()).send().await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(DescribeThingError::ResourceNotFoundException(_)) => Ok(false),
                _ => Err(JitrFailure::call(Call::DescribeThing, error)),
            },
        }
    }

    /// Creates the thing as its record says, not as the profile says today: AWS takes the same configuration again as
    /// success, and answers ResourceAlreadyExistsException (409) to another.
    ///
    /// # Errors
    /// [`Call::CreateThing`], also when the type does not exist.
    pub(crate) async fn create_thing(&self, record: &ThingRecord) -> Result<Created, JitrFailure> {
        let mut request = self.client.create_thing().thing_name(record.thing.as_str());
        request = request.set_thing_type_name(record.thing_type.clone());
        if !record.attributes.is_empty() {
            let attributes = record.attributes.clone().into_iter().collect();
            request = request.attribute_payload(AttributePayload::builder().set_attributes(Some(attributes)).build());
        }
        match request.send().await {
            Ok(_) => Ok(Created::There),
            Err(error) => match error.as_service_error() {
                Some(CreateThingError::ResourceAlreadyExistsException(_)) => Ok(Created::Foreign),
                _ => Err(JitrFailure::call(Call::CreateThing, error)),
            },
        }
    }

    /// Puts the thing into a static group; again is success.
    ///
    /// # Errors
    /// [`Call::JoinGroup`], also when the group does not exist.
    pub(crate) async fn join(&self, thing: &ThingName, group: &str) -> Result<(), JitrFailure> {
        let request = self.client.add_thing_to_thing_group().thing_name(thing.as_str()).thing_group_name(group);
        request.send().await.map_err(|error| JitrFailure::call(Call::JoinGroup, error))?;
        Ok(())
    }

    /// Attaches the certificate to the thing, and to no other: life-cycle events then name the thing. Again is success; a
    /// certificate that is attached to another thing is an InvalidRequestException (400), and stays inactive with us.
    ///
    /// # Errors
    /// [`Call::AttachPrincipal`].
    pub(crate) async fn attach(&self, thing: &ThingName, arn: &str) -> Result<(), JitrFailure> {
        let request = self.client.attach_thing_principal().thing_name(thing.as_str()).principal(arn);
        let request = request.thing_principal_type(ThingPrincipalType::ExclusiveThing);
        request.send().await.map_err(|error| JitrFailure::call(Call::AttachPrincipal, error))?;
        Ok(())
    }

    /// Detaches the certificate; one that is gone is detached.
    ///
    /// # Errors
    /// [`Call::DetachPrincipal`].
    pub(crate) async fn detach(&self, thing: &ThingName, arn: &str) -> Result<(), JitrFailure> {
        let request = self.client.detach_thing_principal().thing_name(thing.as_str()).principal(arn);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DetachThingPrincipalError::ResourceNotFoundException(_)) => Ok(()),
                _ => Err(JitrFailure::call(Call::DetachPrincipal, error)),
            },
        }
    }

    /// Attaches a policy to the certificate; again is success.
    ///
    /// # Errors
    /// [`Call::AttachPolicy`].
    pub(crate) async fn attach_policy(&self, policy: &str, arn: &str) -> Result<(), JitrFailure> {
        let request = self.client.attach_policy().policy_name(policy).target(arn);
        request.send().await.map_err(|error| JitrFailure::call(Call::AttachPolicy, error))?;
        Ok(())
    }

    /// Detaches a policy from the certificate. AWS documents no answer for what is not attached; it succeeds.
    ///
    /// # Errors
    /// [`Call::DetachPolicy`].
    pub(crate) async fn detach_policy(&self, policy: &str, arn: &str) -> Result<(), JitrFailure> {
        let request = self.client.detach_policy().policy_name(policy).target(arn);
        request.send().await.map_err(|error| JitrFailure::call(Call::DetachPolicy, error))?;
        Ok(())
    }

    /// Sets the certificate's state; `false` for one that was deleted. A state that AWS does not allow now is a
    /// CertificateStateException (406): the event comes again and looks anew.
    ///
    /// # Errors
    /// [`Call::UpdateCertificate`].
    pub(crate) async fn set_status(&self, id: &CertificateId, status: CertificateStatus) -> Result<bool, JitrFailure> {
        let request = self.client.update_certificate().certificate_id(id.as_str()).new_status(status);
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateCertificateError::ResourceNotFoundException(_)) => Ok(false),
                _ => Err(JitrFailure::call(Call::UpdateCertificate, error)),
            },
        }
    }
}

fn status(status: Option<&CertificateStatus>) -> AwsStatus {
    match status {
        Some(CertificateStatus::PendingActivation) => AwsStatus::Pending,
        Some(CertificateStatus::Active) => AwsStatus::Active,
        Some(CertificateStatus::Inactive | CertificateStatus::RegisterInactive) => AwsStatus::Inactive,
        Some(CertificateStatus::Revoked) => AwsStatus::Revoked,
        _ => AwsStatus::Other,
    }
}
