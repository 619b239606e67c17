use super::*;
use crate::files::credentials::tests::credentials;
use crate::files::notice::tests::{DATA_KEY, ID, KMS_KEY, grant_of, thing};
use crate::files::{Direction, Grant, NoFile};
use crate::stand_in::{Act, Store};

/// The answer to a good `Decrypt`.
pub(in crate::files) fn opened() -> Vec<u8> {
    json!({"KeyId": KMS_KEY, "Plaintext": STANDARD.encode(DATA_KEY), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"})
        .to_string()
        .into_bytes()
}

/// A way to KMS that shows no certificate, as the stand-ins ask for none.
pub(in crate::files) fn way(credentials: &Store, kms: &Store) -> Kms {
    let exchange = Exchange::over(trust(None).unwrap());
    let provider = Provider::new(exchange.clone(), credentials.url.clone(), thing());
    Kms { provider, exchange, instead: Some(kms.url.trim_end_matches("/object").to_owned()) }
}

pub(in crate::files) fn keyless(file: &[u8]) -> Grant {
    Grant { key: None, ..grant_of(file, 512, 1_024) }
}

async fn open(kms: &Kms) -> Result<(), NoFile> {
    keyless(b"abc").open_by(&thing(), Some(kms), 1).await.map(drop)
}

#[tokio::test]
async fn kms_is_asked_for_what_the_device_expects_and_the_request_is_signed() {
    let (lender, kms) = (Store::with(credentials(), &[]).await, Store::with(opened(), &[]).await);
    open(&way(&lender, &kms)).await.unwrap();
    let seen = kms.seen().remove(0);
    assert_eq!(seen.first_line, "POST / HTTP/1.1");
    let asked: Value = serde_json::from_slice(&seen.body).unwrap();
    let context = json!({"direction": "download", "thing": "t1", "transferId": ID});
    let expected = json!({"CiphertextBlob": STANDARD.encode("of KMS"), "EncryptionContext": context, "KeyId": KMS_KEY});
    assert_eq!(asked, expected);
    let header = |name: &str| {
        let found = seen.headers.iter().find_map(|header| header.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("no {name} in {:?}", seen.headers)).to_owned()
    };
    assert_eq!((header("x-amz-target").as_str(), header("content-type").as_str()), (DECRYPT, JSON));
    assert_eq!(header("x-amz-security-token"), "to/ken=");
    assert_eq!(header("x-amz-date"), "19700101T000000Z");
    let authorization = header("authorization");
    let scope = "AWS4-HMAC-SHA256 Credential=ASIA1/19700101/eu-west-1/kms/aws4_request, SignedHeaders=";
    assert!(authorization.starts_with(scope), "{authorization}");
    assert!(
        authorization.contains("content-type;host;x-amz-date;x-amz-security-token;x-amz-target"),
        "{authorization}"
    );
}

#[tokio::test]
async fn a_grant_of_another_thing_or_direction_is_refused_before_anybody_is_asked() {
    let (lender, kms) = (Store::with(credentials(), &[]).await, Store::with(opened(), &[]).await);
    let kms_of_thing = way(&lender, &kms);
    let other = loam_domain::ThingName::parse("t2").unwrap();
    let refused = keyless(b"abc").open_by(&other, Some(&kms_of_thing), 1).await.unwrap_err();
    assert_eq!(refused.code(), "context-mismatch");
    let turned = Grant { direction: Direction::Upload, ..keyless(b"abc") };
    assert_eq!(turned.open_by(&thing(), Some(&kms_of_thing), 1).await.unwrap_err().code(), "context-mismatch");
    assert_eq!((lender.seen().len(), kms.seen().len()), (0, 0));
}

#[tokio::test]
async fn credentials_that_kms_takes_no_more_are_asked_for_anew() {
    let lender = Store::with(credentials(), &[]).await;
    let kms = Store::with(opened(), &[Act::Say(400, r#"{"__type":"ExpiredTokenException"}"#)]).await;
    let way = way(&lender, &kms);
    let stale = open(&way).await.unwrap_err();
    assert_eq!((stale.code(), stale.is_passing()), ("credentials-stale", true));
    open(&way).await.unwrap();
    open(&way).await.unwrap();
    assert_eq!((lender.seen().len(), kms.seen().len()), (2, 3));
}

#[test]
fn every_refusal_of_kms_has_its_own_name() {
    let key = KeyArn::parse(KMS_KEY).unwrap();
    for (status, kind, code, passing) in [
        (400, "AccessDeniedException", "kms-access-denied", false),
        (400, "com.amazonaws.kms#InvalidCiphertextException", "kms-key-not-authentic", false),
        (400, "IncorrectKeyException", "kms-key-not-authentic", false),
        (400, "DisabledException", "kms-refused", false),
        (400, "KMSInvalidStateException", "kms-refused", false),
        (400, "NotFoundException", "kms-refused", false),
        (400, "UnrecognizedClientException", "credentials-stale", true),
        (403, "InvalidSignatureException", "credentials-stale", true),
        (400, "ThrottlingException", "kms-unavailable", true),
        (503, "KeyUnavailableException", "kms-unavailable", true),
        (500, "KMSInternalException", "kms-unavailable", true),
    ] {
        let why = decide(status, json!({"__type": kind, "message": "m"}).to_string().as_bytes(), &key).unwrap_err();
        assert_eq!((why.code(), why.is_passing()), (code, passing), "{kind}");
    }
    assert_eq!(decide(400, b"<html>", &key).unwrap_err().code(), "kms-refused");
    assert_eq!(decide(502, b"<html>", &key).unwrap_err().code(), "kms-unavailable");
}

#[test]
fn an_answer_of_another_key_or_length_is_none() {
    let key = KeyArn::parse(KMS_KEY).unwrap();
    assert!(decide(200, &opened(), &key).is_ok());
    for (plaintext, key_id) in [(vec![1; 31], KMS_KEY), (vec![1; 33], KMS_KEY), (vec![1; 32], "another")] {
        let answer = json!({"Plaintext": STANDARD.encode(&plaintext), "KeyId": key_id});
        assert!(decide(200, answer.to_string().as_bytes(), &key).is_err(), "{} of {key_id}", plaintext.len());
    }
}

#[test]
fn an_address_has_a_host_and_nothing_behind_it() {
    assert_eq!(host_of("https://abc.credentials.iot.eu-west-1.amazonaws.com/").unwrap().len(), 51);
    assert_eq!(host_of("https://localhost:8443").as_deref(), Some("https://localhost:8443"));
    for bad in
        ["", "abc.credentials.iot", "https://x/y", "https://x?y", "http://example.com", "https://a@b", "https://"]
    {
        assert_eq!(host_of(bad), None, "{bad}");
    }
}

#[test]
fn a_role_alias_has_1_to_128_harmless_letters() {
    assert!(is_alias("loam-files") && is_alias(&"a".repeat(128)) && is_alias("A_=,@-9"));
    for bad in ["", &"a".repeat(129), "a/b", "a b", "é", "a?b"] {
        assert!(!is_alias(bad), "{bad}");
    }
}
