//! What S3 tells of its objects.

use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// Where uploads lie: `incoming/{name}/release.json` beside its image.
const INCOMING: &str = "incoming/";
/// The descriptor's name. It is uploaded last: once it is there, the image is.
const DESCRIPTOR: &str = "release.json";
/// The longest name of an upload's folder, in characters.
const MOST_NAME: usize = 128;

/// A message of the bucket, understood.
///
/// Keys come encoded as in a form, and the version's id where the bucket keeps versions. When notifications are set up, S3
/// sends `s3:TestEvent`, which has no records. Messages may come twice, and in any order. Source:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Notifications work: there is nothing to do.
    Test,
    /// These were uploaded.
    Uploads(Vec<Upload>),
}

/// A descriptor that was uploaded, in the version that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its key: `incoming/{name}/release.json`.
    pub key: String,
    /// Its version.
    pub version: String,
}

/// A message that the bucket does not send. Its words name fields, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// `not-a-notice`.
    #[error("expected S3's notification of created objects, with key and version of each")]
    NotANotice,
    /// `unexpected-key`.
    #[error("expected incoming/{{name}}/release.json, the name 1 to 128 characters of [A-Za-z0-9._-]")]
    Key,
    /// `no-version`.
    #[error("expected a version of the object: the bucket must keep versions")]
    NoVersion,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
    #[serde(rename = "Event")]
    event: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    s3: Place,
}

#[derive(Deserialize)]
struct Place {
    object: Object,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    key: String,
    #[serde(default)]
    version_id: Option<String>,
}

impl Notice {
    /// Reads a message of the bucket.
    ///
    /// # Errors
    /// [`NotOurs`].
    pub fn parse(body: &str) -> Result<Self, NotOurs> {
        let wire: Wire = serde_json::from_str(body).map_err(|_| NotOurs::NotANotice)?;
        match (wire.records, wire.event.as_deref()) {
            (None, Some("s3:TestEvent")) => Ok(Self::Test),
            (Some(records), None) if !records.is_empty() => {
                records.into_iter().map(Upload::of).collect::<Result<_, _>>().map(Self::Uploads)
            }
            _ => Err(NotOurs::NotANotice),
        }
    }
}

impl NotOurs {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotANotice => "not-a-notice",
            Self::Key => "unexpected-key",
            Self::NoVersion => "no-version",
        }
    }
}

impl Upload {
    fn of(record: Record) -> Result<Self, NotOurs> {
        // The words differ with who sends them: with and without `s3:`.
        let name = record.event_name.strip_prefix("s3:").unwrap_or(&record.event_name);
        if !name.starts_with("ObjectCreated:") {
            return Err(NotOurs::NotANotice);
        }
        let Object { key, version_id } = record.s3.object;
        let spaced = key.replace('+', " ");
        let key = percent_decode_str(&spaced).decode_utf8().map_err(|_| NotOurs::Key)?.into_owned();
        folder(&key).ok_or(NotOurs::Key)?;
        let version = version_id.filter(|version| !version.is_empty() && version != "null");
        Ok(Self { version: version.ok_or(NotOurs::NoVersion)?, key })
    }

    /// The key of the image of this name beside the descriptor.
    #[must_use]
    pub fn beside(&self, image: &str) -> String {
        format!("{INCOMING}{}/{image}", folder(&self.key).unwrap_or_default())
    }
}

/// The name of an upload's folder.
fn folder(key: &str) -> Option<&str> {
    let (folder, file) = key.strip_prefix(INCOMING)?.split_once('/')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let good = file == DESCRIPTOR && (1..=MOST_NAME).contains(&folder.len()) && folder.bytes().all(plain);
    // A name of dots alone would be another folder to some clients.
    (good && folder.bytes().any(|byte| byte != b'.')).then_some(folder)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn notice(key: &str, version: &Value) -> Result<Notice, NotOurs> {
        let object = json!({"key": key, "versionId": version, "size": 3, "sequencer": "01"});
        let record = json!({"eventVersion": "2.1", "eventName": "ObjectCreated:Put", "s3": {"object": object}});
        Notice::parse(&json!({"Records": [record]}).to_string())
    }

    #[test]
    fn an_upload_is_its_key_and_version_and_its_image_lies_beside_it() {
        let Ok(Notice::Uploads(all)) = notice("incoming/c3-2.1.0/release.json", &json!("v1")) else { panic!() };
        assert_eq!((all[0].key.as_str(), all[0].version.as_str()), ("incoming/c3-2.1.0/release.json", "v1"));
        assert_eq!(all[0].beside("app.bin"), "incoming/c3-2.1.0/app.bin");
        assert!(notice("incoming%2Fa%2Frelease.json", &json!("v1")).is_ok(), "however much of it is encoded");
    }

    #[test]
    fn the_message_that_s3_sends_when_notifications_are_set_up_is_no_upload() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-21T00:00:00.000Z",
            "Bucket": "b", "RequestId": "r", "HostId": "h"});
        assert_eq!(Notice::parse(&test.to_string()), Ok(Notice::Test));
    }

    #[test]
    fn what_is_no_notice_of_a_descriptor_is_refused_by_its_kind() {
        for body in ["", "{}", "[]", r#"{"Records":[]}"#, r#"{"Records":[{}]}"#, r#"{"Event":"s3:Other"}"#] {
            assert_eq!(Notice::parse(body), Err(NotOurs::NotANotice), "{body}");
        }
        let name = "a".repeat(129);
        for key in ["images/x", "incoming/release.json", "incoming/a/b/release.json", "incoming/a/app.bin"] {
            assert_eq!(notice(key, &json!("v1")), Err(NotOurs::Key), "{key}");
        }
        for folder in ["..", "a+b", "a%20b", "%ff", name.as_str()] {
            assert_eq!(notice(&format!("incoming/{folder}/release.json"), &json!("v1")), Err(NotOurs::Key), "{folder}");
        }
        for version in [json!(null), json!("null"), json!("")] {
            assert_eq!(notice("incoming/a/release.json", &version), Err(NotOurs::NoVersion));
        }
    }
}
