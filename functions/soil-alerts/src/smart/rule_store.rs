use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use loam_domain::ThingName;

use super::store::{field, text};
use super::store_error::StoreError;
use super::{AlertRule, RuleRow, RuleSpec, Rules};

type Item = HashMap<String, AttributeValue>;

/// The scope that holds for every thing.
const DEFAULT: &str = "default";

/// The rules that people wrote: one item per scope, key `scope` (`thing/{name}`, `type/{type}` or `default`).
#[derive(Debug, Clone)]
pub struct RuleStore {
    client: Client,
    table: String,
}

impl RuleStore {
    /// The table of this name.
    #[must_use]
    pub const fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The rules that hold for `thing`; where nobody wrote one, humidity below `threshold`. A rule that was changed
    /// less than about a second ago may still count as it was.
    ///
    /// # Errors
    /// [`StoreError`], also for a row that somebody else spoilt: a wrong rule must not silence a thing unseen.
    pub async fn rules(&self, thing: &ThingName, threshold: f64) -> Result<Vec<AlertRule>, StoreError> {
        let own = own_scope(thing);
        let rows = self.rows(&[&own, DEFAULT]).await?;
        let row = |scope: &str| rows.iter().find(|(key, _)| key == scope).map(|(_, row)| row);
        let of_type = match row(&own).and_then(|row| row.thing_type.as_deref()) {
            Some(thing_type) => self.row(&format!("type/{thing_type}")).await?,
            None => None,
        };
        Ok(Rules::resolve(row(&own), of_type.as_ref(), row(DEFAULT), threshold))
    }

    async fn rows(&self, scopes: &[&str]) -> Result<Vec<(String, RuleRow)>, StoreError> {
        let keys = scopes.iter().map(|scope| Item::from([("scope".to_owned(), text(*scope))])).collect();
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).build();
        let keys = keys.map_err(|error| StoreError::Rules(Box::new(error.into())))?;
        let request = self.client.batch_get_item().request_items(&self.table, keys);
        let mut answer = request.send().await.map_err(|error| StoreError::Rules(Box::new(error)))?;
        if answer.unprocessed_keys.is_some_and(|left| !left.is_empty()) {
            return Err(StoreError::PartOfRules);
        }
        let items = answer.responses.as_mut().and_then(|tables| tables.remove(&self.table)).unwrap_or_default();
        items.iter().map(|item| Ok((field(item, "scope")?.to_owned(), row_of(item)?))).collect()
    }

    async fn row(&self, scope: &str) -> Result<Option<RuleRow>, StoreError> {
        let request = self.client.get_item().table_name(&self.table).key("scope", text(scope));
        let answer = request.send().await.map_err(|error| StoreError::Load(Box::new(error)))?;
        answer.item.as_ref().map(row_of).transpose()
    }

    /// Notes the type of `thing`, behind whose own rules those of the type hold. What a person wrote stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn learn_type(&self, thing: &ThingName, thing_type: &str) -> Result<(), StoreError> {
        let request = self.client.update_item().table_name(&self.table).key("scope", text(own_scope(thing)));
        let request = request.update_expression("SET thingType = if_not_exists(thingType, :type)");
        let request = request.expression_attribute_values(":type", text(thing_type));
        request.send().await.map_err(|error| StoreError::Learn(Box::new(error)))?;
        Ok(())
    }

    /// Forgets the rules that people wrote for this very thing, and its type.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn erase(&self, thing: &ThingName) -> Result<(), StoreError> {
        let request = self.client.delete_item().table_name(&self.table).key("scope", text(own_scope(thing)));
        request.send().await.map_err(|error| StoreError::Erase(Box::new(error)))?;
        Ok(())
    }
}

/// The scope of a thing's own rules.
fn own_scope(thing: &ThingName) -> String {
    format!("thing/{thing}")
}

/// A row without `rules` is one that only tells a thing's type.
fn row_of(item: &Item) -> Result<RuleRow, StoreError> {
    let specs: Vec<RuleSpec> = match item.get("rules") {
        None => Vec::new(),
        Some(_) => serde_json::from_str(field(item, "rules")?).map_err(StoreError::Unreadable)?,
    };
    let rules = specs.into_iter().map(AlertRule::try_from).collect::<Result<_, _>>()?;
    let thing_type = item.get("thingType").and_then(|value| value.as_s().ok()).cloned();
    Ok(RuleRow { rules, thing_type })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(fields: &[(&str, &str)]) -> Item {
        fields.iter().map(|(name, value)| ((*name).to_owned(), text(*value))).collect()
    }

    #[test]
    fn a_row_may_tell_only_the_things_type() {
        let row = row_of(&item(&[("scope", "thing/t1"), ("thingType", "pot")])).unwrap();
        assert_eq!(row, RuleRow { rules: vec![], thing_type: Some("pot".to_owned()) });
    }

    #[test]
    fn a_rows_rules_are_read_and_checked() {
        let row = row_of(&item(&[("rules", r#"[{"path":"humidity","threshold":35}]"#)])).unwrap();
        assert_eq!(row.rules, [AlertRule::classic(35.0)]);
        let wrong = row_of(&item(&[("rules", r#"[{"path":"humidity","threshold":35,"of":0}]"#)]));
        assert!(matches!(wrong, Err(StoreError::Invalid(_))));
        assert!(matches!(row_of(&item(&[("rules", "35")])), Err(StoreError::Unreadable(_))));
    }
}
