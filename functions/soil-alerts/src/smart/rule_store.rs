use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp};

use super::rule_row::{RULES, StoredRules, key, number_in, stored_of};
use super::store::{Item, field, number, text};
use super::store_error::StoreError;
use super::{RuleDocument, Scope};

/// The index that holds rules only, and no thing's type.
const INDEX: &str = "rules";

/// The rules that people wrote: one item per scope, key `scope`. A thing's item also holds its type.
#[derive(Debug, Clone)]
pub struct RuleStore {
    client: Client,
    table: String,
}

/// What stands in a scope's item, without the rules themselves: they may be ones that nobody can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The version of its rules; `None`: it holds none.
    pub version: Option<u64>,
    /// Whether it tells a thing's type.
    pub typed: bool,
}

/// One page of scopes that have rules.
#[derive(Debug, Clone)]
pub struct RulesPage {
    /// Their rules, in the order of the scopes' texts.
    pub rows: Vec<StoredRules>,
    /// The last scope that was looked at, if there is more.
    pub next: Option<String>,
}

impl RuleStore {
    /// The table of this name.
    #[must_use]
    pub const fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The rules of `scope`, as they are now; `None` if there are none.
    ///
    /// # Errors
    /// [`StoreError`], also for an item that somebody spoilt.
    pub async fn get(&self, scope: &Scope) -> Result<Option<StoredRules>, StoreError> {
        self.item(scope).await?.as_ref().map_or(Ok(None), stored_of)
    }

    /// What a change of `scope` needs to know.
    ///
    /// # Errors
    /// [`StoreError::Load`].
    pub async fn head(&self, scope: &Scope) -> Result<Head, StoreError> {
        let item = self.item(scope).await?.unwrap_or_default();
        let version = item.contains_key("rules").then(|| number_in(&item, "version").unwrap_or_default());
        Ok(Head { version, typed: item.contains_key("thingType") })
    }

    async fn item(&self, scope: &Scope) -> Result<Option<Item>, StoreError> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.set_key(Some(key(scope))).send().await;
        Ok(answer.map_err(|error| StoreError::Load(Box::new(error)))?.item)
    }

    /// Puts the rules of `scope`, whose item was like `before`; what it tells of a thing's type stays. Answers the new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody was faster.
    pub async fn put(
        &self,
        scope: &Scope,
        document: &RuleDocument,
        before: Head,
        (by, at): (&str, Timestamp),
    ) -> Result<StoredRules, StoreError> {
        let version = before.version.unwrap_or_default().saturating_add(1);
        let rules = serde_json::to_string(&document.rules).map_err(StoreError::Unwritable)?;
        let (condition, old) = unchanged(before);
        let priority = if document.priority.is_some() { ", #priority = :priority" } else { " REMOVE #priority" };
        let request = self.client.update_item().table_name(&self.table).set_key(Some(key(scope)));
        let request = request
            .update_expression(format!(
                "SET #rules = :rules, #version = :version, #kind = :kind, #by = :by, #at = :at{priority}"
            ))
            .condition_expression(condition)
            .expression_attribute_names("#rules", "rules")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_names("#by", "updatedBy")
            .expression_attribute_names("#at", "updatedAt")
            .expression_attribute_names("#priority", "priority")
            .expression_attribute_values(":rules", text(rules))
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":kind", text(RULES))
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":at", number(at.as_millis()));
        let values = old.into_iter().chain(document.priority.map(|it| (":priority", number(it))));
        let request = values.fold(request, |request, (name, value)| request.expression_attribute_values(name, value));
        request.send().await.map_err(|error| match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => StoreError::Conflict,
            _ => StoreError::Write(Box::new(error)),
        })?;
        let (scope, document) = (scope.clone(), document.clone());
        Ok(StoredRules { scope, document, version, updated_by: Some(by.to_owned()), updated_at: Some(at) })
    }

    /// Deletes the rules of `scope`, whose item was like `before`; what it tells of a thing's type stays.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody was faster.
    pub async fn delete(&self, scope: &Scope, before: Head) -> Result<(), StoreError> {
        if before.typed { self.strip(scope, before).await } else { self.delete_item(scope, before).await }
    }

    async fn strip(&self, scope: &Scope, before: Head) -> Result<(), StoreError> {
        let (condition, old) = unchanged(before);
        let request = self.client.update_item().table_name(&self.table).set_key(Some(key(scope)));
        let request = request
            .update_expression("REMOVE #rules, #version, #kind, #by, #at")
            .condition_expression(condition)
            .expression_attribute_names("#rules", "rules")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_names("#by", "updatedBy")
            .expression_attribute_names("#at", "updatedAt");
        let request =
            old.into_iter().fold(request, |request, (name, value)| request.expression_attribute_values(name, value));
        request.send().await.map_err(|error| match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => StoreError::Conflict,
            _ => StoreError::Write(Box::new(error)),
        })?;
        Ok(())
    }

    async fn delete_item(&self, scope: &Scope, before: Head) -> Result<(), StoreError> {
        let (condition, old) = unchanged(before);
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key(scope)));
        let request = request
            .condition_expression(format!("({condition}) AND attribute_not_exists(#type)"))
            .expression_attribute_names("#rules", "rules")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#type", "thingType");
        let request =
            old.into_iter().fold(request, |request, (name, value)| request.expression_attribute_values(name, value));
        request.send().await.map_err(|error| match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(_)) => StoreError::Conflict,
            _ => StoreError::Delete(Box::new(error)),
        })?;
        Ok(())
    }

    /// Scopes with rules, in the order of their texts, after the scope `after`. Rules that were put a moment ago may be
    /// missing; an item that somebody spoilt is left out and told in the log.
    ///
    /// # Errors
    /// [`StoreError::Look`].
    pub async fn all(&self, after: Option<&str>, limit: u16) -> Result<RulesPage, StoreError> {
        let start =
            after.map(|scope| Item::from([("scope".to_owned(), text(scope)), ("kind".to_owned(), text(RULES))]));
        let query = self.client.query().table_name(&self.table).index_name(INDEX).limit(i32::from(limit.max(1)));
        let query = query
            .key_condition_expression("#kind = :kind")
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_values(":kind", text(RULES))
            .set_exclusive_start_key(start);
        let answer = query.send().await.map_err(|error| StoreError::Look(Box::new(error)))?;
        let rows = answer.items().iter().filter_map(|item| match stored_of(item) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(code = "alert-item-invalid", %error, "rules were left out");
                None
            }
        });
        let rows = rows.collect();
        let next = answer.last_evaluated_key().map(|key| field(key, "scope").map(str::to_owned)).transpose()?;
        Ok(RulesPage { rows, next })
    }

    /// Notes the type of `thing`, behind whose own rules those of the type hold. What a person wrote stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn learn_type(&self, thing: &ThingName, thing_type: &str) -> Result<(), StoreError> {
        let request = self.client.update_item().table_name(&self.table);
        let request = request.set_key(Some(key(&Scope::Thing(thing.clone()))));
        let request = request.update_expression("SET thingType = if_not_exists(thingType, :type)");
        let request = request.expression_attribute_values(":type", text(thing_type));
        request.send().await.map_err(|error| StoreError::Learn(Box::new(error)))?;
        Ok(())
    }

    /// Forgets the rules that people wrote for this very thing, whatever they are; its type stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn erase_of_people(&self, thing: &ThingName) -> Result<(), StoreError> {
        let request = self.client.update_item().table_name(&self.table);
        let request = request
            .set_key(Some(key(&Scope::Thing(thing.clone()))))
            .update_expression("REMOVE #rules, #version, #kind, #by, #at, #priority")
            .condition_expression("attribute_exists(#rules)")
            .expression_attribute_names("#rules", "rules")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_names("#by", "updatedBy")
            .expression_attribute_names("#at", "updatedAt")
            .expression_attribute_names("#priority", "priority");
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(StoreError::Write(Box::new(error))),
            },
        }
    }

    /// Forgets the rules that people wrote for this very thing, and its type.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn erase(&self, thing: &ThingName) -> Result<(), StoreError> {
        let request = self.client.delete_item().table_name(&self.table);
        let request = request.set_key(Some(key(&Scope::Thing(thing.clone()))));
        request.send().await.map_err(|error| StoreError::Erase(Box::new(error)))?;
        Ok(())
    }
}

/// The condition that an item is still like `before`, on `#rules` and `#version`, and its value.
fn unchanged(before: Head) -> (&'static str, Option<(&'static str, AttributeValue)>) {
    match before.version {
        None => ("attribute_not_exists(#rules) AND attribute_not_exists(#version)", None),
        Some(0) => ("attribute_exists(#rules) AND attribute_not_exists(#version)", None),
        Some(version) => ("attribute_exists(#rules) AND #version = :before", Some((":before", number(version)))),
    }
}
