//! The keys of a thing's certificates, as AWS IoT has them registered.

use aws_config::SdkConfig;
use aws_sdk_iot::operation::describe_certificate::DescribeCertificateError;
use aws_sdk_iot::types::CertificateStatus;
use loam_domain::CertificateId;
use loam_things::ThingRecord;

use crate::PairingFailure;
use crate::device_key::DeviceKey;

/// AWS IoT's certificates.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    client: aws_sdk_iot::Client,
}

/// What a certificate says of the device's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// This is it.
    Key(DeviceKey),
    /// It is of a kind that cannot be verified here.
    Unusable,
    /// The certificate is gone, or lets nobody in any more.
    Gone,
}

impl Registry {
    /// The registry of the account and region.
    pub(crate) fn new(sdk: &SdkConfig) -> Self {
        Self { client: aws_sdk_iot::Client::new(sdk) }
    }

    /// The key of a certificate.
    ///
    /// `DescribeCertificate` is limited to about 10 a second in an account; throttled, nothing is known.
    pub(crate) async fn key_of(&self, id: &CertificateId) -> Result<Known, PairingFailure> {
        let answer = self.client.describe_certificate().certificate_id(id.as_str()).send().await;
        let description = match answer {
            Ok(answer) => answer.certificate_description,
            Err(error) => match error.as_service_error() {
                Some(DescribeCertificateError::ResourceNotFoundException(_)) => return Ok(Known::Gone),
                _ => return Err(PairingFailure::NotDescribed(Box::new(error))),
            },
        };
        let active = description.filter(|description| description.status == Some(CertificateStatus::Active));
        let Some(pem) = active.and_then(|description| description.certificate_pem) else { return Ok(Known::Gone) };
        Ok(DeviceKey::from_pem(&pem).map_or(Known::Unusable, Known::Key))
    }
}

/// The certificates by which a thing can connect, the newest first.
pub(crate) fn newest_first(record: &ThingRecord) -> Vec<&CertificateId> {
    let mut live: Vec<_> = record.live().collect();
    live.sort_by_key(|id| std::cmp::Reverse(record.certificates.get(*id).map(|certificate| certificate.since)));
    live
}
