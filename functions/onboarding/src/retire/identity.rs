use aws_config::SdkConfig;
use aws_sdk_iot::error::ProvideErrorMetadata as _;
use aws_sdk_iot::operation::delete_certificate::DeleteCertificateError;
use aws_sdk_iot::operation::delete_thing::DeleteThingError;
use aws_sdk_iot::operation::detach_policy::DetachPolicyError;
use aws_sdk_iot::operation::detach_thing_principal::DetachThingPrincipalError;
use aws_sdk_iot::operation::update_certificate::UpdateCertificateError;
use aws_sdk_iot::types::CertificateStatus;
use aws_sdk_iotdataplane::operation::delete_connection::DeleteConnectionError;
use loam_domain::{CertificateId, ThingName};

use crate::error::CallFailed;

/// A thing's identity in AWS IoT: its certificates, their policies, its connection, its place in the registry.
///
/// Every call ensures that something is gone; what is gone already is no error.
#[derive(Debug, Clone)]
pub struct Identity {
    iot: aws_sdk_iot::Client,
    connections: aws_sdk_iotdataplane::Client,
    policies: Vec<String>,
    certificates_arn: String,
}

/// What came of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It is gone.
    Yes,
    /// AWS IoT takes it for attached: detaching is asynchronous. Ask again later.
    NotYet,
    /// The certificate is active again: somebody else was at work on it.
    Active,
}

impl Identity {
    /// The identities in the account and region of `sdk`. `policies`: those that Loam attaches to certificates;
    /// `certificates_arn`: what stands before the id in a certificate's ARN.
    #[must_use]
    pub fn new(sdk: &SdkConfig, policies: Vec<String>, certificates_arn: String) -> Self {
        let (iot, connections) = (aws_sdk_iot::Client::new(sdk), aws_sdk_iotdataplane::Client::new(sdk));
        Self { iot, connections, policies, certificates_arn }
    }

    /// Makes a certificate inactive. Says whether there is one: `false` means that it is deleted.
    pub(crate) async fn deactivate(&self, id: &CertificateId) -> Result<bool, CallFailed> {
        let request = self.iot.update_certificate().certificate_id(id.as_str());
        match request.new_status(CertificateStatus::Inactive).send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateCertificateError::ResourceNotFoundException(_)) => Ok(false),
                // A state that does not become inactive is not active either; if it is, its deletion says so.
                Some(UpdateCertificateError::CertificateStateException(_)) => Ok(true),
                _ => Err(CallFailed::of("UpdateCertificate", error)),
            },
        }
    }

    /// Ends the client's connection and its session, without its last will.
    /// Source: AWS IoT API reference, `DeleteConnection`: 404 when there is none.
    pub(crate) async fn disconnect(&self, thing: &ThingName) -> Result<(), CallFailed> {
        let request = self.connections.delete_connection().client_id(thing.as_str());
        match request.clean_session(true).prevent_will_message(true).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(DeleteConnectionError::is_resource_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(CallFailed::of("DeleteConnection", error)),
        }
    }

    /// Detaches our policies from a certificate; one that was not attached is no error.
    pub(crate) async fn detach_policies(&self, id: &CertificateId) -> Result<(), CallFailed> {
        for policy in &self.policies {
            let request = self.iot.detach_policy().policy_name(policy).target(self.arn(id));
            match request.send().await {
                Ok(_) => {}
                // AWS documents no such error for this call; where it comes, there is nothing to detach.
                Err(error) if error.as_service_error().and_then(DetachPolicyError::code) == Some(NOT_FOUND) => {}
                Err(error) => return Err(CallFailed::of("DetachPolicy", error)),
            }
        }
        Ok(())
    }

    /// Tells AWS IoT to detach a certificate from the thing; that may take it some seconds.
    pub(crate) async fn detach(&self, thing: &ThingName, id: &CertificateId) -> Result<(), CallFailed> {
        let request = self.iot.detach_thing_principal().thing_name(thing.as_str()).principal(self.arn(id));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(DetachThingPrincipalError::is_resource_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(CallFailed::of("DetachThingPrincipal", error)),
        }
    }

    /// Deletes a certificate, with the policies that somebody else attached to it.
    /// Source: AWS IoT API reference, `DeleteCertificate`: not while it is active, nor while a thing is attached.
    pub(crate) async fn delete_certificate(&self, id: &CertificateId) -> Result<Gone, CallFailed> {
        let request = self.iot.delete_certificate().certificate_id(id.as_str()).force_delete(true);
        match request.send().await {
            Ok(_) => Ok(Gone::Yes),
            Err(error) => match error.as_service_error() {
                Some(DeleteCertificateError::ResourceNotFoundException(_)) => Ok(Gone::Yes),
                Some(DeleteCertificateError::DeleteConflictException(_)) => Ok(Gone::NotYet),
                Some(DeleteCertificateError::CertificateStateException(_)) => Ok(Gone::Active),
                _ => Err(CallFailed::of("DeleteCertificate", error)),
            },
        }
    }

    /// Deletes the thing from the registry; one that is not there is deleted already.
    ///
    /// A thing with a principal is refused as an invalid request, and of our two fields the name is valid: so that
    /// refusal means that a certificate is still attached.
    pub(crate) async fn delete_thing(&self, thing: &ThingName) -> Result<Gone, CallFailed> {
        match self.iot.delete_thing().thing_name(thing.as_str()).send().await {
            Ok(_) => Ok(Gone::Yes),
            Err(error) => match error.as_service_error() {
                Some(DeleteThingError::ResourceNotFoundException(_)) => Ok(Gone::Yes),
                Some(DeleteThingError::InvalidRequestException(_) | DeleteThingError::VersionConflictException(_)) => {
                    Ok(Gone::NotYet)
                }
                _ => Err(CallFailed::of("DeleteThing", error)),
            },
        }
    }

    fn arn(&self, id: &CertificateId) -> String {
        format!("{}{id}", self.certificates_arn)
    }
}

/// How AWS IoT says that something is not there.
const NOT_FOUND: &str = "ResourceNotFoundException";
