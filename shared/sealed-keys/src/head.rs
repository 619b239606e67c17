use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_sealed::{
    DataKey, EncryptedDataKey, EncryptionContext, Error, FrameLength, Header, MessageId, UnverifiedHeader, WrappingKey,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Keys that were made just now, by KMS and by chance. They are used for one [`Head`].
pub struct Fresh {
    /// `Plaintext` of `GenerateDataKey` with the message's context.
    pub data_key: DataKey,
    /// Its `CiphertextBlob`.
    pub data_key_ciphertext: Vec<u8>,
    /// `KeyId`: the ARN of the KMS key.
    pub kms_key: String,
    /// `Plaintext` of `GenerateDataKey` with the wrapping key's context.
    pub wrapping_key: Zeroizing<[u8; 32]>,
    /// Its `CiphertextBlob`.
    pub wrapping_key_ciphertext: Vec<u8>,
    /// Random.
    pub message_id: [u8; 32],
    /// Random.
    pub iv: [u8; 12],
}

/// What opens a message, as it is stored: its header, and the key that opens the header's data key. The header is made once
/// and never again: made again for the same keys with another IV, two headers would share a nonce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    header: String,
    wrapping_key: String,
}

/// What was stored is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is stored as the head of a sealed message is none: Loam did not write it")]
pub struct NoHead;

impl std::fmt::Debug for Fresh {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fresh").field("kms_key", &self.kms_key).finish_non_exhaustive()
    }
}

impl Head {
    /// A head of fresh keys: the header with both encrypted data keys, and the encrypted wrapping key. `wrapping` is the fresh
    /// wrapping key under the names by which its readers know it.
    ///
    /// # Errors
    /// What the format refuses, of values that KMS never gives.
    pub fn make(
        context: EncryptionContext,
        wrapping: &WrappingKey,
        frame: FrameLength,
        fresh: &Fresh,
    ) -> Result<Self, Error> {
        let keys = vec![
            EncryptedDataKey::aws_kms(&fresh.kms_key, fresh.data_key_ciphertext.clone())?,
            wrapping.wrap(&fresh.data_key, &context, fresh.iv)?,
        ];
        let header = Header::new(MessageId::new(fresh.message_id), context, keys, frame)?.seal(&fresh.data_key)?;
        let wrapping_key = STANDARD.encode(&fresh.wrapping_key_ciphertext);
        Ok(Self { header: STANDARD.encode(header), wrapping_key })
    }

    /// The header's bytes.
    ///
    /// # Errors
    /// [`NoHead`].
    pub fn header(&self) -> Result<Vec<u8>, NoHead> {
        STANDARD.decode(&self.header).map_err(|_| NoHead)
    }

    /// What `Decrypt` makes the wrapping key of, with its context.
    ///
    /// # Errors
    /// [`NoHead`].
    pub fn wrapping_key_ciphertext(&self) -> Result<Vec<u8>, NoHead> {
        STANDARD.decode(&self.wrapping_key).map_err(|_| NoHead)
    }

    /// What `Decrypt` makes the data key of, with the message's context.
    ///
    /// # Errors
    /// [`NoHead`].
    pub fn data_key_ciphertext(&self) -> Result<Vec<u8>, NoHead> {
        let header = self.header()?;
        let (header, rest) = UnverifiedHeader::parse(&header).map_err(|_| NoHead)?;
        let kms = header.encrypted_data_keys().iter().find(|key| key.provider_id() == EncryptedDataKey::AWS_KMS);
        match kms {
            Some(key) if rest.is_empty() => Ok(key.ciphertext().to_vec()),
            _ => Err(NoHead),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{WRAPPING_KEY, fresh};

    fn context() -> EncryptionContext {
        EncryptionContext::new([("what", "x")]).unwrap()
    }

    fn head() -> Head {
        let (fresh, frame) = (fresh(), FrameLength::new(512).unwrap());
        let wrapping = WrappingKey::new("ours", "one", &fresh.wrapping_key).unwrap();
        Head::make(context(), &wrapping, frame, &fresh).unwrap()
    }

    #[test]
    fn the_wrapping_key_opens_the_header_and_another_does_not() {
        let bytes = head().header().unwrap();
        let open = |name: &str, key: [u8; 32]| {
            let (header, _) = UnverifiedHeader::parse(&bytes).unwrap();
            let data_key = header.unwrap_key(&WrappingKey::new("ours", name, &key)?)?;
            header.open(&data_key, &context()).map(|opener| opener.header().frame_length().get())
        };
        assert_eq!(open("one", WRAPPING_KEY), Ok(512));
        assert_eq!(open("one", [3; 32]), Err(Error::DataKeyNotAuthentic));
        assert_eq!(open("another", WRAPPING_KEY), Err(Error::NoMatchingDataKey));
    }

    #[test]
    fn kms_is_asked_with_what_it_gave() {
        assert_eq!(head().data_key_ciphertext().unwrap(), [9; 40]);
        assert_eq!(head().wrapping_key_ciphertext().unwrap(), [8; 40]);
        let stored = serde_json::to_string(&head()).unwrap();
        assert_eq!(serde_json::from_str::<Head>(&stored).unwrap(), head());
        assert!(stored.starts_with(r#"{"header":""#) && stored.contains(r#""wrappingKey":""#), "{stored}");
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for (header, wrapping_key) in [("?", "AAAA"), ("AAAA", "?"), ("", "")] {
            let head = Head { header: header.to_owned(), wrapping_key: wrapping_key.to_owned() };
            assert!(head.data_key_ciphertext().is_err());
        }
    }

    #[test]
    fn nobody_reads_a_key_in_a_log() {
        let text = format!("{:?}", fresh());
        assert_eq!(text, r#"Fresh { kms_key: "arn:aws:kms:eu-west-1:111122223333:key/k", .. }"#);
    }
}
