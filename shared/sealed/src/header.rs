use ring::aead::{Aad, Nonce};

use crate::context::length;
use crate::key::{DerivedKeys, SUITE};
use crate::{DataKey, EncryptedDataKey, EncryptionContext, Error, FrameLength, MessageId};

/// The format's version: with key commitment.
pub(crate) const VERSION: u8 = 2;

/// The content type of a framed body.
pub(crate) const FRAMED: u8 = 2;

/// What stands in front of a sealed body. It is readable; it is authentic once it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    message_id: MessageId,
    context: EncryptionContext,
    encrypted_data_keys: Vec<EncryptedDataKey>,
    frame_length: FrameLength,
}

impl Header {
    /// The most encrypted data keys in one message. Loam's have two.
    pub const MAX_ENCRYPTED_DATA_KEYS: usize = 16;

    /// The header of a message with 1 to [`Header::MAX_ENCRYPTED_DATA_KEYS`] encrypted data keys.
    ///
    /// # Errors
    /// [`Error::NoEncryptedDataKey`] and [`Error::TooManyEncryptedDataKeys`].
    pub fn new(
        message_id: MessageId,
        context: EncryptionContext,
        encrypted_data_keys: Vec<EncryptedDataKey>,
        frame_length: FrameLength,
    ) -> Result<Self, Error> {
        check_count(encrypted_data_keys.len())?;
        Ok(Self { message_id, context, encrypted_data_keys, frame_length })
    }

    /// The id that the body is sealed under.
    #[must_use]
    pub const fn message_id(&self) -> &MessageId {
        &self.message_id
    }

    /// What the file is, and for whom.
    #[must_use]
    pub const fn context(&self) -> &EncryptionContext {
        &self.context
    }

    /// The data key, once for each reader.
    #[must_use]
    pub fn encrypted_data_keys(&self) -> &[EncryptedDataKey] {
        &self.encrypted_data_keys
    }

    /// The plaintext bytes in each frame but the last.
    #[must_use]
    pub const fn frame_length(&self) -> FrameLength {
        self.frame_length
    }

    /// The header's bytes, authenticated with the data key: the same for the same arguments, so it can be made again.
    ///
    /// # Errors
    /// [`Error::CryptographyFailed`], which does not happen.
    pub fn seal(&self, data_key: &DataKey) -> Result<Vec<u8>, Error> {
        let keys = DerivedKeys::derive(data_key, &self.message_id)?;
        let mut bytes = self.serialize(keys.commitment());
        let tag = keys
            .encryption
            .seal_in_place_separate_tag(header_nonce(), Aad::from(bytes.as_slice()), &mut [])
            .map_err(|_| Error::CryptographyFailed)?;
        bytes.extend_from_slice(tag.as_ref());
        Ok(bytes)
    }

    fn serialize(&self, commitment: &[u8; 32]) -> Vec<u8> {
        let context = self.context.serialize();
        let mut bytes = vec![VERSION];
        bytes.extend(SUITE.to_be_bytes());
        bytes.extend(self.message_id.as_bytes());
        bytes.extend(length(context.len()));
        bytes.extend(context);
        bytes.extend(length(self.encrypted_data_keys.len()));
        self.encrypted_data_keys.iter().for_each(|key| key.write(&mut bytes));
        bytes.push(FRAMED);
        bytes.extend(self.frame_length.get().to_be_bytes());
        bytes.extend(commitment);
        bytes
    }
}

/// Sequence number 0: no frame has it.
pub(crate) fn header_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

pub(crate) const fn check_count(keys: usize) -> Result<(), Error> {
    match keys {
        0 => Err(Error::NoEncryptedDataKey),
        1..=Header::MAX_ENCRYPTED_DATA_KEYS => Ok(()),
        _ => Err(Error::TooManyEncryptedDataKeys(keys)),
    }
}
