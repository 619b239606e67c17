use crate::encrypted_data_key::MAX_CIPHERTEXT_BYTES;
use crate::{EncryptedDataKey, EncryptionContext, FrameLength, Header};

/// Why a message cannot be sealed or opened. No text holds a key, a plaintext or a pair of the encryption context.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first byte is not 2. Version 1 carries only suites without key commitment.
    #[error("the message's format version is {0}; only version 2 is opened: seal it again with a committing suite")]
    UnsupportedVersion(u8),
    /// The algorithm suite is not 0x0478.
    #[error("the message's algorithm suite is {0:#06x}; only 0x0478 is opened: seal it again with that suite")]
    UnsupportedSuite(u16),
    /// The encryption context is malformed; the text says how.
    #[error("the encryption context {0}")]
    InvalidContext(&'static str),
    /// The serialized encryption context is longer than [`EncryptionContext::MAX_BYTES`].
    #[error("the encryption context has {0} bytes; at most {max} are allowed", max = EncryptionContext::MAX_BYTES)]
    ContextTooLarge(usize),
    /// A message without an encrypted data key: nobody could open it.
    #[error("the message holds no encrypted data key; at least one is needed")]
    NoEncryptedDataKey,
    /// More encrypted data keys than [`Header::MAX_ENCRYPTED_DATA_KEYS`].
    #[error("the message holds {0} encrypted data keys; at most {max} are allowed", max = Header::MAX_ENCRYPTED_DATA_KEYS)]
    TooManyEncryptedDataKeys(usize),
    /// A field of an encrypted data key is empty, not UTF-8 or reserved; the text says which.
    #[error("an encrypted data key's {0}")]
    InvalidEncryptedDataKey(&'static str),
    /// A field of an encrypted data key is longer than allowed.
    #[error(
        "an encrypted data key's {field} has {bytes} bytes; at most {id} (provider id), {info} (provider info) and \
         {MAX_CIPHERTEXT_BYTES} (ciphertext) are allowed",
        id = EncryptedDataKey::MAX_PROVIDER_ID_BYTES,
        info = EncryptedDataKey::MAX_PROVIDER_INFO_BYTES
    )]
    EncryptedDataKeyTooLarge {
        /// Which field: `provider id`, `provider info` or `ciphertext`.
        field: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The body is not framed (content type 2).
    #[error("the message's content type is {0}; only 2, a framed body, is opened")]
    UnsupportedContentType(u8),
    /// The frame length is 0 or more than [`FrameLength::MAX`].
    #[error("the frame length is {0} bytes; it must be 1 to {max}", max = FrameLength::MAX)]
    InvalidFrameLength(u32),
    /// The input ended inside the header.
    #[error("the message ends inside its header: fetch it again, all of it")]
    TruncatedHeader,
    /// The message was sealed for another encryption context than the one that was expected.
    #[error("the message's encryption context is not the expected one: it was sealed for another purpose")]
    ContextMismatch,
    /// None of the encrypted data keys names this wrapping key.
    #[error("no encrypted data key of the message names this wrapping key: use the key that it was sealed for")]
    NoMatchingDataKey,
    /// An encrypted data key names this wrapping key but does not open: another key, or a changed context.
    #[error("the encrypted data key does not open: the wrapping key is another one, or the message was changed")]
    DataKeyNotAuthentic,
    /// The data key is not the one that the header commits to.
    #[error("the data key is not the one that the message commits to: another key, or the message was changed")]
    CommitmentMismatch,
    /// The header's tag is wrong.
    #[error("the header is not authentic: it was changed after it was sealed")]
    HeaderNotAuthentic,
    /// A frame other than the next one: dropped, doubled, swapped or from another place.
    #[error("frame {found} came where frame {expected} belongs: the message was cut, reordered or changed")]
    FrameOutOfOrder {
        /// The sequence number that had to come.
        expected: u32,
        /// The sequence number that came.
        found: u32,
    },
    /// The IV written in the frame is not the one that its sequence number gives.
    #[error("frame {0} carries another IV than its sequence number gives: the message was changed")]
    UnexpectedIv(u32),
    /// The final frame declares more content than a frame holds.
    #[error("the final frame declares {0} bytes, more than the header's frame length: the message was changed")]
    FinalFrameTooLong(u32),
    /// A frame's tag is wrong.
    #[error("frame {0} is not authentic: it was changed, or comes from another message")]
    FrameNotAuthentic(u32),
    /// The input ended before the final frame did.
    #[error("the message ends before its final frame: frame {0} is missing or cut")]
    TruncatedBody(u32),
    /// Bytes follow the final frame.
    #[error("bytes follow the final frame: the message was appended to")]
    TrailingData,
    /// A sequence number of 0: frames are counted from 1.
    #[error("there is no frame 0: frames are counted from 1")]
    NoFrameZero,
    /// More frames than a 32-bit sequence number counts.
    #[error("the message needs more than 4,294,967,294 full frames: choose a longer frame")]
    MessageTooLong,
    /// The cryptography library refused what it never refuses with the lengths used here.
    #[error("the cryptography library refused an operation that cannot fail: report it")]
    CryptographyFailed,
}

impl Error {
    /// The stable code for logs, metrics and callers, for example `frame-not-authentic`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedVersion(_) => "unsupported-version",
            Self::UnsupportedSuite(_) => "unsupported-suite",
            Self::InvalidContext(_) => "invalid-context",
            Self::ContextTooLarge(_) => "context-too-large",
            Self::NoEncryptedDataKey => "no-encrypted-data-key",
            Self::TooManyEncryptedDataKeys(_) => "too-many-encrypted-data-keys",
            Self::InvalidEncryptedDataKey(_) => "invalid-encrypted-data-key",
            Self::EncryptedDataKeyTooLarge { .. } => "encrypted-data-key-too-large",
            Self::UnsupportedContentType(_) => "unsupported-content-type",
            Self::InvalidFrameLength(_) => "invalid-frame-length",
            Self::TruncatedHeader => "truncated-header",
            Self::ContextMismatch => "context-mismatch",
            Self::NoMatchingDataKey => "no-matching-data-key",
            Self::DataKeyNotAuthentic => "data-key-not-authentic",
            Self::CommitmentMismatch => "commitment-mismatch",
            Self::HeaderNotAuthentic => "header-not-authentic",
            Self::FrameOutOfOrder { .. } => "frame-out-of-order",
            Self::UnexpectedIv(_) => "unexpected-iv",
            Self::FinalFrameTooLong(_) => "final-frame-too-long",
            Self::FrameNotAuthentic(_) => "frame-not-authentic",
            Self::TruncatedBody(_) => "truncated-body",
            Self::TrailingData => "trailing-data",
            Self::NoFrameZero => "no-frame-zero",
            Self::MessageTooLong => "message-too-long",
            Self::CryptographyFailed => "cryptography-failed",
        }
    }
}
