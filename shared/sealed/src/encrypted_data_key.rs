use crate::Error;
use crate::context::length;
use crate::cursor::{Cursor, Stop};

/// The longest ciphertext of a data key, in bytes: what KMS gives at most.
pub(crate) const MAX_CIPHERTEXT_BYTES: usize = 6144;

/// The message's data key, encrypted for one reader. A message may hold several; each opens the same body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedDataKey {
    provider_id: String,
    provider_info: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl EncryptedDataKey {
    /// The longest provider id, in bytes.
    pub const MAX_PROVIDER_ID_BYTES: usize = 128;

    /// The longest provider info, in bytes: KMS's longest key ARN.
    pub const MAX_PROVIDER_INFO_BYTES: usize = 2048;

    /// The provider id of keys encrypted by KMS.
    pub const AWS_KMS: &'static str = "aws-kms";

    /// A data key as `GenerateDataKey` or `Encrypt` returned it (`CiphertextBlob`) for the KMS key with this ARN. The
    /// call must have had the same encryption context as the message.
    ///
    /// # Errors
    /// [`Error::EncryptedDataKeyTooLarge`], or [`Error::InvalidEncryptedDataKey`] for an empty field.
    pub fn aws_kms(key_arn: &str, ciphertext: Vec<u8>) -> Result<Self, Error> {
        Self::new(Self::AWS_KMS.to_owned(), key_arn.as_bytes().to_vec(), ciphertext)
    }

    pub(crate) fn new(provider_id: String, provider_info: Vec<u8>, ciphertext: Vec<u8>) -> Result<Self, Error> {
        at_most("provider id", provider_id.len(), Self::MAX_PROVIDER_ID_BYTES)?;
        at_most("provider info", provider_info.len(), Self::MAX_PROVIDER_INFO_BYTES)?;
        at_most("ciphertext", ciphertext.len(), MAX_CIPHERTEXT_BYTES)?;
        if provider_id.is_empty() || provider_info.is_empty() || ciphertext.is_empty() {
            return Err(Error::InvalidEncryptedDataKey("provider id, provider info or ciphertext is empty"));
        }
        Ok(Self { provider_id, provider_info, ciphertext })
    }

    /// Who encrypted the key: `aws-kms`, or the namespace of a raw AES key.
    #[must_use]
    pub fn provider_id(&self) -> &str {
        &self.provider_id
    }

    /// Which of the provider's keys it was: the ARN, or a raw key's name with its IV.
    #[must_use]
    pub fn provider_info(&self) -> &[u8] {
        &self.provider_info
    }

    /// The encrypted key itself, for `Decrypt`.
    #[must_use]
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }

    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        for field in [self.provider_id.as_bytes(), &self.provider_info, &self.ciphertext] {
            bytes.extend(length(field.len()));
            bytes.extend_from_slice(field);
        }
    }

    /// Every length is checked before its bytes are asked for.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let provider_id = field(cursor, "provider id", Self::MAX_PROVIDER_ID_BYTES)?;
        let provider_info = field(cursor, "provider info", Self::MAX_PROVIDER_INFO_BYTES)?;
        let ciphertext = field(cursor, "ciphertext", MAX_CIPHERTEXT_BYTES)?;
        let provider_id =
            String::from_utf8(provider_id).map_err(|_| Error::InvalidEncryptedDataKey("provider id is not UTF-8"))?;
        Ok(Self::new(provider_id, provider_info, ciphertext)?)
    }
}

fn field(cursor: &mut Cursor<'_>, name: &'static str, max: usize) -> Result<Vec<u8>, Stop> {
    let count = usize::from(cursor.u16()?);
    at_most(name, count, max)?;
    Ok(cursor.take(count)?.to_vec())
}

const fn at_most(field: &'static str, bytes: usize, max: usize) -> Result<(), Error> {
    if bytes > max { Err(Error::EncryptedDataKeyTooLarge { field, bytes }) } else { Ok(()) }
}
