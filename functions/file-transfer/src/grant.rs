//! What the two ends of a transfer get, and when.

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AttemptId, TransferId};
use crate::order::{Direction, KeyFrom, Sha256Hex};
use crate::transfer::{Attempt, State, Transfer};

/// How long a URL is good, in seconds, unless the transfer ends before. AWS ends it earlier if the credentials that signed
/// it end earlier.
pub const URL_SECONDS: u64 = 900;

/// How many parts' URLs one grant holds at most: each is up to 2 KB, and a message 128 KB.
pub const MOST_URLS: usize = 40;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The thing itself, over its own topics.
    Device,
    /// A person who controls it.
    Person,
}

/// What they may have now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share<'a> {
    /// A URL for the source of a download; no key.
    Source,
    /// Header, key, and URLs for the parts of the body; the attempt that is there, if any.
    Parts(Option<&'a Attempt>),
    /// Header, key, and a URL for the body.
    File(&'a Attempt, &'a Sha256Hex),
}

/// Why they get nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoGrant {
    /// It is over.
    Over,
    /// It belongs to another owner's time.
    OtherEpoch,
    /// There is nothing for them yet: the file is still on its way, or being sealed or verified.
    NotYet,
    /// They have done their part; what comes next is for the other end.
    NotTheirs,
}

impl NoGrant {
    /// Its stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Over => "transfer-over",
            Self::OtherEpoch => "no-such-transfer",
            Self::NotYet => "transfer-not-ready",
            Self::NotTheirs => "transfer-under-way",
        }
    }
}

/// What `who` may have of a transfer at `now`, in the thing's epoch `epoch`.
///
/// # Errors
/// [`NoGrant`].
pub fn share(transfer: &Transfer, who: Who, epoch: u64, now: Timestamp) -> Result<Share<'_>, NoGrant> {
    if transfer.epoch != epoch {
        return Err(NoGrant::OtherEpoch);
    }
    let sender = match transfer.order.direction {
        Direction::Download => Who::Person,
        Direction::Upload => Who::Device,
    };
    match (transfer.state(now), &transfer.ready, &transfer.attempt) {
        (State::Over(_), _, _) => Err(NoGrant::Over),
        (State::AwaitingSource, _, _) if who == sender => Ok(Share::Source),
        (State::AwaitingUpload, _, attempt) if who == sender => Ok(Share::Parts(attempt.as_ref())),
        (State::Ready, Some(ready), Some(attempt)) if who != sender => Ok(Share::File(attempt, &ready.sha256)),
        _ if who == sender => Err(NoGrant::NotTheirs),
        _ => Err(NoGrant::NotYet),
    }
}

/// Whether the grant of `who` brings the key. A person has no other way to it; a device may have been told to ask KMS.
#[must_use]
pub fn brings_key(transfer: &Transfer, who: Who) -> bool {
    match (who, transfer.order.key) {
        (Who::Person, _) | (Who::Device, KeyFrom::Grant) => true,
        (Who::Device, KeyFrom::Kms) => false,
    }
}

/// For how many seconds a URL is made; `None` if the transfer ends before it could be used.
#[must_use]
pub fn url_seconds(transfer: &Transfer, now: Timestamp) -> Option<u64> {
    let left = u64::try_from(transfer.expires_at.millis_since(now) / 1_000).ok()?;
    Some(left.min(URL_SECONDS)).filter(|seconds| *seconds > 0)
}

/// Which of the missing parts a grant brings URLs for: the first ones from `from` on.
#[must_use]
pub fn window(missing: &[u32], from: u32) -> Vec<u32> {
    missing.iter().copied().filter(|part| *part >= from).take(MOST_URLS).collect()
}

/// The file in a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// What its owner calls it.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Sha256Hex,
    /// The length of the body in bytes.
    pub body_bytes: u64,
    /// Its bytes in each part but the last.
    pub part_bytes: u64,
    /// How many parts the body has.
    pub parts: u32,
    /// Its bytes in each frame but the last.
    pub frame_length: u32,
}

/// The key in a grant: it opens the raw AES data key of the header, by these names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// [`crate::head::NAMESPACE`].
    pub namespace: String,
    /// [`crate::head::Subject::key_name`].
    pub name: String,
    /// Its 32 bytes, in base64. Never logged.
    pub value: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Key").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A part that is wanted, and where to put it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartUrl {
    /// Its number.
    pub part: u32,
    /// How many sealed bytes it has.
    pub bytes: u64,
    /// For one PUT. Never logged.
    pub url: String,
}

/// What a device gets on `loam/{thing}/files/{transferId}/grant`, and a person from `refresh`.
///
/// A device takes it only before `expires_at`, and only for an attempt that it has not finished: AWS delivers at least once,
/// and what was recorded can be sent again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Which transfer.
    pub transfer_id: TransferId,
    /// Which attempt: the keys belong to it, and no other.
    pub attempt: AttemptId,
    /// Which way.
    pub direction: Direction,
    /// What.
    pub file: File,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Until when its URLs are good. Ask again after that.
    pub expires_at: Timestamp,
    /// When the transfer ends.
    pub ends_at: Timestamp,
    /// The message's header, in base64; header and body are the message.
    pub header: String,
    /// What opens it. Absent where the device asks KMS for the header's `aws-kms` data key, by the context
    /// {`direction`, `thing`, `transferId`}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Where the body is. Never logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Where parts of it go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uploads: Vec<PartUrl>,
    /// How many parts are missing, with those that this grant has no URL for.
    #[serde(default)]
    pub missing: u32,
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Grant").field("transfer_id", &self.transfer_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::tests::{at, attempt, digest_of, transfer};
    use crate::transfer::{End, How, Ready, Source};

    fn ready(direction: Direction) -> Transfer {
        let sha256 = digest_of(b"abc").finish();
        let source = Some(Source { version: "v1".to_owned(), at: at(1) });
        let attempt = Some(attempt(1, 3, Some(sha256.clone())));
        Transfer { source, attempt, ready: Some(Ready { sha256, at: at(5) }), ..transfer(direction, 3) }
    }

    #[test]
    fn only_the_sender_gets_where_to_put_it_and_only_the_receiver_where_it_is() {
        let down = transfer(Direction::Download, 3);
        assert_eq!(share(&down, Who::Person, 1, at(9)), Ok(Share::Source));
        assert_eq!(share(&down, Who::Device, 1, at(9)), Err(NoGrant::NotYet));
        let up = transfer(Direction::Upload, 3);
        assert_eq!(share(&up, Who::Device, 1, at(9)), Ok(Share::Parts(None)));
        assert_eq!(share(&up, Who::Person, 1, at(9)), Err(NoGrant::NotYet));
        for (direction, sender, receiver) in
            [(Direction::Download, Who::Person, Who::Device), (Direction::Upload, Who::Device, Who::Person)]
        {
            let ready = ready(direction);
            assert!(matches!(share(&ready, receiver, 1, at(9)), Ok(Share::File(..))));
            assert_eq!(share(&ready, sender, 1, at(9)), Err(NoGrant::NotTheirs));
        }
    }

    #[test]
    fn nobody_gets_anything_of_what_is_sealed_verified_over_or_of_another_time() {
        let sealing = Transfer { ready: None, ..ready(Direction::Download) };
        assert_eq!(share(&sealing, Who::Device, 1, at(9)), Err(NoGrant::NotYet));
        let verifying = Transfer { ready: None, uploaded_at: Some(at(3)), ..ready(Direction::Upload) };
        assert_eq!(share(&verifying, Who::Device, 1, at(9)), Err(NoGrant::NotTheirs));
        let there = ready(Direction::Download);
        assert_eq!(share(&there, Who::Device, 2, at(9)), Err(NoGrant::OtherEpoch));
        assert_eq!(share(&there, Who::Device, 1, at(60_000)), Err(NoGrant::Over));
        let end = Some(End { how: How::Completed, at: at(7), reason: None });
        assert_eq!(share(&Transfer { end, ..there }, Who::Device, 1, at(9)), Err(NoGrant::Over));
    }

    #[test]
    fn only_a_device_that_asks_kms_gets_no_key() {
        for direction in [Direction::Download, Direction::Upload] {
            let mut transfer = ready(direction);
            assert!(brings_key(&transfer, Who::Device) && brings_key(&transfer, Who::Person));
            transfer.order.key = KeyFrom::Kms;
            assert!(!brings_key(&transfer, Who::Device) && brings_key(&transfer, Who::Person));
        }
    }

    #[test]
    fn a_grant_without_a_key_has_no_such_member() {
        let file = File {
            name: "f".to_owned(),
            size: 3,
            sha256: digest_of(b"abc").finish(),
            body_bytes: 43,
            part_bytes: 512,
            parts: 1,
            frame_length: 512,
        };
        let of = transfer(Direction::Download, 3);
        let grant = Grant {
            transfer_id: of.id,
            attempt: attempt(1, 3, None).id,
            direction: Direction::Download,
            file,
            issued_at: at(1),
            expires_at: at(2),
            ends_at: at(3),
            header: String::new(),
            key: None,
            body: None,
            uploads: vec![],
            missing: 0,
        };
        let wire = serde_json::to_value(&grant).unwrap();
        assert!(wire.get("key").is_none(), "{wire}");
        assert_eq!(serde_json::from_value::<Grant>(wire).unwrap(), grant);
    }

    #[test]
    fn no_url_outlives_its_transfer() {
        let minute = transfer(Direction::Download, 3);
        assert_eq!(url_seconds(&minute, at(0)), Some(60));
        assert_eq!(url_seconds(&minute, at(59_000)), Some(1));
        assert_eq!((url_seconds(&minute, at(59_001)), url_seconds(&minute, at(60_000))), (None, None));
        let day = Transfer { expires_at: at(86_400_000), ..minute };
        assert_eq!(url_seconds(&day, at(0)), Some(900));
    }

    #[test]
    fn a_grant_brings_forty_urls_from_the_part_that_was_asked_for() {
        let missing: Vec<u32> = (1..=100).filter(|part| part % 2 == 0).collect();
        assert_eq!(window(&missing, 0).len(), 40);
        assert_eq!(window(&missing, 91), [92, 94, 96, 98, 100]);
        assert_eq!(window(&missing, 101), [0_u32; 0]);
    }
}
