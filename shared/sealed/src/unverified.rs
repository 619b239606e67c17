use ring::aead::Aad;

use crate::cursor::{Cursor, Stop, fill};
use crate::header::{FRAMED, VERSION, check_count, header_nonce};
use crate::key::{DerivedKeys, SUITE};
use crate::{DataKey, EncryptedDataKey, EncryptionContext, Error, FrameLength, Header, MessageId, Opener, WrappingKey};

/// A header as it was read: well-formed and within all limits, but **not yet authentic**. It says which key to get;
/// [`UnverifiedHeader::open`] then proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedHeader {
    header: Header,
    /// As they stood in the message: the tag covers these bytes, not a rendering of the parsed ones.
    bytes: Vec<u8>,
    commitment: [u8; 32],
    tag: [u8; 16],
}

impl UnverifiedHeader {
    /// Reads a header that is all there; gives it and the bytes behind it.
    ///
    /// # Errors
    /// [`Error::TruncatedHeader`], or what is wrong with the header.
    pub fn parse(mut message: &[u8]) -> Result<(Self, &[u8]), Error> {
        let header = HeaderReader::default().read(&mut message)?.ok_or(Error::TruncatedHeader)?;
        Ok((header, message))
    }

    /// The encrypted data keys as the message states them: look here for the one to send to KMS.
    #[must_use]
    pub fn encrypted_data_keys(&self) -> &[EncryptedDataKey] {
        self.header.encrypted_data_keys()
    }

    /// The context as the message states it, to be shown or compared.
    #[must_use]
    pub const fn stated_context(&self) -> &EncryptionContext {
        self.header.context()
    }

    /// The data key, by a raw wrapping key.
    ///
    /// # Errors
    /// As [`WrappingKey::unwrap`].
    pub fn unwrap_key(&self, wrapping_key: &WrappingKey) -> Result<DataKey, Error> {
        wrapping_key.unwrap(self.encrypted_data_keys(), self.stated_context())
    }

    /// Verifies the header and gives what opens the body from its first frame on. `expected` must be exactly the
    /// message's context: it is what tells this file from another that was sealed for the same reader.
    ///
    /// # Errors
    /// [`Error::ContextMismatch`], [`Error::CommitmentMismatch`], [`Error::HeaderNotAuthentic`].
    pub fn open(self, data_key: &DataKey, expected: &EncryptionContext) -> Result<Opener, Error> {
        if self.stated_context() != expected {
            return Err(Error::ContextMismatch);
        }
        let keys = DerivedKeys::derive(data_key, self.header.message_id())?;
        if !keys.commits_to(&self.commitment) {
            return Err(Error::CommitmentMismatch);
        }
        let mut tag = self.tag;
        keys.encryption
            .open_in_place(header_nonce(), Aad::from(self.bytes.as_slice()), &mut tag)
            .map_err(|_| Error::HeaderNotAuthentic)?;
        Ok(Opener::new(keys.encryption, self.header))
    }

    fn read(bytes: &[u8]) -> Result<Self, Stop> {
        let mut cursor = Cursor::new(bytes);
        let header = read_fields(&mut cursor)?;
        let commitment = cursor.array()?;
        let authenticated = cursor.position();
        let tag = cursor.array()?;
        let (bytes, _) = bytes.split_at(authenticated);
        Ok(Self { header, bytes: bytes.to_vec(), commitment, tag })
    }
}

/// Every limit is checked as soon as its field is read, before what it announces is asked for.
fn read_fields(cursor: &mut Cursor<'_>) -> Result<Header, Stop> {
    match cursor.u8()? {
        VERSION => {}
        other => return Err(Error::UnsupportedVersion(other).into()),
    }
    match cursor.u16()? {
        SUITE => {}
        other => return Err(Error::UnsupportedSuite(other).into()),
    }
    let message_id = MessageId::new(cursor.array()?);
    let context = read_context(cursor)?;
    let encrypted_data_keys = read_keys(cursor)?;
    match cursor.u8()? {
        FRAMED => {}
        other => return Err(Error::UnsupportedContentType(other).into()),
    }
    let frame_length = FrameLength::new(cursor.u32()?)?;
    Ok(Header::new(message_id, context, encrypted_data_keys, frame_length)?)
}

fn read_context(cursor: &mut Cursor<'_>) -> Result<EncryptionContext, Stop> {
    let count = usize::from(cursor.u16()?);
    if count > EncryptionContext::MAX_BYTES {
        return Err(Error::ContextTooLarge(count).into());
    }
    Ok(EncryptionContext::parse(cursor.take(count)?)?)
}

fn read_keys(cursor: &mut Cursor<'_>) -> Result<Vec<EncryptedDataKey>, Stop> {
    let count = usize::from(cursor.u16()?);
    check_count(count)?;
    (0..count).map(|_| EncryptedDataKey::read(cursor)).collect()
}

/// Reads a header that arrives in pieces of any size, and takes no byte beyond it. It holds at most what the limits
/// allow: about 140 KiB.
#[derive(Debug, Default)]
pub struct HeaderReader {
    bytes: Vec<u8>,
    needed: usize,
}

impl HeaderReader {
    /// Takes the header's bytes from the front of `input`; gives the header once it is all there, else `None`.
    ///
    /// # Errors
    /// What is wrong with the header; the reader is of no use afterwards.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<UnverifiedHeader>, Error> {
        while fill(&mut self.bytes, self.needed, input) {
            match UnverifiedHeader::read(&self.bytes) {
                Ok(header) => {
                    *self = Self::default();
                    return Ok(Some(header));
                }
                Err(Stop::Needs(bytes)) => self.needed = bytes,
                Err(Stop::Refused(error)) => return Err(error),
            }
        }
        Ok(None)
    }
}
