//! What opens a file: its header, and the key that opens the header's data key.
//!
//! Both lie in one object, apart from the body, without versions and without copies: who deletes it makes the body
//! unreadable for ever.

use loam_domain::ThingName;
use loam_sealed::{EncryptionContext, Error, FrameLength, WrappingKey};
pub use loam_sealed_keys::{Fresh, Head};

use crate::ids::{AttemptId, TransferId};
use crate::order::Direction;
use crate::plan::Layout;

/// The namespace of wrapping keys: the provider id of the header's raw encrypted data key.
pub const NAMESPACE: &str = "loam-file-transfer";

/// What a file is, and for whom: its encryption context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Whose device.
    pub thing: ThingName,
    /// Which transfer.
    pub transfer: TransferId,
    /// Which way.
    pub direction: Direction,
}

impl Subject {
    /// The pairs of the encryption context, for KMS. They are readable in headers and in KMS's log.
    #[must_use]
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [("direction", self.direction.as_str()), ("thing", self.thing.as_str()), ("transferId", self.transfer.as_str())]
    }

    /// The pairs for the wrapping key: one more, so that neither key passes for the other.
    #[must_use]
    pub fn wrapping_pairs(&self) -> [(&'static str, &str); 4] {
        let [direction, thing, transfer] = self.pairs();
        [direction, thing, transfer, ("use", "wrapping-key")]
    }

    /// The encryption context of the message.
    ///
    /// # Errors
    /// None for names and ids as they are.
    pub fn context(&self) -> Result<EncryptionContext, Error> {
        EncryptionContext::new(self.pairs())
    }

    /// The wrapping key of an attempt.
    ///
    /// # Errors
    /// None for ids as they are.
    pub fn wrapping_key(&self, attempt: &AttemptId, bytes: &[u8; 32]) -> Result<WrappingKey, Error> {
        WrappingKey::new(NAMESPACE, &self.key_name(attempt), bytes)
    }

    /// The name of an attempt's wrapping key.
    #[must_use]
    pub fn key_name(&self, attempt: &AttemptId) -> String {
        format!("{}.{attempt}", self.transfer)
    }

    /// The head of an attempt, of keys that were made for it.
    ///
    /// # Errors
    /// What the format refuses, of values that KMS never gives.
    pub fn head(&self, attempt: &AttemptId, layout: Layout, fresh: &Fresh) -> Result<Head, Error> {
        let wrapping = self.wrapping_key(attempt, &fresh.wrapping_key)?;
        Head::make(self.context()?, &wrapping, FrameLength::new(layout.frame_length)?, fresh)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use loam_sealed::UnverifiedHeader;
    use loam_sealed_keys::samples::{WRAPPING_KEY, fresh};

    use super::*;

    pub(crate) fn subject() -> Subject {
        Subject {
            thing: ThingName::parse("t1").unwrap(),
            transfer: TransferId::new(loam_domain::Timestamp::from_millis(5), [7; 10]),
            direction: Direction::Download,
        }
    }

    pub(crate) fn attempt() -> AttemptId {
        AttemptId::new([3; 16])
    }

    pub(crate) fn head(size: u64, frame_length: u32) -> Head {
        subject().head(&attempt(), Layout::new(size, frame_length).unwrap(), &fresh()).unwrap()
    }

    #[test]
    fn the_wrapping_key_opens_the_header_and_no_other_attempts_key_does() {
        let head = head(3, 512);
        let bytes = head.header().unwrap();
        let open = |attempt: &AttemptId, key: [u8; 32]| {
            let (header, _) = UnverifiedHeader::parse(&bytes).unwrap();
            let wrapping = subject().wrapping_key(attempt, &key).unwrap();
            let data_key = header.unwrap_key(&wrapping)?;
            header.open(&data_key, &subject().context().unwrap()).map(|opener| opener.header().frame_length().get())
        };
        assert_eq!(open(&attempt(), WRAPPING_KEY), Ok(512));
        assert_eq!(open(&attempt(), [3; 32]), Err(Error::DataKeyNotAuthentic));
        assert_eq!(open(&AttemptId::new([9; 16]), WRAPPING_KEY), Err(Error::NoMatchingDataKey));
    }
}
