//! The device's private key, as far as pairing uses it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SigningKey;
use serde::Serialize;
use std::sync::Arc;

/// What a device signs with: the words of the confirmation for what its key can do.
const ALGORITHMS: [(SignatureScheme, &str); 3] = [
    (SignatureScheme::ECDSA_NISTP256_SHA256, "ecdsa-p256-sha256"),
    (SignatureScheme::ECDSA_NISTP384_SHA384, "ecdsa-p384-sha384"),
    (SignatureScheme::RSA_PSS_SHA256, "rsa-pss-sha256"),
];

/// The key that the device's certificate belongs to.
#[derive(Debug, Clone)]
pub struct PairingKey(Arc<dyn SigningKey>);

/// A signature, in the form in which an app hands it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// How it was made, for example `ecdsa-p256-sha256`.
    pub algorithm: &'static str,
    /// Its bytes in base64.
    pub signature: String,
}

impl PairingKey {
    /// The key in this PEM text: PKCS#8, PKCS#1 or SEC1; RSA, P-256 or P-384. `None` for any other.
    #[must_use]
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        any_supported_type(&PrivateKeyDer::from_pem_slice(pem).ok()?).ok().map(Self)
    }

    /// Signs the text; `None` if the key is of a kind that pairing does not know.
    pub(super) fn sign(&self, text: &str) -> Option<Signature> {
        ALGORITHMS.into_iter().find_map(|(scheme, algorithm)| {
            let signer = self.0.choose_scheme(&[scheme])?;
            let signature = signer.sign(text.as_bytes()).ok()?;
            Some(Signature { algorithm, signature: BASE64_STANDARD.encode(signature) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};

    #[test]
    fn each_kind_of_key_signs_in_its_own_way() {
        for (kind, word) in
            [(&PKCS_ECDSA_P256_SHA256, "ecdsa-p256-sha256"), (&PKCS_ECDSA_P384_SHA384, "ecdsa-p384-sha384")]
        {
            let pem = KeyPair::generate_for(kind).unwrap().serialize_pem();
            let signed = PairingKey::from_pem(pem.as_bytes()).unwrap().sign("text").unwrap();
            assert_eq!(signed.algorithm, word);
            assert!(BASE64_STANDARD.decode(signed.signature).is_ok_and(|bytes| bytes.len() > 60));
        }
    }

    #[test]
    fn a_certificate_is_no_key() {
        assert!(PairingKey::from_pem(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_none());
        assert!(PairingKey::from_pem(b"").is_none());
    }
}
