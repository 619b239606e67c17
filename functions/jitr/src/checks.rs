//! Whether a certificate is one that its CA issued and that is worth trusting.

use loam_domain::Timestamp;

use crate::certificate::{Authority, Certificate, Key};
use crate::reason::Reason;

/// Everything that is wrong with the certificate itself, whatever the profile says.
#[must_use]
pub fn flaws(certificate: &Certificate, authority: &Authority, now: Timestamp) -> Vec<Reason> {
    let seconds = now.as_secs();
    let checks = [
        (seconds > certificate.not_after, Reason::Expired),
        (seconds < certificate.not_before, Reason::NotYetValid),
        (certificate.key == Key::Weak, Reason::WeakKey),
        (certificate.key == Key::Unsupported, Reason::UnsupportedKey),
        (certificate.signed_over_sha1, Reason::WeakSignature),
        (!certificate.names_issuer(authority), Reason::IssuerMismatch),
        (!certificate.is_signed_by(authority), Reason::BadSignature),
        (certificate.may_sign, Reason::IsACa),
    ];
    checks.into_iter().filter(|(flawed, _)| *flawed).map(|(_, reason)| reason).collect()
}

#[cfg(test)]
mod tests;
