use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Refusal, RefusalCode};

/// The id that AWS IoT gives a certificate, a device's or a CA's: exactly 64 lower-case hexadecimal digits.
///
/// It is made from the certificate, so a certificate that was deleted and is registered again has the same id.
/// Source: AWS IoT API reference, `DescribeCertificate`, `certificateId`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertificateId(String);

impl CertificateId {
    /// How many digits an id has.
    pub const LENGTH: usize = 64;

    /// An id that keeps the rule of this type.
    ///
    /// # Errors
    /// [`RefusalCode::InvalidCertificateId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == Self::LENGTH && digits {
            return Ok(Self(text.to_owned()));
        }
        let detail = format!("no certificate id: expected {} lower-case hexadecimal digits", Self::LENGTH);
        Err(Refusal::new(RefusalCode::InvalidCertificateId, detail))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CertificateId {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::parse(&text)
    }
}

impl From<CertificateId> for String {
    fn from(id: CertificateId) -> Self {
        id.0
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_64_digits_is_valid_and_one_of_63_or_65_is_not() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(CertificateId::parse(&id).unwrap().as_str(), id);
        assert!(CertificateId::parse(&id[1..]).is_err());
        assert!(CertificateId::parse(&format!("{id}0")).is_err());
    }

    #[test]
    fn an_upper_case_digit_or_another_character_is_refused() {
        for odd in ["A", "g", " ", "#", "/"] {
            let text = format!("{odd}{}", "0".repeat(63));
            assert_eq!(CertificateId::parse(&text).unwrap_err().code, RefusalCode::InvalidCertificateId, "{odd:?}");
        }
        assert!(CertificateId::parse(&"ä".repeat(32)).is_err());
    }

    #[test]
    fn an_id_in_json_keeps_the_rule() {
        let id = "a".repeat(64);
        let read: CertificateId = serde_json::from_value(id.clone().into()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), id.as_str());
        assert!(serde_json::from_value::<CertificateId>("a".into()).is_err());
    }
}
