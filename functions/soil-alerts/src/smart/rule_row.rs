//! The items of the rules' table: one per scope.

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::Timestamp;

use super::rule_document::checked;
use super::store::{Item, field, text};
use super::{AlertRule, RuleDocument, RuleRow, RuleSpec, Scope, StoreError};

/// What `kind` says in every item that holds rules; the index `rules` has only those.
pub(super) const RULES: &str = "rules";

/// The rules of a scope, as they are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRules {
    /// Whose they are.
    pub scope: Scope,
    /// What they say.
    pub document: RuleDocument,
    /// From 1, one more with each change; 0 for rules that nobody put by a request.
    pub version: u64,
    /// Who put them.
    pub updated_by: Option<String>,
    /// When.
    pub updated_at: Option<Timestamp>,
}

pub(super) fn key(scope: &Scope) -> Item {
    Item::from([("scope".to_owned(), text(scope.to_string()))])
}

/// The row of a handler: one without `rules` only tells a thing's type.
pub(super) fn row_of(item: &Item) -> Result<RuleRow, StoreError> {
    let rules = match specs_of(item)? {
        None => Vec::new(),
        Some(specs) => checked(specs)?,
    };
    let thing_type = item.get("thingType").and_then(|value| value.as_s().ok()).cloned();
    Ok(RuleRow { rules, priority: number_in(item, "priority").unwrap_or_default(), thing_type })
}

/// The rules of an item; `None` if it holds none.
pub(super) fn stored_of(item: &Item) -> Result<Option<StoredRules>, StoreError> {
    let Some(specs) = specs_of(item)? else { return Ok(None) };
    let rules = checked(specs)?.into_iter().map(AlertRule::into_spec).collect();
    let scope = Scope::parse(field(item, "scope")?).map_err(|_| StoreError::MissingField("scope"))?;
    let document = RuleDocument { rules, priority: number_in(item, "priority") };
    Ok(Some(StoredRules {
        scope,
        document,
        version: number_in(item, "version").unwrap_or_default(),
        updated_by: item.get("updatedBy").and_then(|value| value.as_s().ok()).cloned(),
        updated_at: number_in(item, "updatedAt").map(Timestamp::from_millis),
    }))
}

fn specs_of(item: &Item) -> Result<Option<Vec<RuleSpec>>, StoreError> {
    let Some(_) = item.get("rules") else { return Ok(None) };
    serde_json::from_str(field(item, "rules")?).map(Some).map_err(StoreError::Unreadable)
}

pub(super) fn number_in<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name).and_then(|value: &AttributeValue| value.as_n().ok()).and_then(|digits| digits.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smart::store::number;

    fn item(fields: &[(&str, &str)]) -> Item {
        fields.iter().map(|(name, value)| ((*name).to_owned(), text(*value))).collect()
    }

    #[test]
    fn a_row_may_tell_only_the_things_type() {
        let typed = item(&[("scope", "thing:t1"), ("thingType", "pot")]);
        assert_eq!(row_of(&typed).unwrap(), RuleRow { thing_type: Some("pot".to_owned()), ..RuleRow::default() });
        assert_eq!(stored_of(&typed).unwrap(), None);
    }

    #[test]
    fn a_rows_rules_are_read_and_checked() {
        let row = row_of(&item(&[("rules", r#"[{"path":"humidity","threshold":35}]"#)])).unwrap();
        assert_eq!(row.rules, [AlertRule::classic(35.0)]);
        for wrong in [
            r#"[{"path":"humidity","threshold":35,"of":0}]"#,
            r#"[{"path":"humidity","threshold":35},{"path":"humidity","threshold":30}]"#,
        ] {
            assert!(matches!(row_of(&item(&[("rules", wrong)])), Err(StoreError::Invalid(_))), "{wrong}");
        }
        assert!(matches!(row_of(&item(&[("rules", "35")])), Err(StoreError::Unreadable(_))));
    }

    #[test]
    fn rules_that_nobody_put_by_a_request_have_version_0() {
        let mut group = item(&[("scope", "group:roof"), ("rules", "[]")]);
        assert_eq!(stored_of(&group).unwrap().unwrap().version, 0);
        group.extend([("version".to_owned(), number(7)), ("priority".to_owned(), number(9))]);
        let stored = stored_of(&group).unwrap().unwrap();
        assert_eq!((stored.version, stored.document.priority), (7, Some(9)));
    }
}
