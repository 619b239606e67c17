//! Against signatures that OpenSSL made (`tests/keys`, private keys thrown away), and against fresh keys.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SignatureAlgorithm};
use ring::rand::SystemRandom;
use ring::signature::{self as sig, EcdsaKeyPair, EcdsaSigningAlgorithm};

use super::*;
use crate::challenge::{CHALLENGE_BYTES, Challenge};
use crate::people::UserId;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../tests/keys/", $name))
    };
}

fn text() -> String {
    let (thing, user) = (loam_domain::ThingName::parse("t1").unwrap(), UserId::parse("u1").unwrap());
    Challenge::new([1; CHALLENGE_BYTES]).signed_text(&thing, &user, 3)
}

fn decoded(signature: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(signature).unwrap()
}

/// A certificate and what signs with its key.
fn made(kind: &'static SignatureAlgorithm, signing: &'static EcdsaSigningAlgorithm) -> (DeviceKey, Vec<u8>) {
    let key = KeyPair::generate_for(kind).unwrap();
    let certificate = CertificateParams::new(vec!["t1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(signing, &key.serialize_der(), &random).unwrap();
    let signature = pair.sign(&random, text().as_bytes()).unwrap();
    (DeviceKey::from_pem(&certificate.pem()).unwrap(), signature.as_ref().to_vec())
}

#[test]
fn the_file_that_openssl_signed_is_the_text_that_a_device_signs() {
    assert_eq!(file!("signed-text.txt"), text());
}

#[test]
fn what_openssl_signed_with_each_kind_of_key_is_taken() {
    let cases = [
        (file!("rsa2048.pem"), Algorithm::RsaPkcs1Sha256, file!("rsa2048.pkcs1")),
        (file!("rsa2048.pem"), Algorithm::RsaPssSha256, file!("rsa2048.pss")),
        (file!("p256.pem"), Algorithm::EcdsaP256Sha256, file!("p256.der")),
        (file!("p384.pem"), Algorithm::EcdsaP384Sha384, file!("p384.der")),
    ];
    for (pem, algorithm, signature) in cases {
        let key = DeviceKey::from_pem(pem).unwrap();
        assert_eq!(key.verify(algorithm, &text(), &decoded(signature)), Ok(()), "{}", algorithm.as_str());
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            assert!(key.verify(other, &text(), &decoded(signature)).is_err(), "{}", other.as_str());
        }
    }
}

#[test]
fn what_a_secure_element_signed_raw_is_taken_and_not_as_der() {
    let (key, signature) = made(&PKCS_ECDSA_P256_SHA256, &sig::ECDSA_P256_SHA256_FIXED_SIGNING);
    assert_eq!(key.verify(Algorithm::EcdsaP256Sha256Raw, &text(), &signature), Ok(()));
    assert_eq!(key.verify(Algorithm::EcdsaP256Sha256, &text(), &signature), Err(NotSigned::Signature));
    let (key, signature) = made(&PKCS_ECDSA_P384_SHA384, &sig::ECDSA_P384_SHA384_FIXED_SIGNING);
    assert_eq!(key.verify(Algorithm::EcdsaP384Sha384Raw, &text(), &signature), Ok(()));
}

#[test]
fn another_devices_key_and_another_text_prove_nothing() {
    let (key, signature) = made(&PKCS_ECDSA_P256_SHA256, &sig::ECDSA_P256_SHA256_ASN1_SIGNING);
    let (other, _) = made(&PKCS_ECDSA_P256_SHA256, &sig::ECDSA_P256_SHA256_ASN1_SIGNING);
    assert_eq!(key.verify(Algorithm::EcdsaP256Sha256, &text(), &signature), Ok(()));
    assert_eq!(other.verify(Algorithm::EcdsaP256Sha256, &text(), &signature), Err(NotSigned::Signature));
    for changed in [text().replace("u1", "u2"), text().replace("epoch=3", "epoch=4"), text().trim_end().to_owned()] {
        assert_eq!(key.verify(Algorithm::EcdsaP256Sha256, &changed, &signature), Err(NotSigned::Signature));
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_signature_breaks_it() {
    let (key, signature) = made(&PKCS_ECDSA_P256_SHA256, &sig::ECDSA_P256_SHA256_FIXED_SIGNING);
    let proves = |signature: &[u8]| key.verify(Algorithm::EcdsaP256Sha256Raw, &text(), signature).is_ok();
    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!proves(&flipped), "bit {bit}");
    }
    assert!((0..signature.len()).all(|length| !proves(&signature[..length])));
    assert!(!proves(&[0; 64]) && !proves(&[0; MAX_SIGNATURE_BYTES + 1]));
}

#[test]
fn rsa_of_1024_bits_proves_nothing_and_p521_is_no_key() {
    let short = DeviceKey::from_pem(file!("rsa1024.pem")).unwrap();
    let signature = decoded(file!("rsa1024.pkcs1"));
    assert_eq!(short.verify(Algorithm::RsaPkcs1Sha256, &text(), &signature), Err(NotSigned::Signature));
    assert_eq!(DeviceKey::from_pem(file!("p521.pem")), Err(NoKey));
    let large = " ".repeat(MAX_PEM_BYTES + 1);
    for pem in ["", "-----BEGIN CERTIFICATE-----", file!("signed-text.txt"), large.as_str()] {
        assert_eq!(DeviceKey::from_pem(pem), Err(NoKey));
    }
}

#[test]
fn each_algorithm_has_a_word_of_its_own() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
    }
    assert_eq!(Algorithm::parse("RSA-PSS-SHA256"), None);
    assert_eq!(Algorithm::parse("none"), None);
}
