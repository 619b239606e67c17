//! Manifests, keys and images for tests.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "only tests use it, and a panic is how a test fails"
)]

use loam_domain::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::manifest::{Firmware, Manifest};
use crate::names::{Digest, Hardware, Id};
use crate::signature::PublicKey;
use crate::version::Version;

/// Who signs, as KMS would.
pub struct Signer(EcdsaKeyPair);

impl Signer {
    /// With a key of its own.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap())
    }

    /// What a device trusts if it trusts this signer.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        PublicKey::from_point(self.0.public_key().as_ref()).unwrap()
    }

    /// The manifest with this signer's name, and the signature.
    #[must_use]
    pub fn sign(&self, manifest: &Manifest) -> (Vec<u8>, Vec<u8>) {
        let bytes = Manifest { signer: self.key().id(), ..manifest.clone() }.to_bytes();
        let signature = self.sign_bytes(&bytes);
        (bytes, signature)
    }

    /// The signature of any bytes.
    #[must_use]
    pub fn sign_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec()
    }
}

/// An image that is told by its first bytes.
#[must_use]
pub fn image(version: &str) -> Vec<u8> {
    format!("image {version}").into_bytes()
}

/// The version in this text.
#[must_use]
pub fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

/// The hardware in this text.
#[must_use]
pub fn hardware(text: &str) -> Hardware {
    Hardware::parse(text).unwrap()
}

/// A release for `c3` and `s3` with security counter 3, whose image is [`image`].
#[must_use]
pub fn firmware(text: &str) -> Firmware {
    Firmware {
        release: Id::of("release", &[text]),
        version: version(text),
        hardware: [hardware("c3"), hardware("s3")].into(),
        size: image(text).len() as u64,
        sha256: Digest::of(&image(text)),
        minimum_from: None,
        security_counter: 3,
    }
}

/// A manifest of [`firmware`] that is good from second 1,000 to 2,000 of 1970, signed by nobody yet.
#[must_use]
pub fn manifest(sequence: u64, text: &str) -> Manifest {
    Manifest {
        signer: Id::of("signer", &["nobody"]),
        sequence,
        issued_at: Timestamp::from_millis(1_000_000),
        not_after: Timestamp::from_millis(2_000_000),
        firmware: firmware(text),
        downgrade: false,
    }
}
