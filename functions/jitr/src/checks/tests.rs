use loam_domain::Timestamp;

use super::*;

/// In 2027, within the century of the fixtures.
const NOW: Timestamp = Timestamp::from_millis(1_830_000_000_000);

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../../tests/certificates/", $name, ".pem"))
    };
}

fn codes_at(pem: &str, ca: &str, now: Timestamp) -> Vec<&'static str> {
    let (certificate, authority) = (Certificate::from_pem(pem).unwrap(), Authority::from_pem(ca).unwrap());
    flaws(&certificate, &authority, now).into_iter().map(Reason::as_str).collect()
}

fn codes(pem: &str) -> Vec<&'static str> {
    codes_at(pem, pem!("ca"), NOW)
}

const NONE: [&str; 0] = [];

#[test]
fn keys_on_p256_and_p384_and_rsa_of_2048_bits_are_good() {
    for pem in [pem!("p256"), pem!("p384"), pem!("rsa2048")] {
        assert_eq!(codes(pem), NONE);
    }
}

#[test]
fn rsa_of_1024_bits_is_weak_and_any_other_key_is_unsupported() {
    assert_eq!(codes(pem!("rsa1024")), ["weak-key"]);
    for pem in [pem!("p521"), pem!("ed25519"), pem!("dsa")] {
        assert_eq!(codes(pem), ["unsupported-key"]);
    }
}

#[test]
fn a_certificate_is_valid_from_its_first_second_to_its_last() {
    let certificate = Certificate::from_pem(pem!("p256")).unwrap();
    let at = |second: i64| codes_at(pem!("p256"), pem!("ca"), Timestamp::from_millis(second * 1000));
    assert_eq!(at(certificate.not_before), NONE);
    assert_eq!(at(certificate.not_before - 1), ["not-yet-valid"]);
    assert_eq!(at(certificate.not_after), NONE);
    assert_eq!(at(certificate.not_after + 1), ["expired"]);
    assert_eq!((codes(pem!("expired")), codes(pem!("not-yet-valid"))), (vec!["expired"], vec!["not-yet-valid"]));
}

#[test]
fn the_issuer_is_the_cas_subject_and_its_key_signed() {
    assert_eq!(codes(pem!("other-issuer")), ["issuer-mismatch"]);
    assert_eq!(codes(pem!("forged")), ["bad-signature"]);
    assert_eq!(codes_at(pem!("signed-by-rsa"), pem!("ca-rsa"), NOW), NONE);
    assert_eq!(codes_at(pem!("p256"), pem!("ca-rsa"), NOW), ["issuer-mismatch", "bad-signature"]);
}

#[test]
fn a_signature_over_sha_1_is_weak_although_it_verifies() {
    assert_eq!(codes_at(pem!("sha1"), pem!("ca-rsa"), NOW), ["weak-signature"]);
}

#[test]
fn what_may_sign_certificates_is_no_device() {
    assert_eq!((codes(pem!("a-ca")), codes(pem!("may-sign"))), (vec!["is-a-ca"], vec!["is-a-ca"]));
    assert!(codes(pem!("ca")).contains(&"is-a-ca"), "the CA itself");
}

#[test]
fn every_flaw_is_found_at_once() {
    assert_eq!(codes(pem!("many-flaws")), ["expired", "weak-key", "issuer-mismatch", "bad-signature", "is-a-ca"]);
}

#[test]
fn one_changed_byte_of_the_signed_part_breaks_the_signature_or_the_certificate() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let text: String = pem!("p256").lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(text).unwrap();
    let authority = Authority::from_pem(pem!("ca")).unwrap();
    for place in 0..der.len() {
        let mut changed = der.clone();
        changed[place] ^= 1;
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(&changed));
        let good = Certificate::from_pem(&pem).is_ok_and(|certificate| flaws(&certificate, &authority, NOW).is_empty());
        assert!(!good, "byte {place}");
    }
}
