//! The operators' side of the table of profiles.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{CertificateId, Timestamp};

use crate::error::{Call, JitrFailure};
use crate::lists::{Entry, List};
use crate::profile::Profile;
use crate::profiles::{PROFILE, Profiles, StoredProfile, entry_of, key, stored};

/// The index that holds profiles only, and none of the lists' entries.
const INDEX: &str = "profiles";

/// Who changes something, and when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The operator's id.
    pub who: &'a str,
    /// The time.
    pub at: Timestamp,
}

/// One page of a query of the table.
#[derive(Debug, Clone)]
pub struct Rows<T> {
    /// What was read.
    pub rows: Vec<T>,
    /// The last CA (or key) read, if there is more.
    pub next: Option<String>,
}

impl Profiles {
    /// Puts a profile on the condition that `before` is the version there is (`None`: there is none); answers the new
    /// version, or `None` when somebody was faster.
    ///
    /// # Errors
    /// [`Call::WriteProfile`].
    pub async fn put(
        &self,
        ca_id: &CertificateId,
        profile: &Profile,
        before: Option<u64>,
        by: By<'_>,
    ) -> Result<Option<u64>, JitrFailure> {
        let version = before.unwrap_or(0).saturating_add(1);
        let mut item = key(ca_id, PROFILE);
        item.insert("kind".to_owned(), text(PROFILE));
        item.insert("document".to_owned(), text(&serde_json::to_string(profile.document())?));
        item.insert("version".to_owned(), AttributeValue::N(version.to_string()));
        item.extend(signature(by));
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let request = match before {
            None => request.condition_expression("attribute_not_exists(caId)"),
            Some(before) => request
                .condition_expression("version = :before")
                .expression_attribute_values(":before", AttributeValue::N(before.to_string())),
        };
        match request.send().await {
            Ok(_) => Ok(Some(version)),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(JitrFailure::call(Call::WriteProfile, error)),
            },
        }
    }

    /// Deletes a profile of this version; `false` when somebody was faster. Its lists stay: a CA that gets a profile again
    /// finds its deny list.
    ///
    /// # Errors
    /// [`Call::WriteProfile`].
    pub async fn delete(&self, ca_id: &CertificateId, before: u64) -> Result<bool, JitrFailure> {
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key(ca_id, PROFILE)));
        let request = request
            .condition_expression("version = :before")
            .expression_attribute_values(":before", AttributeValue::N(before.to_string()));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(JitrFailure::call(Call::WriteProfile, error)),
            },
        }
    }

    /// Puts an entry; again changes only who and when.
    ///
    /// # Errors
    /// [`Call::WriteProfile`].
    pub async fn put_entry(&self, ca_id: &CertificateId, entry: &Entry, by: By<'_>) -> Result<(), JitrFailure> {
        let mut item = key(ca_id, &entry.key());
        item.extend(signature(by));
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        request.send().await.map_err(|error| JitrFailure::call(Call::WriteProfile, error))?;
        Ok(())
    }

    /// Deletes an entry; one that is not there is deleted.
    ///
    /// # Errors
    /// [`Call::WriteProfile`].
    pub async fn delete_entry(&self, ca_id: &CertificateId, entry: &Entry) -> Result<(), JitrFailure> {
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key(ca_id, &entry.key())));
        request.send().await.map_err(|error| JitrFailure::call(Call::WriteProfile, error))?;
        Ok(())
    }

    /// Profiles in the order of their CAs, after the CA `after`. A profile that was put a moment ago may be missing.
    ///
    /// # Errors
    /// [`Call::ReadProfile`], [`JitrFailure::BadRow`].
    pub async fn all(
        &self,
        after: Option<&CertificateId>,
        limit: i32,
    ) -> Result<Rows<(CertificateId, StoredProfile)>, JitrFailure> {
        let request = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", text(PROFILE))
            .limit(limit);
        let start = after.map(|ca_id| {
            let mut start = key(ca_id, PROFILE);
            start.insert("kind".to_owned(), text(PROFILE));
            start
        });
        let answer = request.set_exclusive_start_key(start).send().await;
        let answer = answer.map_err(|error| JitrFailure::call(Call::ReadProfile, error))?;
        let row = |item: &HashMap<String, AttributeValue>| {
            let ca_id = item.get("caId").and_then(|value| CertificateId::parse(value.as_s().ok()?).ok());
            Ok::<_, JitrFailure>((ca_id.ok_or(JitrFailure::BadRow)?, stored(item)?))
        };
        let rows = answer.items().iter().map(row).collect::<Result<_, _>>()?;
        Ok(Rows { rows, next: last(&answer, "caId") })
    }

    /// The entries of one list, in the order of their keys, after the key `after`.
    ///
    /// # Errors
    /// [`Call::ReadLists`].
    pub async fn entries(
        &self,
        ca_id: &CertificateId,
        list: List,
        after: Option<&str>,
        limit: i32,
    ) -> Result<Rows<Entry>, JitrFailure> {
        let request = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("caId = :ca AND begins_with(#item, :list)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":ca", text(ca_id.as_str()))
            .expression_attribute_values(":list", text(&format!("{}#", list.as_str())))
            .limit(limit)
            .set_exclusive_start_key(after.map(|after| key(ca_id, after)));
        let answer = request.send().await.map_err(|error| JitrFailure::call(Call::ReadLists, error))?;
        let rows = answer.items().iter().filter_map(entry_of).collect();
        Ok(Rows { rows, next: last(&answer, "item") })
    }
}

fn last(answer: &QueryOutput, attribute: &str) -> Option<String> {
    answer.last_evaluated_key()?.get(attribute)?.as_s().ok().cloned()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn signature(by: By<'_>) -> [(String, AttributeValue); 2] {
    [("updatedBy".to_owned(), text(by.who)), ("updatedAt".to_owned(), AttributeValue::N(by.at.as_millis().to_string()))]
}
