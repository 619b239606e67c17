//! Signatures of manifests: ECDSA on P-256 with SHA-256, in ASN.1 DER, as KMS gives them.

use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

use crate::manifest::{Manifest, NoManifest};
use crate::names::{Digest, Id};

/// The longest signature: two numbers of 33 bytes with their headers.
pub const MOST_SIGNATURE_BYTES: usize = 72;

/// The most keys that a device trusts: the one in use and those that are to follow it.
pub const MOST_KEYS: usize = 4;

/// What stands before the point in a P-256 public key as KMS gives it (SubjectPublicKeyInfo, RFC 5480).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A public key on P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: [u8; 65],
}

/// The keys that a device trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring(Vec<PublicKey>);

/// A manifest that one of the trusted keys signed. There is no other way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified(Manifest);

/// Why nothing is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// The bytes are no manifest.
    #[error("unsigned: {0}")]
    NoManifest(#[from] NoManifest),
    /// It names a signer that is not trusted.
    #[error("the manifest's signer is not trusted")]
    UnknownSigner,
    /// The signer that it names did not sign these bytes.
    #[error("the manifest's signer did not sign this")]
    Signature,
}

/// No public key on P-256, or too many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no public key on P-256 in DER (SubjectPublicKeyInfo, uncompressed), or no keyring of 1 to {MOST_KEYS} of them"
)]
pub struct NoKey;

impl PublicKey {
    /// The key in the form that KMS's `GetPublicKey` gives.
    ///
    /// # Errors
    /// [`NoKey`] for any other curve or form.
    pub fn from_spki(der: &[u8]) -> Result<Self, NoKey> {
        Self::from_point(der.strip_prefix(&SPKI_PREFIX).ok_or(NoKey)?)
    }

    /// The key of an uncompressed point. Whether it lies on the curve shows when a signature is checked.
    ///
    /// # Errors
    /// [`NoKey`] for anything but 65 bytes that begin with 4.
    pub fn from_point(point: &[u8]) -> Result<Self, NoKey> {
        let point: [u8; 65] = point.try_into().map_err(|_| NoKey)?;
        if point.first() == Some(&4) { Ok(Self { point }) } else { Err(NoKey) }
    }

    /// What stands for it in a manifest.
    #[must_use]
    pub fn id(&self) -> Id {
        Digest::of(&self.point).to_id()
    }
}

impl Keyring {
    /// The keys that are trusted.
    ///
    /// # Errors
    /// [`NoKey`] for none and for more than [`MOST_KEYS`].
    pub fn new(keys: Vec<PublicKey>) -> Result<Self, NoKey> {
        if (1..=MOST_KEYS).contains(&keys.len()) { Ok(Self(keys)) } else { Err(NoKey) }
    }

    /// The manifest in `bytes`, if the signer that it names is trusted and signed exactly these bytes.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<Verified, NotSigned> {
        let manifest = Manifest::parse(bytes)?;
        let key = self.0.iter().find(|key| key.id() == manifest.signer).ok_or(NotSigned::UnknownSigner)?;
        if signature.len() > MOST_SIGNATURE_BYTES {
            return Err(NotSigned::Signature);
        }
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key.point);
        key.verify(bytes, signature).map_err(|_| NotSigned::Signature)?;
        Ok(Verified(manifest))
    }
}

impl Verified {
    /// What was signed.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Signer, manifest};

    #[test]
    fn a_key_as_kms_gives_it_is_read_and_another_curve_is_not() {
        let key = Signer::new().key();
        let mut der = [SPKI_PREFIX.as_slice(), &key.point].concat();
        assert_eq!(PublicKey::from_spki(&der), Ok(key));
        assert_eq!(PublicKey::from_spki(&der[..90]), Err(NoKey));
        der[22] = 0x08;
        assert_eq!(PublicKey::from_spki(&der), Err(NoKey));
        assert_eq!(PublicKey::from_point(&[2; 65]), Err(NoKey));
    }

    #[test]
    fn a_point_that_is_not_on_the_curve_verifies_nothing() {
        let signer = Signer::new();
        let key = PublicKey::from_point(&[4; 65]).unwrap();
        let (bytes, signature) = signer.sign(&manifest(1, "1.0.0"));
        let bytes = String::from_utf8(bytes).unwrap().replace(signer.key().id().as_str(), key.id().as_str());
        let ring = Keyring::new(vec![key]).unwrap();
        assert_eq!(ring.verify(bytes.as_bytes(), &signature), Err(NotSigned::Signature));
    }

    #[test]
    fn a_second_trusted_key_takes_over_and_a_fifth_does_not_fit() {
        let (old, new) = (Signer::new(), Signer::new());
        let ring = Keyring::new(vec![old.key(), new.key()]).unwrap();
        for signer in [&old, &new] {
            let (bytes, signature) = signer.sign(&manifest(1, "1.0.0"));
            assert!(ring.verify(&bytes, &signature).is_ok());
        }
        assert_eq!(Keyring::new(vec![old.key(); 5]), Err(NoKey));
        assert_eq!(Keyring::new(vec![]), Err(NoKey));
    }

    #[test]
    fn every_cut_or_longer_signature_is_none() {
        let signer = Signer::new();
        let (bytes, signature) = signer.sign(&manifest(1, "1.0.0"));
        let ring = Keyring::new(vec![signer.key()]).unwrap();
        for length in 0..signature.len() {
            assert_eq!(ring.verify(&bytes, &signature[..length]), Err(NotSigned::Signature));
        }
        for longer in [1, 100] {
            assert_eq!(
                ring.verify(&bytes, &[signature.as_slice(), &vec![0; longer]].concat()),
                Err(NotSigned::Signature)
            );
        }
    }
}
