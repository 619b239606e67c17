use ring::aead::{Aad, LessSafeKey, Nonce, Tag};

use crate::{Error, MessageId};

/// Stands where a sequence number would: the frame after it is the last.
pub(crate) const FINAL_MARKER: u32 = u32::MAX;

/// Regular or last; the tag covers which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    Regular,
    Final,
}

impl FrameKind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Regular => b"AWSKMSEncryptionClient Frame",
            Self::Final => b"AWSKMSEncryptionClient Final Frame",
        }
    }
}

/// Seals and opens single frames of one message.
pub(crate) struct FrameCipher {
    key: LessSafeKey,
    message_id: MessageId,
}

impl FrameCipher {
    pub(crate) const fn new(key: LessSafeKey, message_id: MessageId) -> Self {
        Self { key, message_id }
    }

    pub(crate) fn seal(&self, kind: FrameKind, sequence: u32, content: &mut [u8]) -> Result<Tag, Error> {
        let aad = self.aad(kind, sequence, content.len());
        let nonce = Nonce::assume_unique_for_key(iv(sequence));
        self.key.seal_in_place_separate_tag(nonce, aad, content).map_err(|_| Error::CryptographyFailed)
    }

    /// Opens `content ‖ tag` in place and gives the content.
    pub(crate) fn open<'a>(&self, kind: FrameKind, sequence: u32, sealed: &'a mut [u8]) -> Result<&'a [u8], Error> {
        let aad = self.aad(kind, sequence, sealed.len().saturating_sub(16));
        let nonce = Nonce::assume_unique_for_key(iv(sequence));
        let opened = self.key.open_in_place(nonce, aad, sealed);
        opened.map(|content| &*content).map_err(|_| Error::FrameNotAuthentic(sequence))
    }

    fn aad(&self, kind: FrameKind, sequence: u32, content: usize) -> Aad<Vec<u8>> {
        let mut bytes = Vec::with_capacity(32 + 34 + 4 + 8);
        bytes.extend(self.message_id.as_bytes());
        bytes.extend(kind.label());
        bytes.extend(sequence.to_be_bytes());
        bytes.extend((content as u64).to_be_bytes());
        Aad::from(bytes)
    }
}

/// Eight zero bytes, then the sequence number: unique within a message, and the key is the message's own.
pub(crate) fn iv(sequence: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    if let Some(last) = bytes.last_chunk_mut() {
        *last = sequence.to_be_bytes();
    }
    bytes
}
