use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::ReturnValue;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::Timestamp;
use loam_releases::manifest::{Firmware, Manifest};
use loam_releases::signature::{Keyring, PublicKey, Verified};
use tokio::sync::OnceCell;

use super::items;
use crate::FirmwareFailure;
use crate::error::Asked;
use crate::order::Signed;

/// For how long a manifest is good, in milliseconds: 30 days. A device that was away for longer is given a newer one when it
/// asks; who has its order by a job does not ask, so that nobody waits for it so long.
pub(crate) const VALID_MILLIS: i64 = 30 * 24 * 3_600 * 1_000;

/// Makes manifests and has them signed. The private key never leaves KMS.
///
/// `Sign` takes the manifest itself (`RAW`, at most 4,096 bytes) and answers with an ECDSA signature in DER; `GetPublicKey`
/// with a SubjectPublicKeyInfo. Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>,
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html>.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    kms: aws_sdk_kms::Client,
    key: String,
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    public: Arc<OnceCell<PublicKey>>,
}

impl Signing {
    pub(crate) fn new(sdk: &SdkConfig, key: String, table: String) -> Self {
        let (kms, dynamodb) = (aws_sdk_kms::Client::new(sdk), aws_sdk_dynamodb::Client::new(sdk));
        Self { kms, key, dynamodb, table, public: Arc::default() }
    }

    /// A new manifest of `firmware`: newer than all that were made before in this stack, and proven by the public key before
    /// anybody gets it. Whoever dies on the way leaves a gap in the numbers, which means nothing.
    pub(crate) async fn sign(
        &self,
        firmware: &Firmware,
        downgrade: bool,
        now: Timestamp,
    ) -> Result<(Signed, Verified), FirmwareFailure> {
        let public = self.public_key().await?;
        let manifest = Manifest {
            signer: public.id(),
            sequence: self.number().await?,
            issued_at: now,
            not_after: now.plus_millis(VALID_MILLIS),
            firmware: firmware.clone(),
            downgrade,
        };
        let bytes = manifest.to_bytes();
        let signature = self.signature(&bytes).await?;
        let keys = Keyring::new(vec![public]).map_err(|_| FirmwareFailure::NotProven("no public key"))?;
        let verified = keys.verify(&bytes, &signature).map_err(|_| FirmwareFailure::NotProven("another signature"))?;
        let manifest =
            String::from_utf8(bytes).map_err(|_| FirmwareFailure::NotProven("a manifest that is no text"))?;
        metrics::counter!("Signed").increment(1);
        Ok((Signed { manifest, signature: STANDARD.encode(signature) }, verified))
    }

    /// The key in use; read once an environment, as a KMS key's never changes.
    async fn public_key(&self) -> Result<PublicKey, FirmwareFailure> {
        let read = || async {
            let answer = self.kms.get_public_key().key_id(&self.key).send().await;
            let answer = answer.map_err(|error| FirmwareFailure::service(Asked::PublicKey, error))?;
            let der = answer.public_key.map(Blob::into_inner).unwrap_or_default();
            PublicKey::from_spki(&der).map_err(|_| FirmwareFailure::NotProven("no public key on P-256"))
        };
        self.public.get_or_try_init(read).await.cloned()
    }

    /// The next number. Asked for once more by the SDK, it may skip one.
    async fn number(&self) -> Result<u64, FirmwareFailure> {
        let request = self.dynamodb.update_item().table_name(&self.table);
        let request = request.set_key(Some(items::key("firmware#counter", "sequence")));
        let request = request.update_expression("ADD #sequence :one").return_values(ReturnValue::UpdatedNew);
        let request = request.expression_attribute_names("#sequence", "sequence");
        let answer = request.expression_attribute_values(":one", items::number(1)).send().await;
        let answer = answer.map_err(|error| FirmwareFailure::service(Asked::Number, error))?;
        items::number_in(&answer.attributes.unwrap_or_default(), "sequence")
    }

    async fn signature(&self, bytes: &[u8]) -> Result<Vec<u8>, FirmwareFailure> {
        let request = self.kms.sign().key_id(&self.key).message(Blob::new(bytes)).message_type(MessageType::Raw);
        let answer = request.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await;
        let answer = answer.map_err(|error| FirmwareFailure::service(Asked::Sign, error))?;
        Ok(answer.signature.map(Blob::into_inner).unwrap_or_default())
    }
}
