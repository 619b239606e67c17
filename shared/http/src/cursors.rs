use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use ring::hmac::Key;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::{HttpFailure, Problem, Scope, cursor};

/// The row that holds the key of all cursors.
const ROW: &str = "cursor-key";
/// Length of a new key, in bytes: HMAC-SHA256's own.
const SECRET: usize = 32;

/// Makes and reads cursors. Their key is made once in the life of a stack, by whoever needs it first, and then kept for the
/// life of the environment.
#[derive(Debug)]
pub struct Cursors {
    client: Client,
    table: String,
    key: OnceCell<Key>,
}

impl Cursors {
    /// Cursors whose key lies in HttpTable.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: impl Into<String>) -> Self {
        Self { client: Client::new(sdk), table: table.into(), key: OnceCell::new() }
    }

    /// The position that the caller's cursor stands for; none without a cursor.
    ///
    /// # Errors
    /// 400 `invalid-cursor` for a cursor that is forged, cut, or of another scope; 5xx where the key cannot be read.
    pub async fn read<P: DeserializeOwned>(&self, scope: &Scope, cursor: Option<&str>) -> Result<Option<P>, Problem> {
        match cursor {
            None => Ok(None),
            Some(cursor) => cursor::open(self.key().await?, scope, cursor).map(Some),
        }
    }

    /// The cursor for what comes after `position`.
    ///
    /// # Errors
    /// 5xx where the key cannot be read or made.
    pub async fn write(&self, scope: &Scope, position: &(impl Serialize + Sync)) -> Result<String, Problem> {
        Ok(cursor::seal(self.key().await?, scope, position).map_err(HttpFailure::from)?)
    }

    async fn key(&self) -> Result<&Key, HttpFailure> {
        self.key.get_or_try_init(|| async { Ok(cursor::key(&Box::pin(self.secret()).await?)) }).await
    }

    /// Whoever comes first makes the key; whoever loses that race reads it.
    async fn secret(&self) -> Result<Vec<u8>, HttpFailure> {
        if let Some(secret) = self.stored().await? {
            return Ok(secret);
        }
        let fresh = random()?;
        if self.store(&fresh).await? {
            return Ok(fresh);
        }
        self.stored().await?.ok_or(HttpFailure::BadRow("the key of cursors is gone"))
    }

    async fn stored(&self) -> Result<Option<Vec<u8>>, HttpFailure> {
        let found = self.client.get_item().table_name(&self.table).consistent_read(true);
        let found = found.key("key", AttributeValue::S(ROW.to_owned())).send().await;
        found.map_err(|error| HttpFailure::NotRead(Box::new(error)))?.item.map(secret_of).transpose()
    }

    /// Whether this secret is now the key; not if there was one.
    async fn store(&self, secret: &[u8]) -> Result<bool, HttpFailure> {
        let put = self.client.put_item().table_name(&self.table).condition_expression("attribute_not_exists(#key)");
        let put = put.expression_attribute_names("#key", "key");
        let put = put.item("key", AttributeValue::S(ROW.to_owned()));
        let put = put.item("secret", AttributeValue::B(Blob::new(secret))).send().await;
        match put {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(HttpFailure::NotWritten(Box::new(error))),
        }
    }
}

fn secret_of(item: HashMap<String, AttributeValue>) -> Result<Vec<u8>, HttpFailure> {
    match item.get("secret") {
        Some(AttributeValue::B(secret)) if secret.as_ref().len() >= SECRET => Ok(secret.as_ref().to_vec()),
        _ => Err(HttpFailure::BadRow("the key of cursors has no secret")),
    }
}

fn random() -> Result<Vec<u8>, HttpFailure> {
    let mut secret = vec![0; SECRET];
    SystemRandom::new().fill(&mut secret).map_err(|_| HttpFailure::NoRandomness)?;
    Ok(secret)
}
