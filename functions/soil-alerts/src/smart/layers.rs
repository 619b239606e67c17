use super::AlertRule;

/// The rules of one scope: `thing/{name}`, `type/{type}` or `default`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleRow {
    /// Rules, one per path; if there are two for a path, the first counts.
    pub rules: Vec<AlertRule>,
    /// Only in a thing's row: the type whose rules stand behind the thing's own.
    pub thing_type: Option<String>,
}

/// The rules that hold for one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules;

impl Rules {
    /// One rule per path: the nearest scope's, as a whole; fields of two scopes are never mixed. Without a `default`
    /// row the classic rule with `threshold` stands in its place. A rule that is not enabled hides the wider ones and
    /// then falls away itself.
    #[must_use]
    pub fn resolve(
        thing: Option<&RuleRow>,
        of_type: Option<&RuleRow>,
        default: Option<&RuleRow>,
        threshold: f64,
    ) -> Vec<AlertRule> {
        let classic = RuleRow { rules: vec![AlertRule::classic(threshold)], thing_type: None };
        let scopes = [thing, of_type, Some(default.unwrap_or(&classic))];
        let mut nearest: Vec<&AlertRule> = Vec::new();
        for rule in scopes.into_iter().flatten().flat_map(|row| &row.rules) {
            if !nearest.iter().any(|known| known.path() == rule.path()) {
                nearest.push(rule);
            }
        }
        nearest.into_iter().filter(|rule| rule.spec().enabled).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(rules: &[serde_json::Value]) -> RuleRow {
        let parse = |json: &serde_json::Value| {
            AlertRule::try_from(serde_json::from_value::<crate::smart::RuleSpec>(json.clone()).unwrap()).unwrap()
        };
        RuleRow { rules: rules.iter().map(parse).collect(), thing_type: None }
    }

    fn thresholds(rules: &[AlertRule]) -> Vec<(&str, f64)> {
        rules.iter().map(|rule| (rule.path(), rule.spec().threshold)).collect()
    }

    #[test]
    fn without_any_row_the_functions_threshold_holds() {
        assert_eq!(Rules::resolve(None, None, None, 35.0), [AlertRule::classic(35.0)]);
    }

    #[test]
    fn the_nearest_scope_wins_for_each_path() {
        let thing = row(&[json!({"path": "humidity", "threshold": 20})]);
        let of_type = row(&[json!({"path": "humidity", "threshold": 25}), json!({"path": "battery", "threshold": 3})]);
        let default = row(&[json!({"path": "battery", "threshold": 2}), json!({"path": "light", "threshold": 1})]);
        let rules = Rules::resolve(Some(&thing), Some(&of_type), Some(&default), 35.0);
        assert_eq!(thresholds(&rules), [("humidity", 20.0), ("battery", 3.0), ("light", 1.0)]);
    }

    #[test]
    fn a_rule_wins_as_a_whole_and_takes_no_field_from_a_wider_scope() {
        let thing = row(&[json!({"path": "humidity", "threshold": 20})]);
        let default = row(&[json!({"path": "humidity", "threshold": 30, "clear": 50, "clears": 2})]);
        assert_eq!(Rules::resolve(Some(&thing), None, Some(&default), 35.0), [AlertRule::classic(20.0)]);
    }

    #[test]
    fn a_things_rule_for_another_path_leaves_the_classic_one() {
        let thing = row(&[json!({"path": "battery", "threshold": 3})]);
        let rules = Rules::resolve(Some(&thing), None, None, 35.0);
        assert_eq!(thresholds(&rules), [("battery", 3.0), ("humidity", 35.0)]);
    }

    #[test]
    fn a_default_row_without_humidity_replaces_the_classic_rule() {
        assert!(Rules::resolve(None, None, Some(&row(&[])), 35.0).is_empty());
    }

    #[test]
    fn a_disabled_rule_hides_the_wider_one() {
        let thing = row(&[json!({"path": "humidity", "threshold": 20, "enabled": false})]);
        assert!(Rules::resolve(Some(&thing), None, None, 35.0).is_empty());
    }
}
