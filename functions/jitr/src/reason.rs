//! Why a certificate does not become a thing: stable words.

use serde::{Deserialize, Serialize};

/// One reason to refuse a certificate. Renaming a word breaks alarms, dashboards and ledger rows that hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The PEM holds no certificate that can be read, or more than one.
    Unreadable,
    /// Its validity has ended.
    Expired,
    /// Its validity has not begun.
    NotYetValid,
    /// An RSA key of fewer than 2,048 bits, or one whose exponent is no use.
    WeakKey,
    /// Neither RSA nor an elliptic curve key on P-256 or P-384.
    UnsupportedKey,
    /// Signed over a SHA-1 digest, which can be forged.
    WeakSignature,
    /// Its issuer is not, byte for byte, the subject of the CA that it was registered under.
    IssuerMismatch,
    /// The CA's key did not sign it, or by an algorithm that cannot be checked.
    BadSignature,
    /// It may sign certificates itself.
    IsACa,
    /// It lacks the field that the profile takes the name from.
    NameMissing,
    /// It holds that field more than once.
    NameAmbiguous,
    /// The name breaks the profile's pattern.
    NamePattern,
    /// The name belongs to Loam's own topics.
    ReservedName,
    /// The name is none that a thing can have.
    InvalidName,
    /// On the profile's deny list.
    Denied,
    /// Not on the allow list of a profile that admits only what is listed.
    NotListed,
    /// A thing of this name exists, and this profile did not make it.
    ThingTaken,
    /// A thing of this name existed and was retired.
    ThingRetired,
    /// This certificate was retired with its thing.
    CertificateRetired,
    /// This certificate was revoked before.
    CertificateRevoked,
    /// The profile's greatest number of devices is reached.
    ProfileFull,
    /// The thing has a certificate that may connect, and the profile admits no second.
    SecondCertificate,
}

impl Reason {
    /// All reasons, in the order in which they are told.
    pub const ALL: [Self; 22] = [
        Self::Unreadable,
        Self::Expired,
        Self::NotYetValid,
        Self::WeakKey,
        Self::UnsupportedKey,
        Self::WeakSignature,
        Self::IssuerMismatch,
        Self::BadSignature,
        Self::IsACa,
        Self::NameMissing,
        Self::NameAmbiguous,
        Self::NamePattern,
        Self::ReservedName,
        Self::InvalidName,
        Self::Denied,
        Self::NotListed,
        Self::ThingTaken,
        Self::ThingRetired,
        Self::CertificateRetired,
        Self::CertificateRevoked,
        Self::ProfileFull,
        Self::SecondCertificate,
    ];

    /// The word, for example `not-yet-valid`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WeakKey => "weak-key",
            Self::UnsupportedKey => "unsupported-key",
            Self::WeakSignature => "weak-signature",
            Self::IssuerMismatch => "issuer-mismatch",
            Self::BadSignature => "bad-signature",
            Self::IsACa => "is-a-ca",
            Self::NameMissing => "name-missing",
            Self::NameAmbiguous => "name-ambiguous",
            Self::NamePattern => "name-pattern",
            Self::ReservedName => "reserved-name",
            Self::InvalidName => "invalid-name",
            Self::Denied => "denied",
            Self::NotListed => "not-listed",
            Self::ThingTaken => "thing-taken",
            Self::ThingRetired => "thing-retired",
            Self::CertificateRetired => "certificate-retired",
            Self::CertificateRevoked => "certificate-revoked",
            Self::ProfileFull => "profile-full",
            Self::SecondCertificate => "second-certificate",
        }
    }

    /// The reason of a word; `None` for any other text.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// What was expected instead, for the person who asks.
    #[must_use]
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Unreadable => "expected one X.509 certificate in PEM form",
            Self::Expired => "expected an end of validity that lies ahead: issue a new certificate",
            Self::NotYetValid => "expected a begin of validity that has passed: check the issuing clock",
            Self::WeakKey => "expected an RSA key of at least 2,048 bits with an odd exponent of at least 3",
            Self::UnsupportedKey => "expected an RSA key, or one on the curve P-256 or P-384",
            Self::WeakSignature => "expected a signature over SHA-256 or longer",
            Self::IssuerMismatch => "expected the CA's subject as issuer, byte for byte",
            Self::BadSignature => "expected a signature by the CA's key: RSA, or ECDSA on P-256 or P-384",
            Self::IsACa => "expected a certificate that may not sign others",
            Self::NameMissing => "expected the subject field that the profile's nameFrom names",
            Self::NameAmbiguous => "expected the field that nameFrom names once",
            Self::NamePattern => "expected a name that the profile's namePattern matches as a whole",
            Self::ReservedName => "expected a name that is none of Loam's own topics",
            Self::InvalidName => "expected 1 to 128 characters of [A-Za-z0-9:_-]",
            Self::Denied => "on the profile's deny list: remove the entry to admit it",
            Self::NotListed => "expected an entry of the profile's allow list",
            Self::ThingTaken => "expected a name that no other registration uses",
            Self::ThingRetired => "a retired name is never used again: choose another",
            Self::CertificateRetired => "a retired certificate is never used again: issue a new one",
            Self::CertificateRevoked => "a revoked certificate is never used again: issue a new one",
            Self::ProfileFull => "expected fewer devices than maxDevices: raise it, or retire some",
            Self::SecondCertificate => "expected no other live certificate: retire it, or let the profile rotate",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_in_json_is_its_word_and_is_read_back_from_it() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert_eq!(Reason::from_word(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::from_word("because"), None);
    }

    #[test]
    fn all_reasons_stand_in_their_order_once() {
        assert!(Reason::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
