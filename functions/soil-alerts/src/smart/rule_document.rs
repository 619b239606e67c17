use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AlertRule, BadField, InvalidRule, RuleSpec, Scope};

/// The most rules of one scope: each costs a read and a write of every message that it is for.
pub const MAX_RULES: usize = 16;

/// The highest priority of a group's rules.
pub const MAX_PRIORITY: u16 = 1000;

/// The rules of one scope, as people write them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertRulesDocument)]
#[serde(deny_unknown_fields)]
pub struct RuleDocument {
    /// At most 16, one a path.
    #[schema(max_items = 16)]
    pub rules: Vec<RuleSpec>,
    /// Only for a group: of a thing's groups the one with the highest priority goes first, and of equals the one whose name
    /// does. 0 to 1000, 0 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1000, required = false)]
    pub priority: Option<u16>,
}

/// Rules that were refused, with everything that is wrong in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidRules(
    /// At least one: a JSON pointer into the document, and what was expected there.
    pub Vec<(String, String)>,
);

impl fmt::Display for InvalidRules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.iter().map(|(pointer, expected)| format!("`{pointer}` must be {expected}")).collect();
        write!(formatter, "{}: {}", InvalidRule::CODE, all.join("; "))
    }
}

/// The rules of a row, checked: what the table holds and what a request brings go through this one door.
///
/// # Errors
/// [`InvalidRules`], with all mistakes of all rules.
pub fn checked(specs: Vec<RuleSpec>) -> Result<Vec<AlertRule>, InvalidRules> {
    let mut mistakes = Vec::new();
    if specs.len() > MAX_RULES {
        mistakes.push(("/rules".to_owned(), format!("at most {MAX_RULES} rules")));
    }
    let (mut rules, mut paths): (Vec<AlertRule>, Vec<String>) = (Vec::new(), Vec::new());
    for (index, spec) in specs.into_iter().enumerate() {
        if paths.contains(&spec.path) {
            mistakes.push((format!("/rules/{index}/path"), "a path that no rule before it has".to_owned()));
        }
        paths.push(spec.path.clone());
        match AlertRule::try_from(spec) {
            Ok(rule) => rules.push(rule),
            Err(InvalidRule(bad)) => mistakes.extend(bad.iter().map(|bad| at(index, bad))),
        }
    }
    if mistakes.is_empty() { Ok(rules) } else { Err(InvalidRules(mistakes)) }
}

fn at(index: usize, bad: &BadField) -> (String, String) {
    (format!("/rules/{index}/{}", bad.field), bad.expected.to_owned())
}

impl RuleDocument {
    /// Everything that is wrong with the document for `scope`; good ones answer the same document.
    ///
    /// # Errors
    /// [`InvalidRules`].
    pub fn checked_for(self, scope: &Scope) -> Result<Self, InvalidRules> {
        let of_group = matches!(scope, Scope::Group(_));
        let mut mistakes = checked(self.rules.clone()).err().map(|InvalidRules(all)| all).unwrap_or_default();
        if self.priority.is_some_and(|priority| !of_group || priority > MAX_PRIORITY) {
            let expected = if of_group { "0 to 1000" } else { "absent: only a group's rules have a priority" };
            mistakes.push(("/priority".to_owned(), expected.to_owned()));
        }
        if mistakes.is_empty() { Ok(self) } else { Err(InvalidRules(mistakes)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pointers(scope: &str, document: Value) -> Vec<String> {
        let document: RuleDocument = serde_json::from_value(document).unwrap();
        let checked = document.checked_for(&Scope::parse(scope).unwrap());
        checked.err().map(|InvalidRules(all)| all.into_iter().map(|(pointer, _)| pointer).collect()).unwrap_or_default()
    }

    #[test]
    fn every_mistake_of_every_rule_is_named_at_once_by_its_place() {
        let rules = json!([
            {"path": "humidity", "threshold": 35, "of": 17, "clear": 3},
            {"path": "battery", "threshold": 3},
            {"path": "humidity", "threshold": 35, "noDataSeconds": 59},
        ]);
        let expected = ["/rules/0/clear", "/rules/0/of", "/rules/2/path", "/rules/2/noDataSeconds", "/priority"];
        assert_eq!(pointers("default", json!({"rules": rules, "priority": 0})), expected);
    }

    #[test]
    fn sixteen_rules_are_taken_and_seventeen_are_not() {
        let rules = |count: usize| {
            let rule = |number| json!({"path": format!("p{number}"), "threshold": 1});
            json!({"rules": (0..count).map(rule).collect::<Vec<_>>()})
        };
        assert!(pointers("default", rules(16)).is_empty());
        assert_eq!(pointers("default", rules(17)), ["/rules"]);
    }

    #[test]
    fn a_group_has_a_priority_up_to_1000_and_nobody_else_has_one() {
        assert!(pointers("group:a", json!({"rules": [], "priority": 1000})).is_empty());
        assert_eq!(pointers("group:a", json!({"rules": [], "priority": 1001})), ["/priority"]);
        for scope in ["default", "type:a", "thing:a"] {
            assert_eq!(pointers(scope, json!({"rules": [], "priority": 1})), ["/priority"], "{scope}");
        }
    }

    #[test]
    fn a_refusal_reads_as_code_places_and_what_was_expected() {
        let refused = checked(vec![
            serde_json::from_value(json!({"path": "a", "threshold": 1, "of": 0, "breaches": 0})).unwrap(),
        ]);
        let text = "invalid-alert-rule: `/rules/0/of` must be 1 to 16; `/rules/0/breaches` must be 1 to `of`";
        assert_eq!(refused.unwrap_err().to_string(), text);
    }
}
