use std::cmp::Reverse;

use super::{AlertRule, Scope};

/// The rules of one scope.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleRow {
    /// Rules, one per path.
    pub rules: Vec<AlertRule>,
    /// Only in a group's row: of a thing's groups the highest goes first.
    pub priority: u16,
    /// Only in a thing's row: the type whose rules stand behind the thing's own.
    pub thing_type: Option<String>,
}

/// A rule that holds for a thing, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest {
    /// Whose row it is; `None`: nobody wrote one, the function's own threshold holds.
    pub scope: Option<Scope>,
    /// The rule. One that is not enabled mutes its path.
    pub rule: AlertRule,
}

/// The rules that hold for one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules;

impl Rules {
    /// One rule per path out of the rows that are for a thing: the nearest scope's, as a whole; fields of two scopes are
    /// never mixed. Nearest is the thing itself, then its groups (the highest priority first, of equals the first name in
    /// the order of bytes), then its type, then the default. Without a default row the classic rule with `threshold` stands
    /// in its place. A rule that is not enabled hides the wider ones, and is among the answer.
    #[must_use]
    pub fn resolve(mut rows: Vec<(Scope, RuleRow)>, threshold: f64) -> Vec<Nearest> {
        rows.sort_by(|(left, left_row), (right, right_row)| {
            let key = |scope, row: &RuleRow| (distance(scope), Reverse(row.priority));
            key(left, left_row).cmp(&key(right, right_row)).then_with(|| left.cmp(right))
        });
        let has_default = rows.iter().any(|(scope, _)| *scope == Scope::Default);
        let built_in = (!has_default).then(|| (None, AlertRule::classic(threshold)));
        let written = rows
            .into_iter()
            .flat_map(|(scope, row)| row.rules.into_iter().map(move |rule| (Some(scope.clone()), rule)));
        let mut nearest: Vec<Nearest> = Vec::new();
        for (scope, rule) in written.chain(built_in) {
            if !nearest.iter().any(|known| known.rule.path() == rule.path()) {
                nearest.push(Nearest { scope, rule });
            }
        }
        nearest
    }
}

/// How far a scope is from the thing itself. Only groups may stand beside each other.
const fn distance(scope: &Scope) -> u8 {
    match scope {
        Scope::Thing(_) => 0,
        Scope::Group(_) => 1,
        Scope::Type(_) => 2,
        Scope::Default => 3,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(scope: &str, rules: Value) -> (Scope, RuleRow) {
        prioritised(scope, 0, rules)
    }

    fn prioritised(scope: &str, priority: u16, rules: Value) -> (Scope, RuleRow) {
        let specs: Vec<crate::smart::RuleSpec> = serde_json::from_value(rules).unwrap();
        let rules = specs.into_iter().map(|spec| AlertRule::try_from(spec).unwrap()).collect();
        (Scope::parse(scope).unwrap(), RuleRow { rules, priority, thing_type: None })
    }

    fn humidity(threshold: i64) -> Value {
        json!([{"path": "humidity", "threshold": threshold}])
    }

    /// Path, threshold and scope of each rule that holds.
    fn resolved(rows: Vec<(Scope, RuleRow)>) -> Vec<(String, f64, String)> {
        let scope = |scope: &Option<Scope>| scope.as_ref().map_or("built-in".to_owned(), ToString::to_string);
        let all = Rules::resolve(rows, 35.0);
        all.iter().map(|it| (it.rule.path().to_owned(), it.rule.spec().threshold, scope(&it.scope))).collect()
    }

    fn first(rows: Vec<(Scope, RuleRow)>) -> String {
        resolved(rows).remove(0).2
    }

    #[test]
    fn without_any_row_the_functions_threshold_holds() {
        assert_eq!(Rules::resolve(vec![], 35.0), [Nearest { scope: None, rule: AlertRule::classic(35.0) }]);
    }

    #[test]
    fn the_nearest_scope_wins_for_each_path() {
        let rows = vec![
            row("default", json!([{"path": "battery", "threshold": 2}, {"path": "light", "threshold": 1}])),
            row("type:pot", json!([{"path": "humidity", "threshold": 25}, {"path": "battery", "threshold": 3}])),
            row("thing:t1", humidity(20)),
            row("group:roof", json!([{"path": "wind", "threshold": 5}, {"path": "battery", "threshold": 4}])),
        ];
        let named = |path: &str, threshold, scope: &str| (path.to_owned(), threshold, scope.to_owned());
        let expected = [
            named("humidity", 20.0, "thing:t1"),
            named("wind", 5.0, "group:roof"),
            named("battery", 4.0, "group:roof"),
            named("light", 1.0, "default"),
        ];
        assert_eq!(resolved(rows), expected);
    }

    #[test]
    fn a_thing_goes_before_a_group_a_group_before_a_type_and_a_type_before_the_default() {
        let mut rows = vec![
            row("default", humidity(1)),
            row("type:a", humidity(2)),
            prioritised("group:z", 1000, humidity(3)),
            row("thing:z", humidity(4)),
        ];
        for scope in ["thing:z", "group:z", "type:a", "default"] {
            assert_eq!(first(rows.clone()), scope);
            rows.pop();
        }
    }

    #[test]
    fn of_two_groups_the_higher_priority_wins_and_of_equals_the_first_name() {
        let groups =
            |a: u16, b: u16| vec![prioritised("group:b", b, humidity(1)), prioritised("group:a", a, humidity(2))];
        assert_eq!(first(groups(0, 0)), "group:a");
        assert_eq!(first(groups(0, 1)), "group:b");
        assert_eq!(first(groups(7, 7)), "group:a");
    }

    #[test]
    fn a_group_of_a_high_priority_without_a_rule_for_the_path_leaves_it_to_the_next_one() {
        let rows =
            vec![prioritised("group:a", 9, json!([{"path": "battery", "threshold": 3}])), row("group:b", humidity(20))];
        assert_eq!(resolved(rows)[1], ("humidity".to_owned(), 20.0, "group:b".to_owned()));
    }

    #[test]
    fn a_rule_wins_as_a_whole_and_takes_no_field_from_a_wider_scope() {
        let default = json!([{"path": "humidity", "threshold": 30, "clear": 50, "clears": 2}]);
        let rules = Rules::resolve(vec![row("thing:t1", humidity(20)), row("default", default)], 35.0);
        assert_eq!(rules.into_iter().map(|it| it.rule).collect::<Vec<_>>(), [AlertRule::classic(20.0)]);
    }

    #[test]
    fn a_things_rule_for_another_path_leaves_the_classic_one() {
        let rules = resolved(vec![row("thing:t1", json!([{"path": "battery", "threshold": 3}]))]);
        assert_eq!(rules[1], ("humidity".to_owned(), 35.0, "built-in".to_owned()));
    }

    #[test]
    fn a_default_row_without_humidity_replaces_the_classic_rule() {
        assert!(Rules::resolve(vec![row("default", json!([]))], 35.0).is_empty());
    }

    #[test]
    fn a_disabled_rule_hides_the_wider_one() {
        let muted = json!([{"path": "humidity", "threshold": 20, "enabled": false}]);
        let rules = Rules::resolve(vec![row("thing:t1", muted), row("default", humidity(30))], 35.0);
        assert_eq!(rules.iter().map(|it| it.rule.spec().enabled).collect::<Vec<_>>(), [false]);
    }
}
