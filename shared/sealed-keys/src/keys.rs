use aws_config::SdkConfig;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use loam_sealed::DataKey;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::{Fresh, Head, KeyFailure};

/// The KMS key under which all others are.
#[derive(Debug, Clone)]
pub struct Keys {
    client: aws_sdk_kms::Client,
    key: String,
}

/// So many random bytes.
///
/// # Errors
/// [`KeyFailure::NoRandom`].
pub fn random<const N: usize>() -> Result<[u8; N], KeyFailure> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyFailure::NoRandom)?;
    Ok(bytes)
}

impl Keys {
    /// Keys under the KMS key with the ARN `key`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, key: String) -> Self {
        Self { client: aws_sdk_kms::Client::new(sdk), key }
    }

    /// Keys for one head, of which nobody knew before. `pairs` are the message's encryption context; `wrapping_pairs`, which
    /// must be others, are those of the wrapping key.
    ///
    /// # Errors
    /// [`KeyFailure`].
    pub async fn fresh(&self, pairs: &[(&str, &str)], wrapping_pairs: &[(&str, &str)]) -> Result<Fresh, KeyFailure> {
        let (data_key, data_key_ciphertext, kms_key) = self.generate(pairs).await?;
        let (wrapping_key, wrapping_key_ciphertext, _) = self.generate(wrapping_pairs).await?;
        Ok(Fresh {
            data_key: DataKey::new(*data_key),
            data_key_ciphertext,
            kms_key,
            wrapping_key,
            wrapping_key_ciphertext,
            message_id: random()?,
            iv: random()?,
        })
    }

    /// The data key of a head, which was made for a message with this context.
    ///
    /// # Errors
    /// [`KeyFailure`].
    pub async fn data_key(&self, head: &Head, pairs: &[(&str, &str)]) -> Result<DataKey, KeyFailure> {
        Ok(DataKey::new(*self.decrypt(head.data_key_ciphertext()?, pairs).await?))
    }

    /// The wrapping key of a head, which was made for this context of its own.
    ///
    /// # Errors
    /// [`KeyFailure`].
    pub async fn wrapping_key(
        &self,
        head: &Head,
        wrapping_pairs: &[(&str, &str)],
    ) -> Result<Zeroizing<[u8; 32]>, KeyFailure> {
        self.decrypt(head.wrapping_key_ciphertext()?, wrapping_pairs).await
    }

    async fn generate(&self, pairs: &[(&str, &str)]) -> Result<(Zeroizing<[u8; 32]>, Vec<u8>, String), KeyFailure> {
        let mut request = self.client.generate_data_key().key_id(&self.key).key_spec(DataKeySpec::Aes256);
        for (name, value) in pairs {
            request = request.encryption_context(*name, *value);
        }
        let answer = request.send().await.map_err(|error| KeyFailure::NotMade(Box::new(error)))?;
        let plaintext = bytes(answer.plaintext)?;
        let ciphertext = answer.ciphertext_blob.map(Blob::into_inner).ok_or(KeyFailure::NoKey)?;
        Ok((plaintext, ciphertext, answer.key_id.ok_or(KeyFailure::NoKey)?))
    }

    async fn decrypt(&self, ciphertext: Vec<u8>, pairs: &[(&str, &str)]) -> Result<Zeroizing<[u8; 32]>, KeyFailure> {
        let mut request = self.client.decrypt().key_id(&self.key).ciphertext_blob(Blob::new(ciphertext));
        for (name, value) in pairs {
            request = request.encryption_context(*name, *value);
        }
        let answer = request.send().await.map_err(|error| KeyFailure::NotDecrypted(Box::new(error)))?;
        bytes(answer.plaintext)
    }
}

fn bytes(plaintext: Option<Blob>) -> Result<Zeroizing<[u8; 32]>, KeyFailure> {
    let plaintext = Zeroizing::new(plaintext.map(Blob::into_inner).unwrap_or_default());
    let key = plaintext.as_slice().try_into().map_err(|_| KeyFailure::NoKey)?;
    Ok(Zeroizing::new(key))
}
