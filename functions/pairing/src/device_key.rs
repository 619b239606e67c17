//! Whether a device's own key signed a text: RSA of 2,048 to 8,192 bits, or ECDSA on P-256 and P-384.

use ring::signature as sig;
use x509_parser::asn1_rs::FromDer as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION};
use x509_parser::pem::parse_x509_pem;
use x509_parser::x509::SubjectPublicKeyInfo;

/// The longest certificate that is looked at, in bytes of PEM.
const MAX_PEM_BYTES: usize = 65_536;

/// The longest signature that is looked at, in bytes: that of an RSA key of 8,192 bits.
pub const MAX_SIGNATURE_BYTES: usize = 1_024;

/// The first byte of a point on a curve of which both coordinates follow. Source: SEC 1, section 2.3.3.
const UNCOMPRESSED: u8 = 4;

/// The public key of a device's certificate, as AWS IoT has it registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceKey {
    kind: Kind,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
}

/// How the device signs. The device says it; its key decides which of them can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `rsa-pss-sha256`: RSASSA-PSS, MGF1 with SHA-256, a salt of 32 bytes.
    RsaPssSha256,
    /// `rsa-pkcs1-sha256`: RSASSA-PKCS1-v1_5.
    RsaPkcs1Sha256,
    /// `ecdsa-p256-sha256`: in ASN.1 DER, as OpenSSL and mbed TLS write it.
    EcdsaP256Sha256,
    /// `ecdsa-p256-sha256-raw`: r and s, 32 bytes each, as secure elements give it.
    EcdsaP256Sha256Raw,
    /// `ecdsa-p384-sha384`: in ASN.1 DER.
    EcdsaP384Sha384,
    /// `ecdsa-p384-sha384-raw`: r and s, 48 bytes each.
    EcdsaP384Sha384Raw,
}

/// Why nothing is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// The key of the certificate cannot sign so.
    #[error("the device's key is of another kind than the algorithm")]
    OtherKey,
    /// Another key, another text, or no signature at all.
    #[error("the device's key did not sign this")]
    Signature,
}

/// The certificate is none, or its key is of no kind that is taken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no certificate with a key on P-256, P-384 (uncompressed) or RSA")]
pub struct NoKey;

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::RsaPssSha256,
        Self::RsaPkcs1Sha256,
        Self::EcdsaP256Sha256,
        Self::EcdsaP256Sha256Raw,
        Self::EcdsaP384Sha384,
        Self::EcdsaP384Sha384Raw,
    ];

    /// Its word in a request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaPssSha256 => "rsa-pss-sha256",
            Self::RsaPkcs1Sha256 => "rsa-pkcs1-sha256",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP256Sha256Raw => "ecdsa-p256-sha256-raw",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::EcdsaP384Sha384Raw => "ecdsa-p384-sha384-raw",
        }
    }

    /// The algorithm of this word; `None` for any other text.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == word)
    }

    const fn key(self) -> Kind {
        match self {
            Self::RsaPssSha256 | Self::RsaPkcs1Sha256 => Kind::Rsa,
            Self::EcdsaP256Sha256 | Self::EcdsaP256Sha256Raw => Kind::P256,
            Self::EcdsaP384Sha384 | Self::EcdsaP384Sha384Raw => Kind::P384,
        }
    }

    fn verification(self) -> &'static dyn sig::VerificationAlgorithm {
        match self {
            Self::RsaPssSha256 => &sig::RSA_PSS_2048_8192_SHA256,
            Self::RsaPkcs1Sha256 => &sig::RSA_PKCS1_2048_8192_SHA256,
            Self::EcdsaP256Sha256 => &sig::ECDSA_P256_SHA256_ASN1,
            Self::EcdsaP256Sha256Raw => &sig::ECDSA_P256_SHA256_FIXED,
            Self::EcdsaP384Sha384 => &sig::ECDSA_P384_SHA384_ASN1,
            Self::EcdsaP384Sha384Raw => &sig::ECDSA_P384_SHA384_FIXED,
        }
    }
}

impl DeviceKey {
    /// The key of a certificate in PEM form, as `DescribeCertificate` gives it. Nothing else of it is looked at: that it
    /// is the thing's, and active, is known from the registry.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn from_pem(pem: &str) -> Result<Self, NoKey> {
        if pem.len() > MAX_PEM_BYTES {
            return Err(NoKey);
        }
        let (_, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| NoKey)?;
        let (_, certificate) = X509Certificate::from_der(&block.contents).map_err(|_| NoKey)?;
        let info = certificate.public_key();
        let kind = kind_of(info).ok_or(NoKey)?;
        let bytes = info.subject_public_key.data.to_vec();
        // A point that is written compressed (2 or 3, and x alone) is one that `ring` does not read: no key, rather than one
        // that never signed anything.
        let readable = kind == Kind::Rsa || bytes.first() == Some(&UNCOMPRESSED);
        if readable { Ok(Self { kind, bytes }) } else { Err(NoKey) }
    }

    /// Whether this key made `signature` over `text`.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn verify(&self, algorithm: Algorithm, text: &str, signature: &[u8]) -> Result<(), NotSigned> {
        if algorithm.key() != self.kind {
            return Err(NotSigned::OtherKey);
        }
        if signature.len() > MAX_SIGNATURE_BYTES {
            return Err(NotSigned::Signature);
        }
        let key = sig::UnparsedPublicKey::new(algorithm.verification(), &self.bytes);
        key.verify(text.as_bytes(), signature).map_err(|_| NotSigned::Signature)
    }
}

fn kind_of(info: &SubjectPublicKeyInfo<'_>) -> Option<Kind> {
    if info.algorithm.algorithm == OID_PKCS1_RSAENCRYPTION {
        return Some(Kind::Rsa);
    }
    if info.algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
        return None;
    }
    let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?;
    if curve == OID_EC_P256 {
        return Some(Kind::P256);
    }
    (curve == OID_NIST_EC_P384).then_some(Kind::P384)
}

#[cfg(test)]
mod tests;
