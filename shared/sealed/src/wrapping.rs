use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::{DataKey, EncryptedDataKey, EncryptionContext, Error};

/// A key that encrypts data keys: raw AES-256-GCM, as the official clients' raw AES keyring does it.
pub struct WrappingKey {
    namespace: String,
    name: String,
    key: LessSafeKey,
}

impl WrappingKey {
    /// A wrapping key, known to its readers by namespace and name (which stand readable in each message).
    ///
    /// # Errors
    /// [`Error::InvalidEncryptedDataKey`] if a name is empty or the namespace begins with `aws-kms`;
    /// [`Error::EncryptedDataKeyTooLarge`] if one does not fit in an encrypted data key.
    pub fn new(namespace: &str, name: &str, bytes: &[u8; 32]) -> Result<Self, Error> {
        if namespace.starts_with(EncryptedDataKey::AWS_KMS) {
            return Err(Error::InvalidEncryptedDataKey("namespace begins with `aws-kms`, which is reserved"));
        }
        if name.is_empty() {
            return Err(Error::InvalidEncryptedDataKey("key name is empty"));
        }
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| Error::CryptographyFailed)?;
        let wrapping = Self { namespace: namespace.to_owned(), name: name.to_owned(), key: LessSafeKey::new(key) };
        wrapping.encrypted(&[0; 12], vec![0; 48])?;
        Ok(wrapping)
    }

    /// Encrypts a message's data key. The IV must be random, and never used twice with one wrapping key.
    ///
    /// # Errors
    /// [`Error::CryptographyFailed`], which does not happen.
    pub fn wrap(&self, key: &DataKey, context: &EncryptionContext, iv: [u8; 12]) -> Result<EncryptedDataKey, Error> {
        let mut wrapped = Zeroizing::new(key.bytes().to_vec());
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(context.serialize()), &mut wrapped)
            .map_err(|_| Error::CryptographyFailed)?;
        self.encrypted(&iv, [wrapped.as_slice(), tag.as_ref()].concat())
    }

    /// Finds this key's encrypted data key among a message's and decrypts it.
    ///
    /// # Errors
    /// [`Error::NoMatchingDataKey`] if none names this key; [`Error::DataKeyNotAuthentic`] if one does but does not
    /// open with it and this context.
    pub fn unwrap(&self, keys: &[EncryptedDataKey], context: &EncryptionContext) -> Result<DataKey, Error> {
        let aad = context.serialize();
        let mut found = Error::NoMatchingDataKey;
        for key in keys {
            if let Some(iv) = self.iv_of(key) {
                match self.open(key.ciphertext(), &aad, iv) {
                    Ok(data_key) => return Ok(data_key),
                    Err(error) => found = error,
                }
            }
        }
        Err(found)
    }

    fn open(&self, ciphertext: &[u8], aad: &[u8], iv: [u8; 12]) -> Result<DataKey, Error> {
        let mut wrapped = Zeroizing::new(ciphertext.to_vec());
        let opened = self.key.open_in_place(Nonce::assume_unique_for_key(iv), Aad::from(aad), &mut wrapped);
        let bytes = opened.ok().and_then(|bytes| (&*bytes).try_into().ok()).ok_or(Error::DataKeyNotAuthentic)?;
        Ok(DataKey::new(bytes))
    }

    /// What stands before the IV in the provider info: name, tag length in bits, IV length in bytes.
    fn info_prefix(&self) -> Vec<u8> {
        [self.name.as_bytes(), &128_u32.to_be_bytes(), &12_u32.to_be_bytes()].concat()
    }

    fn encrypted(&self, iv: &[u8; 12], ciphertext: Vec<u8>) -> Result<EncryptedDataKey, Error> {
        EncryptedDataKey::new(self.namespace.clone(), [self.info_prefix().as_slice(), iv].concat(), ciphertext)
    }

    fn iv_of(&self, key: &EncryptedDataKey) -> Option<[u8; 12]> {
        let ours = key.provider_id() == self.namespace;
        ours.then(|| key.provider_info().strip_prefix(self.info_prefix().as_slice())?.try_into().ok()).flatten()
    }
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WrappingKey").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
