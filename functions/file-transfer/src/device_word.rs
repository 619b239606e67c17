//! What a device says of files: `loam/{thing}/files/request` and `loam/{thing}/files/complete`.

use loam_domain::{ThingName, Timestamp};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::ids::{AttemptId, TransferId};
use crate::order::{BadOrder, KeyFrom, MOST_NAME_BYTES, Sha256Hex};
use crate::plan::{FRAME_LENGTH, Layout};

/// The longest code with which a device refuses a file, in bytes.
pub const MOST_CODE_BYTES: usize = 64;

/// Something that a device said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// `request` without a word more: it wants a grant for each download that waits.
    Waiting,
    /// `request` of a transfer: it wants its grant, or a new one.
    Again {
        /// Which.
        transfer: TransferId,
    },
    /// `request` of an upload: it has this file.
    Upload {
        /// Which; one that the device asks for by itself has an id of this message.
        transfer: TransferId,
        /// Whether nobody asked for it.
        unasked: bool,
        /// What it calls it; empty for one that somebody asked for.
        name: String,
        /// Whether it will ask KMS for the key itself; of one that somebody asked for they have said so.
        key: KeyFrom,
        /// How it will cut it.
        layout: Layout,
        /// What it will send, and nothing else: another file is another attempt.
        sha256: Sha256Hex,
        /// From which part on it wants URLs.
        from: u32,
    },
    /// `complete`: it has sent all parts, or has the file, whole and authentic.
    Complete {
        /// Of which transfer.
        transfer: TransferId,
        /// Of which attempt.
        attempt: AttemptId,
        /// What it computed.
        sha256: Sha256Hex,
        /// How many bytes the file has.
        size: u64,
    },
    /// `complete` with `refused`: it will not have the file.
    Refuse {
        /// Of which transfer.
        transfer: TransferId,
        /// Of which attempt.
        attempt: AttemptId,
        /// Why.
        code: String,
    },
}

/// Why a message is none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadWord {
    /// The topic is another.
    #[error("expected loam/{{thing}}/files/request or loam/{{thing}}/files/complete")]
    Topic,
    /// The payload is no such object.
    #[error(
        "expected an object: for `request` at most transferId, or transferId, size, sha256, frameLength?, from?, or name, \
         size, sha256, frameLength?, from?, key?; for `complete` transferId, attempt, and size with sha256, or `refused`"
    )]
    Shape,
    /// The file that it speaks of is none that is taken.
    #[error(transparent)]
    File(#[from] BadOrder),
    /// Its reason.
    #[error("`refused` must be 1 to {MOST_CODE_BYTES} bytes of a-z, 0-9 and -")]
    Code,
}

impl BadWord {
    /// Its stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Topic => "unexpected-topic",
            Self::Shape => "malformed-file-message",
            Self::File(bad) => bad.code(),
            Self::Code => "invalid-reason-code",
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Request {
    transfer_id: Option<TransferId>,
    name: Option<String>,
    size: Option<u64>,
    sha256: Option<String>,
    frame_length: Option<u32>,
    from: Option<u32>,
    key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Complete {
    transfer_id: TransferId,
    attempt: AttemptId,
    sha256: Option<String>,
    size: Option<u64>,
    refused: Option<String>,
}

/// Whose message it is and what it says. The device policy lets a device publish below its own name only, so the topic says
/// who speaks.
///
/// # Errors
/// [`BadWord`].
pub fn parse(topic: &str, payload: &[u8], received_at: Timestamp) -> Result<(ThingName, Word), BadWord> {
    let levels: Vec<&str> = topic.split('/').collect();
    let ["loam", thing, "files", kind @ ("request" | "complete")] = levels.as_slice() else {
        return Err(BadWord::Topic);
    };
    let thing = ThingName::parse(thing).map_err(|_| BadWord::Topic)?;
    let word = match *kind {
        "complete" => complete(payload)?,
        _ if payload.is_empty() => Word::Waiting,
        _ => request(&thing, payload, received_at)?,
    };
    Ok((thing, word))
}

fn request(thing: &ThingName, payload: &[u8], received_at: Timestamp) -> Result<Word, BadWord> {
    let request: Request = serde_json::from_slice(payload).map_err(|_| BadWord::Shape)?;
    let (size, sha256) = match (request.size, request.sha256, request.transfer_id) {
        (None, None, None) => return Ok(Word::Waiting),
        (None, None, Some(transfer)) => return Ok(Word::Again { transfer }),
        (Some(size), Some(sha256), transfer_id) => ((size, transfer_id), sha256),
        _ => return Err(BadWord::Shape),
    };
    let (size, transfer_id) = size;
    let unasked = transfer_id.is_none();
    // How the key of a transfer travels is said by who creates it.
    if !unasked && request.key.is_some() {
        return Err(BadWord::Shape);
    }
    let name = request.name.unwrap_or_default();
    if name.len() > MOST_NAME_BYTES || name.chars().any(char::is_control) || (unasked && name.is_empty()) {
        return Err(BadOrder::Name.into());
    }
    Ok(Word::Upload {
        transfer: transfer_id.unwrap_or_else(|| id_of(thing, payload, received_at)),
        unasked,
        name,
        key: request.key.as_deref().map(KeyFrom::parse).transpose()?.unwrap_or_default(),
        layout: Layout::new(size, request.frame_length.unwrap_or(FRAME_LENGTH))?,
        sha256: Sha256Hex::parse(&sha256)?,
        from: request.from.unwrap_or(1),
    })
}

/// The id of what a device asks for by itself: the same for each delivery of one message.
fn id_of(thing: &ThingName, payload: &[u8], received_at: Timestamp) -> TransferId {
    let mut digest = Sha256::new();
    digest.update(b"loam-file-request-v1\n");
    digest.update(thing.as_str());
    digest.update(b"\n");
    digest.update(payload);
    let mut random = [0; 10];
    random.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
    TransferId::new(received_at, random)
}

fn complete(payload: &[u8]) -> Result<Word, BadWord> {
    let said: Complete = serde_json::from_slice(payload).map_err(|_| BadWord::Shape)?;
    let (transfer, attempt) = (said.transfer_id, said.attempt);
    match (said.refused, said.sha256, said.size) {
        (Some(code), _, _) if is_code(&code) => Ok(Word::Refuse { transfer, attempt, code }),
        (Some(_), _, _) => Err(BadWord::Code),
        (None, Some(sha256), Some(size)) => {
            Ok(Word::Complete { transfer, attempt, sha256: Sha256Hex::parse(&sha256)?, size })
        }
        (None, _, _) => Err(BadWord::Shape),
    }
}

/// Whether a text may stand in logs and answers as a reason.
#[must_use]
pub fn is_code(text: &str) -> bool {
    let fits = (1..=MOST_CODE_BYTES).contains(&text.len());
    fits && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::transfer::tests::at;

    fn said(kind: &str, payload: &Value) -> Result<Word, BadWord> {
        parse(&format!("loam/t1/files/{kind}"), payload.to_string().as_bytes(), at(5)).map(|(_, word)| word)
    }

    fn id() -> TransferId {
        TransferId::new(at(1), [1; 10])
    }

    #[test]
    fn a_request_without_a_word_asks_what_waits() {
        assert_eq!(parse("loam/t1/files/request", b"", at(5)).unwrap().1, Word::Waiting);
        assert_eq!(said("request", &json!({})), Ok(Word::Waiting));
        assert_eq!(said("request", &json!({"transferId": id()})), Ok(Word::Again { transfer: id() }));
    }

    #[test]
    fn one_message_of_an_upload_that_comes_twice_is_one_transfer() {
        let file = json!({"name": "log", "size": 3, "sha256": "0".repeat(64)});
        let Ok(Word::Upload { transfer, unasked: true, layout, from: 1, .. }) = said("request", &file) else {
            panic!()
        };
        assert_eq!(layout, Layout { size: 3, frame_length: FRAME_LENGTH });
        let Ok(Word::Upload { transfer: again, .. }) = said("request", &file) else { panic!() };
        assert_eq!(transfer, again);
        let (_, later) = parse("loam/t1/files/request", file.to_string().as_bytes(), at(6)).unwrap();
        let (_, other) = parse("loam/t2/files/request", file.to_string().as_bytes(), at(5)).unwrap();
        for word in [later, other] {
            assert!(matches!(word, Word::Upload { transfer: other, .. } if other != transfer));
        }
    }

    #[test]
    fn an_upload_needs_size_digest_and_unless_it_was_asked_for_a_name() {
        let digest = "0".repeat(64);
        for (bad, why) in [
            (json!({"size": 3}), BadWord::Shape),
            (json!({"sha256": digest}), BadWord::Shape),
            (json!({"name": "n", "size": 3, "sha256": digest, "x": 1}), BadWord::Shape),
            (json!({"name": "n", "size": -1, "sha256": digest}), BadWord::Shape),
            (json!({"size": 3, "sha256": digest}), BadWord::File(BadOrder::Name)),
            (json!({"name": "n", "size": 3, "sha256": "x"}), BadWord::File(BadOrder::Digest)),
            (
                json!({"name": "n", "size": 3, "sha256": digest, "frameLength": 4_294_967_295_u32}),
                BadWord::File(BadOrder::Frame),
            ),
            (
                json!({"name": "n", "size": 9_223_372_036_854_775_808_u64, "sha256": digest}),
                BadWord::File(BadOrder::TooLarge),
            ),
        ] {
            assert_eq!(said("request", &bad), Err(why), "{bad}");
        }
        assert!(said("request", &json!({"transferId": id(), "size": 3, "sha256": digest})).is_ok());
    }

    #[test]
    fn a_device_chooses_the_way_to_the_key_of_what_it_creates_and_of_nothing_else() {
        let file = |rest: Value| {
            let mut all = json!({"size": 3, "sha256": "0".repeat(64)});
            all.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            said("request", &all)
        };
        for (way, expected) in [("grant", KeyFrom::Grant), ("kms", KeyFrom::Kms)] {
            let word = file(json!({"name": "log", "key": way}));
            assert!(matches!(word, Ok(Word::Upload { key, .. }) if key == expected), "{way}");
        }
        assert_eq!(file(json!({"name": "log", "key": "x"})), Err(BadWord::File(BadOrder::Key)));
        assert_eq!(file(json!({"transferId": id(), "key": "kms"})), Err(BadWord::Shape));
    }

    #[test]
    fn complete_says_what_was_read_or_why_it_was_refused() {
        let attempt = AttemptId::new([1; 16]);
        let word = |rest: Value| {
            let mut all = json!({"transferId": id(), "attempt": attempt});
            all.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            said("complete", &all)
        };
        assert!(matches!(word(json!({"size": 3, "sha256": "0".repeat(64)})), Ok(Word::Complete { size: 3, .. })));
        assert!(matches!(word(json!({"refused": "frame-not-authentic"})), Ok(Word::Refuse { .. })));
        assert_eq!(word(json!({"size": 3})), Err(BadWord::Shape));
        for code in ["", "A b", &"x".repeat(65)] {
            assert_eq!(word(json!({"refused": code})), Err(BadWord::Code));
        }
    }

    #[test]
    fn other_topics_are_none_of_files() {
        for topic in ["loam/t1/files", "loam/t1/files/other", "loam/t*/files/request", "x/t1/files/request", ""] {
            assert_eq!(parse(topic, b"", at(5)), Err(BadWord::Topic), "{topic}");
        }
    }
}
