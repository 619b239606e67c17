//! What a certificate says, read from bytes that a stranger made.

use sha2::{Digest as _, Sha256};
use x509_parser::asn1_rs::{FromDer as _, Oid};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_NIST_EC_P384, OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA, OID_X509_COMMON_NAME,
    OID_X509_SERIALNUMBER,
};
use x509_parser::pem::parse_x509_pem;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

/// The longest PEM that is looked at, in bytes. A device's certificate has 1 to 4 KB.
pub const MAX_PEM_BYTES: usize = 65_536;

/// The least size of an RSA key, in bits.
pub const MIN_RSA_BITS: usize = 2_048;

/// The text is no certificate in PEM form, or one that breaks X.509's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unreadable: no X.509 certificate in PEM form, expected one of at most {MAX_PEM_BYTES} bytes")]
pub struct Unreadable;

/// A field of the subject of which one is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// It is not there.
    Missing,
    /// It is there more than once.
    Several,
    /// It is there in an encoding that is no UTF-8 or ASCII.
    Odd,
    /// Its text, whatever that may hold.
    Text(String),
}

impl Field {
    /// The text, where there is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Missing | Self::Several | Self::Odd => None,
        }
    }
}

/// What kind of key the certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// RSA of at least [`MIN_RSA_BITS`], or on P-256 or P-384.
    Good,
    /// RSA that is too short or has a useless exponent.
    Weak,
    /// Anything else.
    Unsupported,
}

/// A device's certificate, read. Whether it is good is another question: see [`crate::checks`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    /// AWS's id of it: the SHA-256 of its DER form, 64 lower-case hexadecimal digits.
    pub id: String,
    /// The subject's common name (2.5.4.3).
    pub common_name: Field,
    /// The subject's serial number (2.5.4.5): the maker's number of the device.
    pub subject_serial: Field,
    /// The certificate's own serial number, in lower-case hexadecimal digits.
    pub serial: String,
    /// Begin of its validity, in seconds since the epoch; itself valid.
    pub not_before: i64,
    /// End of its validity, in seconds since the epoch; itself valid.
    pub not_after: i64,
    /// What kind of key it holds.
    pub key: Key,
    /// Whether it may sign certificates: by its basic constraints or its key usage, or because these cannot be told.
    pub may_sign: bool,
    /// Whether its signature stands on SHA-1.
    pub signed_over_sha1: bool,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// [`Unreadable`] for anything else, bytes after the certificate included.
    pub fn from_pem(pem: &str) -> Result<Self, Unreadable> {
        let der = der_of(pem)?;
        let parsed = whole(&der)?;
        let read = Self {
            id: hex(&Sha256::digest(&der)),
            common_name: field(parsed.subject(), &OID_X509_COMMON_NAME),
            subject_serial: field(parsed.subject(), &OID_X509_SERIALNUMBER),
            serial: hex(parsed.raw_serial()),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            key: key(parsed.public_key()),
            may_sign: may_sign(&parsed),
            signed_over_sha1: [OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA]
                .contains(&parsed.signature_algorithm.algorithm),
            der: Vec::new(),
        };
        Ok(Self { der, ..read })
    }

    /// Whether its issuer is the authority's subject, byte for byte.
    #[must_use]
    pub fn names_issuer(&self, authority: &Authority) -> bool {
        match (whole(&self.der), whole(&authority.der)) {
            (Ok(own), Ok(ca)) => own.issuer().as_raw() == ca.subject().as_raw(),
            _ => false,
        }
    }

    /// Whether the authority's key signed it, under the algorithm that its signed part names too.
    #[must_use]
    pub fn is_signed_by(&self, authority: &Authority) -> bool {
        match (whole(&self.der), whole(&authority.der)) {
            (Ok(own), Ok(ca)) => {
                own.signature_algorithm == own.tbs_certificate.signature
                    && own.verify_signature(Some(ca.public_key())).is_ok()
            }
            _ => false,
        }
    }
}

/// A CA's certificate, as AWS keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    der: Vec<u8>,
}

impl Authority {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// [`Unreadable`] for anything else.
    pub fn from_pem(pem: &str) -> Result<Self, Unreadable> {
        let der = der_of(pem)?;
        whole(&der)?;
        Ok(Self { der })
    }
}

fn der_of(pem: &str) -> Result<Vec<u8>, Unreadable> {
    if pem.len() > MAX_PEM_BYTES {
        return Err(Unreadable);
    }
    let (_, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| Unreadable)?;
    if block.label == "CERTIFICATE" { Ok(block.contents) } else { Err(Unreadable) }
}

/// The certificate that the bytes hold from the first to the last.
fn whole(der: &[u8]) -> Result<X509Certificate<'_>, Unreadable> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(Unreadable),
    }
}

fn field(subject: &X509Name<'_>, oid: &Oid<'_>) -> Field {
    let mut all = subject.iter_attributes().filter(|attribute| attribute.attr_type() == oid);
    match (all.next(), all.next()) {
        (None, _) => Field::Missing,
        (Some(_), Some(_)) => Field::Several,
        (Some(one), None) => one.as_str().map_or(Field::Odd, |text| Field::Text(text.to_owned())),
    }
}

fn key(info: &SubjectPublicKeyInfo<'_>) -> Key {
    match info.parsed() {
        Ok(PublicKey::RSA(rsa)) => rsa_key(&rsa),
        Ok(PublicKey::EC(point)) => curve_key(info, point.data().len()),
        _ => Key::Unsupported,
    }
}

/// Bits are counted here, without leading zeros: padding must not make a short modulus look long.
fn rsa_key(rsa: &RSAPublicKey<'_>) -> Key {
    let bits = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        let rest = bytes.get(start..).unwrap_or_default();
        let leading = rest.first().map_or(0, |byte| byte.leading_zeros() as usize);
        (rest.len() * 8).saturating_sub(leading)
    };
    let odd = rsa.exponent.last().is_some_and(|byte| byte % 2 == 1);
    let negative = rsa.modulus.first().is_none_or(|byte| byte & 0x80 != 0);
    let good = !negative && bits(rsa.modulus) >= MIN_RSA_BITS && odd && bits(rsa.exponent) > 1;
    if good { Key::Good } else { Key::Weak }
}

/// An uncompressed point is one byte and twice the field's size; a compressed one, one byte and the size.
fn curve_key(info: &SubjectPublicKeyInfo<'_>, point_bytes: usize) -> Key {
    let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let field_bytes = match curve {
        Some(oid) if oid == OID_EC_P256 => 32,
        Some(oid) if oid == OID_NIST_EC_P384 => 48,
        _ => return Key::Unsupported,
    };
    if [1 + field_bytes, 1 + 2 * field_bytes].contains(&point_bytes) { Key::Good } else { Key::Unsupported }
}

/// An extension that cannot be read, or is there twice, counts as the worse.
fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    let constraints = certificate.basic_constraints().map(|found| found.is_some_and(|extension| extension.value.ca));
    let usage = certificate.key_usage().map(|found| found.is_some_and(|extension| extension.value.key_cert_sign()));
    constraints.unwrap_or(true) || usage.unwrap_or(true)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! read {
        ($name:literal) => {
            Certificate::from_pem(include_str!(concat!("../tests/certificates/", $name, ".pem"))).unwrap()
        };
    }

    #[test]
    fn subject_and_serial_numbers_are_read() {
        let certificate = read!("p256");
        assert_eq!(certificate.common_name.text(), Some("sensor7"));
        assert_eq!((certificate.subject_serial.text(), certificate.serial.as_str()), (Some("4711"), "1234abcd"));
        assert_eq!(certificate.id.len(), 64);
    }

    #[test]
    fn a_field_that_is_missing_doubled_or_oddly_encoded_is_no_text() {
        assert_eq!(read!("no-name").common_name, Field::Missing);
        assert_eq!(read!("two-names").common_name, Field::Several);
        assert_eq!(read!("name-bmp").common_name, Field::Odd);
        assert_eq!(read!("name-with-nul").common_name.text(), Some("sensor7\0evil"));
    }

    #[test]
    fn what_is_no_single_certificate_is_unreadable() {
        let good = include_str!("../tests/certificates/p256.pem");
        let (begin, end) = good.split_at(good.len() / 2);
        let more = good.replace("CERTIFICATE-----\nMI", "CERTIFICATE-----\nAAMI");
        let other = good.replace("CERTIFICATE", "PRIVATE KEY");
        let cut = format!("{begin}\n-----END CERTIFICATE-----\n");
        for pem in ["", "-----BEGIN CERTIFICATE-----", begin, end, &more, &other, &cut] {
            assert_eq!(Certificate::from_pem(pem), Err(Unreadable), "{pem}");
        }
    }

    #[test]
    fn a_text_of_65536_bytes_is_looked_at_and_one_byte_more_is_not() {
        let good = include_str!("../tests/certificates/p256.pem");
        let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
        assert!(Certificate::from_pem(&padded(MAX_PEM_BYTES)).is_ok());
        assert_eq!(Certificate::from_pem(&padded(MAX_PEM_BYTES + 1)), Err(Unreadable));
    }

    #[test]
    fn zeros_before_a_short_modulus_do_not_make_it_long() {
        let modulus = |bytes: usize, first: u8| {
            let mut modulus = vec![0; 300 - bytes];
            modulus.extend(std::iter::once(first).chain(std::iter::repeat_n(1, bytes - 1)));
            modulus
        };
        let key = |modulus: &[u8], exponent: &[u8]| rsa_key(&RSAPublicKey { modulus, exponent });
        assert_eq!(key(&modulus(256, 0x80), &[1, 0, 1]), Key::Good);
        assert_eq!(key(&modulus(256, 0x7f), &[1, 0, 1]), Key::Weak, "2,047 bits");
        assert_eq!(key(&modulus(256, 0x80), &[3]), Key::Good);
        for exponent in [&[1][..], &[0], &[], &[1, 0, 0]] {
            assert_eq!(key(&modulus(256, 0x80), exponent), Key::Weak, "{exponent:?}");
        }
        assert_eq!(key(&[0x80; 256], &[3]), Key::Weak, "a negative modulus");
        assert_eq!(key(&[], &[3]), Key::Weak);
    }
}
