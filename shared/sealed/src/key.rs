use std::fmt;

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::hkdf::{HKDF_SHA512, KeyType, Prk, Salt};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Error;

/// AES-256-GCM, HKDF-SHA512, key commitment, no signature.
pub(crate) const SUITE: u16 = 0x0478;

/// The key of one message, from `GenerateDataKey` or a random source: 256 bits, wiped from memory when dropped.
///
/// One data key seals one file, once.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// A key of these bytes, which must come from a cryptographic random source.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey(hidden)")
    }
}

/// What tells one message from another: 256 random bits, never used twice. Not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId([u8; 32]);

impl MessageId {
    /// An id of these bytes, which must come from a cryptographic random source.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The id's bytes, as they stand in the header.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a message uses: both values come from the data key, with the message id as salt.
pub(crate) struct DerivedKeys {
    /// Seals header and frames.
    pub(crate) encryption: LessSafeKey,
    commitment: Zeroizing<[u8; 32]>,
}

impl DerivedKeys {
    pub(crate) fn derive(data_key: &DataKey, message_id: &MessageId) -> Result<Self, Error> {
        let source = Salt::new(HKDF_SHA512, message_id.as_bytes()).extract(data_key.bytes());
        Ok(Self { encryption: encryption_key(&source)?, commitment: commitment(&source)? })
    }

    pub(crate) fn commitment(&self) -> &[u8; 32] {
        &self.commitment
    }

    /// In constant time: the comparison must not tell how far a guess is right.
    pub(crate) fn commits_to(&self, stated: &[u8; 32]) -> bool {
        self.commitment.ct_eq(stated).into()
    }
}

fn encryption_key(source: &Prk) -> Result<LessSafeKey, Error> {
    let info = [&SUITE.to_be_bytes()[..], b"DERIVEKEY"];
    let key = source.expand(&info, &AES_256_GCM).map_err(|_| Error::CryptographyFailed)?;
    Ok(LessSafeKey::new(UnboundKey::from(key)))
}

fn commitment(source: &Prk) -> Result<Zeroizing<[u8; 32]>, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    let key = source.expand(&[b"COMMITKEY"], CommitmentLength).map_err(|_| Error::CryptographyFailed)?;
    key.fill(bytes.as_mut_slice()).map_err(|_| Error::CryptographyFailed)?;
    Ok(bytes)
}

struct CommitmentLength;

impl KeyType for CommitmentLength {
    fn len(&self) -> usize {
        32
    }
}
