use super::*;
use crate::files::unsealing::hexadecimal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::ThingName;
use loam_sealed::{DataKey, EncryptedDataKey, EncryptionContext, FrameLength, Header, MessageId, Sealer, WrappingKey};
use serde_json::{Value, json};

pub(in crate::files) const ID: &str = "0123456789abcdef0123456789abcdef";
pub(in crate::files) const ATTEMPT: &str = "fedcba9876543210fedcba9876543210";

pub(in crate::files) fn thing() -> ThingName {
    ThingName::parse("t1").unwrap()
}

/// The KMS key of the tests' headers, and what its `Decrypt` makes the data key of.
pub(in crate::files) const KMS_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";
pub(in crate::files) const DATA_KEY: [u8; 32] = [1; 32];

/// A header in base64 under the tests' keys.
fn header(direction: &str, frame_length: u32) -> String {
    let context = EncryptionContext::new([("direction", direction), ("thing", "t1"), ("transferId", ID)]).unwrap();
    let data_key = DataKey::new(DATA_KEY);
    let wrapping = WrappingKey::new("loam", &format!("{ID}.{ATTEMPT}"), &[2; 32]).unwrap();
    let kms = EncryptedDataKey::aws_kms(KMS_KEY, b"of KMS".to_vec()).unwrap();
    let keys = vec![kms, wrapping.wrap(&data_key, &context, [3; 12]).unwrap()];
    let frame = FrameLength::new(frame_length).unwrap();
    STANDARD.encode(Header::new(MessageId::new([4; 32]), context, keys, frame).unwrap().seal(&data_key).unwrap())
}

/// The same for an upload.
pub(in crate::files) fn of_an_upload(grant: Grant) -> Grant {
    let header = header("upload", grant.file.frame_length);
    Grant { direction: Direction::Upload, header, ..grant }
}

/// A grant for a download of these bytes, good until 1,000 ms.
pub(in crate::files) fn grant_of(file: &[u8], frame_length: u32, part_bytes: u64) -> Grant {
    let (name, frame) = (format!("{ID}.{ATTEMPT}"), FrameLength::new(frame_length).unwrap());
    let size = file.len() as u64;
    let parts = u64::from(frame.frame_at(size).unwrap()).div_ceil(part_bytes / u64::from(frame_length));
    Grant {
        transfer_id: ID.to_owned(),
        attempt: ATTEMPT.to_owned(),
        direction: Direction::Download,
        file: FileFacts {
            name: "f".to_owned(),
            size,
            sha256: hexadecimal(ring::digest::digest(&ring::digest::SHA256, file).as_ref()),
            body_bytes: frame.body_length(size).unwrap(),
            part_bytes,
            parts: u32::try_from(parts).unwrap(),
            frame_length,
        },
        expires_at: 1_000,
        ends_at: 2_000,
        header: header("download", frame_length),
        key: Some(Key { namespace: "loam".to_owned(), name, value: STANDARD.encode([2; 32]) }),
        body: None,
        uploads: vec![],
        missing: 0,
    }
}

/// The body that belongs to a grant.
pub(in crate::files) fn body_of(grant: &Grant, file: &[u8]) -> Vec<u8> {
    let (key, opener, _) = grant.open(&thing()).unwrap();
    let (mut body, mut sealer) = (vec![], Sealer::new(&key, opener.header()).unwrap());
    sealer.update(file, &mut body).unwrap();
    sealer.finish(&mut body).unwrap();
    body
}

pub(in crate::files) fn message(topic: &str, payload: &Value) -> Message {
    let payload = payload.to_string().into_bytes();
    Message { topic: topic.to_owned(), payload, response_topic: None, correlation_data: None, duplicate: false }
}

/// A grant as it comes.
pub(in crate::files) fn wire(grant: &Grant) -> Value {
    let (file, key) = (&grant.file, grant.key.as_ref().unwrap());
    json!({
        "transferId": grant.transfer_id, "attempt": grant.attempt, "direction": grant.direction,
        "file": {"name": file.name, "size": file.size, "sha256": file.sha256, "bodyBytes": file.body_bytes,
            "partBytes": file.part_bytes, "parts": file.parts, "frameLength": file.frame_length},
        "issuedAt": 0, "expiresAt": grant.expires_at, "endsAt": grant.ends_at, "header": grant.header,
        "key": {"namespace": key.namespace, "name": key.name, "value": key.value},
        "body": grant.body, "missing": grant.missing,
    })
}

fn code(topic: &str, payload: &Value) -> &'static str {
    match Notice::parse("t1", &message(topic, payload)) {
        Ok(Notice::Grant(_)) => "grant",
        Ok(Notice::Wanted(_)) => "wanted",
        Ok(Notice::Rejected(_)) => "rejected",
        Err(why) => why.code(),
    }
}

#[test]
fn what_the_cloud_says_is_told_apart_and_is_for_this_thing_and_one_transfer() {
    let (grant, topic) = (wire(&grant_of(b"abc", 512, 1_024)), format!("loam/t1/files/{ID}/grant"));
    let wanted =
        json!({"transferId": ID, "direction": "upload", "wanted": "log", "mostBytes": 9, "issuedAt": 1, "endsAt": 2});
    let rejected = json!({"transferId": ID, "code": "transfer-over", "missing": []});
    assert_eq!((code(&topic, &grant), code(&topic, &wanted)), ("grant", "wanted"));
    assert_eq!(code(&topic.replace("grant", "rejected"), &rejected), "rejected");
    for foreign in [
        topic.replace("t1", "t2"),
        topic.replace("grant", "other"),
        format!("{topic}/x"),
        "loam/t1/files/../grant".to_owned(),
    ] {
        assert_eq!(code(&foreign, &grant), "no-file-topic", "{foreign}");
    }
    assert_eq!(code(&topic.replace("01234", "11234"), &grant), "transfer-ids-differ");
    assert_eq!(code(&topic, &json!({"transferId": ID})), "no-file-payload");
}

#[test]
fn a_grant_is_good_until_the_last_millisecond_before_its_end() {
    let grant = grant_of(b"abc", 512, 1_024);
    assert!(!grant.is_over(999) && grant.is_over(1_000));
}

#[test]
fn a_grant_may_come_without_a_key() {
    let topic = format!("loam/t1/files/{ID}/grant");
    let mut keyless = wire(&grant_of(b"abc", 512, 1_024));
    keyless.as_object_mut().unwrap().remove("key");
    let Ok(Notice::Grant(grant)) = Notice::parse("t1", &message(&topic, &keyless)) else { panic!() };
    assert_eq!((grant.key.is_none(), grant.open(&thing()).unwrap_err().code()), (true, "kms-not-set-up"));
}

#[test]
fn a_grant_opens_for_its_thing_its_transfer_its_direction_and_its_key_alone() {
    let grant = grant_of(b"abc", 512, 1_024);
    assert!(grant.open(&thing()).is_ok());
    let other = ThingName::parse("t2").unwrap();
    assert_eq!(grant.open(&other).unwrap_err().code(), "context-mismatch");
    let own = grant.key.clone().unwrap();
    let key = |value: &str| Some(Key { value: value.to_owned(), ..own.clone() });
    for (bad, code) in [
        (Grant { transfer_id: ATTEMPT.to_owned(), ..grant.clone() }, "context-mismatch"),
        (Grant { direction: Direction::Upload, ..grant.clone() }, "context-mismatch"),
        (Grant { key: key(&STANDARD.encode([9; 32])), ..grant.clone() }, "data-key-not-authentic"),
        (Grant { key: key("AAAA"), ..grant.clone() }, "bad-grant"),
        (Grant { key: Some(Key { name: "x".to_owned(), ..own.clone() }), ..grant.clone() }, "no-matching-data-key"),
        (Grant { header: "?".to_owned(), ..grant.clone() }, "bad-grant"),
        (Grant { attempt: "../../etc".to_owned(), ..grant.clone() }, "bad-grant"),
        (Grant { file: FileFacts { sha256: "../x".to_owned(), ..grant.file.clone() }, ..grant.clone() }, "bad-grant"),
    ] {
        assert_eq!(bad.open(&thing()).unwrap_err().code(), code, "{bad:?}");
    }
    let (frame_length, body_bytes) = (1_024, 3 + 40);
    let file = FileFacts { frame_length, body_bytes, ..grant.file.clone() };
    assert_eq!(Grant { file, ..grant }.open(&thing()).unwrap_err().code(), "bad-grant", "frames of another length");
}

#[test]
fn neither_key_nor_url_is_shown() {
    let url = Some("https://secret".to_owned());
    let grant = Grant { body: url, ..grant_of(b"abc", 512, 1_024) };
    let shown = format!("{grant:?} {:?}", grant.key);
    assert!(!shown.contains("secret") && !shown.contains(&grant.key.unwrap().value), "{shown}");
}
