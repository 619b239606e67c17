//! The ARN of a KMS key, which a header states before anybody has proved it.

use super::NoKey;
use loam_sealed::{EncryptedDataKey, UnverifiedHeader};

/// The longest name of a region that is taken, in bytes.
const MOST_REGION_BYTES: usize = 32;

/// Host names of AWS end so, by partition. Source: `partitions.json` of the AWS SDK for Python.
const SUFFIXES: [(&str, &str); 8] = [
    ("aws", "amazonaws.com"),
    ("aws-cn", "amazonaws.com.cn"),
    ("aws-eusc", "amazonaws.eu"),
    ("aws-iso", "c2s.ic.gov"),
    ("aws-iso-b", "sc2s.sgov.gov"),
    ("aws-iso-e", "cloud.adc-e.uk"),
    ("aws-iso-f", "csp.hci.ic.gov"),
    ("aws-us-gov", "amazonaws.com"),
];

/// A KMS key in a region of AWS. It may be anybody's: that it is the stack's own is for the role of the credentials to see to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyArn {
    arn: String,
    region: String,
    suffix: &'static str,
}

impl KeyArn {
    /// The key of a header's `aws-kms` data key, and that data key as KMS encrypted it.
    ///
    /// # Errors
    /// [`NoKey::NoKmsDataKey`].
    pub(super) fn of(header: &UnverifiedHeader) -> Result<(Self, &[u8]), NoKey> {
        let mut keys = header.encrypted_data_keys().iter();
        let key = keys.find(|key| key.provider_id() == EncryptedDataKey::AWS_KMS).ok_or(NoKey::NoKmsDataKey)?;
        let arn = std::str::from_utf8(key.provider_info()).map_err(|_| NoKey::NoKmsDataKey)?;
        Ok((Self::parse(arn)?, key.ciphertext()))
    }

    /// Its region becomes part of the host that a signed request goes to, so nothing but a region and a known partition passes.
    ///
    /// # Errors
    /// [`NoKey::NoKmsDataKey`].
    pub(super) fn parse(arn: &str) -> Result<Self, NoKey> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "kms", region, _account, _key] = parts.as_slice() else {
            return Err(NoKey::NoKmsDataKey);
        };
        let known = SUFFIXES.iter().find(|(known, _)| known == partition);
        let plain = region.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        match known {
            Some((_, suffix)) if plain && (1..=MOST_REGION_BYTES).contains(&region.len()) => {
                Ok(Self { arn: arn.to_owned(), region: (*region).to_owned(), suffix })
            }
            _ => Err(NoKey::NoKmsDataKey),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.arn
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// Where KMS is asked for it.
    pub(super) fn endpoint(&self) -> String {
        format!("https://kms.{}.{}", self.region, self.suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(partition: &str, region: &str) -> Option<String> {
        let arn = format!("arn:{partition}:kms:{region}:111122223333:key/1234abcd");
        KeyArn::parse(&arn).ok().map(|key| key.endpoint())
    }

    #[test]
    fn kms_is_asked_in_the_keys_own_region_and_partition() {
        assert_eq!(endpoint("aws", "eu-west-1").unwrap(), "https://kms.eu-west-1.amazonaws.com");
        assert_eq!(endpoint("aws-cn", "cn-north-1").unwrap(), "https://kms.cn-north-1.amazonaws.com.cn");
        assert_eq!(endpoint("aws-us-gov", "us-gov-west-1").unwrap(), "https://kms.us-gov-west-1.amazonaws.com");
        assert_eq!(endpoint("aws-eusc", "eusc-de-east-1").unwrap(), "https://kms.eusc-de-east-1.amazonaws.eu");
    }

    #[test]
    fn an_arn_that_would_lead_elsewhere_is_none() {
        for region in ["", "evil.com/", "eu-west-1.evil.com", "a@b", "EU", "x#", "a b", &"x".repeat(33)] {
            assert_eq!(endpoint("aws", region), None, "{region}");
        }
        assert_eq!(endpoint("aws-evil", "eu-west-1"), None);
        for arn in ["", "key", "arn:aws:s3:eu-west-1:1:key/x", "arn:aws:kms:eu-west-1:1", "arn:aws:kms:r:1:key/x:y"] {
            assert_eq!(KeyArn::parse(arn).unwrap_err().code(), "no-kms-data-key", "{arn}");
        }
    }
}
