//! The table of profiles and their lists.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use loam_domain::{CertificateId, Timestamp};

use crate::error::{Call, JitrFailure};
use crate::lists::{Entry, List, Listed};
use crate::profile::{Profile, ProfileDocument};

/// The sort key of a profile; entries of its lists have theirs.
pub(crate) const PROFILE: &str = "profile";

/// How often what DynamoDB left undone of a batch is asked for again.
const MOST_TRIES: usize = 5;

/// The table of profiles.
#[derive(Debug, Clone)]
pub struct Profiles {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) table: String,
}

/// A profile as it is kept.
#[derive(Debug, Clone)]
pub struct StoredProfile {
    /// What it says.
    pub profile: Profile,
    /// From 1, one more with each put.
    pub version: u64,
    /// Who put it.
    pub updated_by: String,
    /// When.
    pub updated_at: Timestamp,
}

impl Profiles {
    /// The table of this name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), table }
    }

    /// The profile of a CA, read consistently: an operator who disabled it is obeyed at once.
    ///
    /// # Errors
    /// [`Call::ReadProfile`], [`JitrFailure::BadRow`].
    pub async fn get(&self, ca_id: &CertificateId) -> Result<Option<StoredProfile>, JitrFailure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(ca_id, PROFILE)));
        let answer = request.send().await.map_err(|error| JitrFailure::call(Call::ReadProfile, error))?;
        answer.item().map(stored).transpose()
    }

    /// What the CA's lists say, by these entries (at most 100).
    ///
    /// # Errors
    /// [`Call::ReadLists`]; also when DynamoDB left entries unread each time.
    pub async fn listed(&self, ca_id: &CertificateId, entries: &[Entry]) -> Result<Listed, JitrFailure> {
        let mut keys: Vec<_> = entries.iter().map(|entry| key(ca_id, &entry.key())).collect();
        let mut listed = Listed::default();
        for _ in 0..MOST_TRIES {
            if keys.is_empty() {
                return Ok(listed);
            }
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
            let request = self.client.batch_get_item().request_items(&self.table, wanted.build()?);
            let mut answer = request.send().await.map_err(|error| JitrFailure::call(Call::ReadLists, error))?;
            for item in answer.responses.iter_mut().flat_map(|tables| tables.drain()).flat_map(|(_, items)| items) {
                match entry_of(&item).map(|entry| entry.list) {
                    Some(List::Allow) => listed.allowed = true,
                    Some(List::Deny) => listed.denied = true,
                    None => {}
                }
            }
            let left = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table));
            keys = left.map(|left| left.keys).unwrap_or_default();
        }
        Err(JitrFailure::ListsLeftUnread)
    }
}

pub(crate) fn key(ca_id: &CertificateId, item: &str) -> HashMap<String, AttributeValue> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([("caId".to_owned(), text(ca_id.as_str())), ("item".to_owned(), text(item))])
}

/// The entry of an item; `None` for a profile or a foreign item.
pub(crate) fn entry_of(item: &HashMap<String, AttributeValue>) -> Option<Entry> {
    Entry::from_key(item.get("item")?.as_s().ok()?)
}

/// The profile of an item, checked again: what an older version took and this one does not is no profile.
pub(crate) fn stored(item: &HashMap<String, AttributeValue>) -> Result<StoredProfile, JitrFailure> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let number = |name: &str| item.get(name).and_then(|value| value.as_n().ok()?.parse::<i64>().ok());
    let read = || {
        let document: ProfileDocument = serde_json::from_str(text("document")?).ok()?;
        Some(StoredProfile {
            profile: Profile::check(document).ok()?,
            version: number("version")?.try_into().ok()?,
            updated_by: text("updatedBy")?.clone(),
            updated_at: Timestamp::from_millis(number("updatedAt")?),
        })
    };
    read().ok_or(JitrFailure::BadRow)
}
