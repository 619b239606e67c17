use super::*;

/// A certificate of nobody, without its key.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUImOxd0L2SdrK53FmUvhESGWEZ9wwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjEwMzQxMDhaGA8yMTI2MTAyODAzNDEw
OFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBZM
9WfbxRnSG8MgHOA/lgmIhZpz6uAMOogCBwEt88fmLTmYGBk5xKu4Sbw59IIduVDC
1fPtXzSWdxQrfRz+RKajUzBRMB0GA1UdDgQWBBRjG8Wy7bz5ZkNV/4MGIevy2oZ5
kTAfBgNVHSMEGDAWgBRjG8Wy7bz5ZkNV/4MGIevy2oZ5kTAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQD/vUE58lWoPmguOR1gLis+VubgfIsuQr2u
DJQQV5hZCwIhAJiPLafbbMQyeOOOKYzG6N0Av5wGwyDSlShmwlioQZ9h
-----END CERTIFICATE-----";

fn refused(thing: &str, endpoint: &str, certificate: &[u8], key: &[u8]) -> IdentityError {
    Identity::from_pem(thing, endpoint, 8883, CERTIFICATE, certificate, key).unwrap_err()
}

#[test]
fn a_name_that_is_no_things_is_refused_with_its_reason() {
    for bad in ["a/b", "a+", "é", "", "loam"] {
        assert_eq!(refused(bad, "localhost", CERTIFICATE, b"").code(), "thing-name-refused", "{bad}");
    }
    assert!(refused("loam", "localhost", CERTIFICATE, b"").to_string().contains("reserved"));
}

#[test]
fn an_endpoint_with_a_scheme_or_a_port_is_refused() {
    for endpoint in ["mqtts://localhost", "localhost:8883", ""] {
        assert_eq!(refused("a", endpoint, CERTIFICATE, b"").code(), "endpoint-refused", "{endpoint}");
    }
}

#[test]
fn a_certificate_file_without_a_certificate_is_named_as_such() {
    let error = refused("a", "localhost", b"DER or nothing", b"").to_string();
    assert!(error.contains("the certificate is not usable: there is no certificate in it"), "{error}");
    assert!(error.contains("-----BEGIN CERTIFICATE-----"), "{error}");
}

#[test]
fn a_certificate_in_place_of_the_key_is_refused_as_the_key() {
    let error = refused("a", "localhost", CERTIFICATE, CERTIFICATE);
    assert!(matches!(error, IdentityError::Pem { what: "private key", .. }), "{error}");
}

#[test]
fn a_missing_file_is_named_with_its_path() {
    let files = Files { root_ca: "no/such.pem".into(), certificate: "x".into(), private_key: "x".into() };
    let error = Identity::load("a", "localhost", 8883, &files).unwrap_err();
    assert_eq!(error.code(), "file-unreadable");
    assert!(error.to_string().starts_with("cannot read the root CA from no/such.pem"), "{error}");
}
