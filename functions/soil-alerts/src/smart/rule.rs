use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const MAX_COUNT: u8 = 16;
const MAX_PATH: usize = 64;
const MONTH_SECONDS: u32 = 30 * 24 * 60 * 60;

/// On which side of the threshold a value breaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertDirection)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A value below the threshold breaches: dry soil, an empty battery.
    Below,
    /// A value above the threshold breaches: heat.
    Above,
}

/// A rule as people write it and the table keeps it: flat, with defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertRule)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleSpec {
    /// The value that the rule watches: `humidity`, or another numeric field's name or dotted path, 1 to 64
    /// characters of `[A-Za-z0-9_.-]`, the first a letter.
    #[schema(pattern = "^[A-Za-z][A-Za-z0-9_.-]*$", max_length = 64)]
    pub path: String,
    /// On which side of `threshold` a value breaches; default `below`.
    #[serde(default = "below")]
    pub direction: Direction,
    /// The level; the level itself never breaches.
    pub threshold: f64,
    /// The level at which (or beyond) a value is clear again; default `threshold`, that is, no hysteresis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<f64>,
    /// N: so many of the last `of` readings must breach to open an episode; 1 to `of`, default 1.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 16)]
    pub breaches: u8,
    /// M: 1 to 16, default 1.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 16)]
    pub of: u8,
    /// So many clear readings in a row close an episode; 1 to 16. Default 1: with every other default too, an
    /// episode is then exactly a stretch of readings that the classic mode would have told of.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 16)]
    pub clears: u8,
    /// Seconds between two notices of a lasting episode, 60 to 30 days; none: an episode is told of once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 2_592_000)]
    pub reminder_seconds: Option<u32>,
    /// Seconds after a recovery notice in which no new episode is told of, 1 to 30 days; default none. An episode
    /// that lasts beyond is told of then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 2_592_000)]
    pub cooldown_seconds: Option<u32>,
    /// Seconds without a reading after which people are told, 60 to 30 days; default never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 2_592_000)]
    pub no_data_seconds: Option<u32>,
    /// `false` mutes the path in this scope, also against wider scopes; default `true`.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn below() -> Direction {
    Direction::Below
}

const fn one() -> u8 {
    1
}

const fn yes() -> bool {
    true
}

/// A rule that keeps every bound of [`RuleSpec`]: checked once, when it is made.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    spec: RuleSpec,
    clear: f64,
}

/// A field of a rule that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BadField {
    /// The field's name in JSON.
    pub field: &'static str,
    /// What was expected of it.
    pub expected: &'static str,
}

/// A rule that was refused, with every field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidRule(
    /// At least one.
    pub Vec<BadField>,
);

impl InvalidRule {
    /// The stable code of this refusal.
    pub const CODE: &'static str = "invalid-alert-rule";
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.0.iter().map(|bad| format!("`{}` must be {}", bad.field, bad.expected)).collect();
        write!(formatter, "{}: {}", Self::CODE, fields.join("; "))
    }
}

impl TryFrom<RuleSpec> for AlertRule {
    type Error = InvalidRule;

    fn try_from(spec: RuleSpec) -> Result<Self, InvalidRule> {
        let clear = spec.clear.unwrap_or(spec.threshold);
        let clear_side = match spec.direction {
            Direction::Below => clear >= spec.threshold,
            Direction::Above => clear <= spec.threshold,
        };
        let checks = [
            (
                Self::is_path(&spec.path),
                "path",
                "1 to 64 characters of [A-Za-z0-9_.-], the first a letter, no empty part",
            ),
            (spec.threshold.is_finite(), "threshold", "a finite number"),
            (clear.is_finite() && clear_side, "clear", "at the threshold or on its healthy side"),
            ((1..=MAX_COUNT).contains(&spec.of), "of", "1 to 16"),
            ((1..=spec.of).contains(&spec.breaches), "breaches", "1 to `of`"),
            ((1..=MAX_COUNT).contains(&spec.clears), "clears", "1 to 16"),
            (within(spec.reminder_seconds, 60), "reminderSeconds", "60 to 2592000"),
            (within(spec.cooldown_seconds, 1), "cooldownSeconds", "1 to 2592000"),
            (within(spec.no_data_seconds, 60), "noDataSeconds", "60 to 2592000"),
        ];
        let bad: Vec<_> = checks
            .into_iter()
            .filter_map(|(good, field, expected)| (!good).then_some(BadField { field, expected }))
            .collect();
        if bad.is_empty() { Ok(Self { spec, clear }) } else { Err(InvalidRule(bad)) }
    }
}

fn within(seconds: Option<u32>, least: u32) -> bool {
    seconds.is_none_or(|seconds| (least..=MONTH_SECONDS).contains(&seconds))
}

impl AlertRule {
    /// The path of the classic alert.
    pub const HUMIDITY: &'static str = "humidity";

    /// The rule of a thing for which nobody wrote one: humidity below `threshold`, told of at once. It takes any
    /// finite threshold (the function's configuration checked it).
    #[must_use]
    pub fn classic(threshold: f64) -> Self {
        let spec = RuleSpec {
            path: Self::HUMIDITY.to_owned(),
            direction: Direction::Below,
            threshold,
            clear: None,
            breaches: 1,
            of: 1,
            clears: 1,
            reminder_seconds: None,
            cooldown_seconds: None,
            no_data_seconds: None,
            enabled: true,
        };
        Self { spec, clear: threshold }
    }

    /// Whether a rule may watch `path`.
    #[must_use]
    pub(crate) fn is_path(path: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        path.len() <= MAX_PATH
            && path.starts_with(|first: char| first.is_ascii_alphabetic())
            && path.bytes().all(plain)
            && path.split('.').all(|part| !part.is_empty())
    }

    /// The rule as people write it.
    #[must_use]
    pub const fn spec(&self) -> &RuleSpec {
        &self.spec
    }

    /// The same, for good.
    #[must_use]
    pub fn into_spec(self) -> RuleSpec {
        self.spec
    }

    /// The value that the rule watches.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.spec.path
    }

    /// Whether `value` lies beyond the threshold; the threshold itself does not.
    #[must_use]
    pub fn breached_by(&self, value: f64) -> bool {
        match self.spec.direction {
            Direction::Below => value < self.spec.threshold,
            Direction::Above => value > self.spec.threshold,
        }
    }

    /// Whether `value` is at the clear level or healthier.
    #[must_use]
    pub fn cleared_by(&self, value: f64) -> bool {
        match self.spec.direction {
            Direction::Below => value >= self.clear,
            Direction::Above => value <= self.clear,
        }
    }

    /// The order from worst to healthiest.
    pub(crate) fn compare_health(&self, left: f64, right: f64) -> std::cmp::Ordering {
        match self.spec.direction {
            Direction::Below => left.total_cmp(&right),
            Direction::Above => right.total_cmp(&left),
        }
    }

    /// Milliseconds between two notices of an episode.
    pub(crate) fn reminder_millis(&self) -> Option<i64> {
        self.spec.reminder_seconds.map(millis)
    }

    /// Milliseconds after a recovery notice without a new one; 0 for none.
    pub(crate) fn cooldown_millis(&self) -> i64 {
        self.spec.cooldown_seconds.map_or(0, millis)
    }

    /// Milliseconds without a reading after which people are told.
    pub(crate) fn no_data_millis(&self) -> Option<i64> {
        self.spec.no_data_seconds.map(millis)
    }
}

fn millis(seconds: u32) -> i64 {
    i64::from(seconds) * 1000
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rule(json: Value) -> Result<AlertRule, Vec<&'static str>> {
        let spec: RuleSpec = serde_json::from_value(json).unwrap();
        AlertRule::try_from(spec).map_err(|invalid| invalid.0.iter().map(|bad| bad.field).collect())
    }

    #[test]
    fn path_and_threshold_alone_are_the_classic_rule() {
        assert_eq!(rule(json!({"path": "humidity", "threshold": 35})).unwrap(), AlertRule::classic(35.0));
    }

    #[test]
    fn a_value_of_exactly_the_threshold_neither_breaches_below_nor_above() {
        let below = AlertRule::classic(35.0);
        assert!(!below.breached_by(35.0) && below.breached_by(34.999_999));
        let above = rule(json!({"path": "t", "direction": "above", "threshold": 35})).unwrap();
        assert!(!above.breached_by(35.0) && above.breached_by(35.000_001));
    }

    #[test]
    fn a_value_of_exactly_the_clear_level_is_clear_and_one_between_is_neither() {
        let below = rule(json!({"path": "humidity", "threshold": 35, "clear": 40})).unwrap();
        assert!(below.cleared_by(40.0) && !below.cleared_by(39.9) && !below.breached_by(39.9));
        let above = rule(json!({"path": "t", "direction": "above", "threshold": 35, "clear": 30})).unwrap();
        assert!(above.cleared_by(30.0) && !above.cleared_by(30.1) && !above.breached_by(30.1));
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        let bad = rule(json!({"path": "", "threshold": 35, "clear": 34, "breaches": 2, "of": 17, "clears": 0,
            "reminderSeconds": 59, "cooldownSeconds": 0, "noDataSeconds": 2_592_001}))
        .unwrap_err();
        assert_eq!(bad, ["path", "clear", "of", "clears", "reminderSeconds", "cooldownSeconds", "noDataSeconds"]);
        assert_eq!(rule(json!({"path": "a", "threshold": 1, "breaches": 2})).unwrap_err(), ["breaches"]);
        assert_eq!(rule(json!({"path": "a", "threshold": 1, "breaches": 0})).unwrap_err(), ["breaches"]);
    }

    #[test]
    fn a_clear_level_on_the_breaching_side_is_refused() {
        let above = json!({"path": "t", "direction": "above", "threshold": 35, "clear": 36});
        assert_eq!(rule(above).unwrap_err(), ["clear"]);
    }

    #[test]
    fn a_path_that_could_break_a_subject_is_refused() {
        for path in ["", "ä", "a b", "1a", "a\n", "a..b", "a.", &"a".repeat(65)] {
            assert_eq!(rule(json!({"path": path, "threshold": 1})).unwrap_err(), ["path"], "{path:?}");
        }
        for path in ["a", "air.temp-1_x", &"a".repeat(64)] {
            assert!(rule(json!({"path": path, "threshold": 1})).is_ok(), "{path:?}");
        }
    }

    #[test]
    fn a_misspelt_field_is_not_taken_for_a_default() {
        let result: Result<RuleSpec, _> = serde_json::from_value(json!({"path": "a", "threshold": 1, "treshold": 2}));
        assert!(result.is_err());
    }

    #[test]
    fn a_refusal_reads_as_code_and_fields() {
        let invalid = InvalidRule(vec![BadField { field: "of", expected: "1 to 16" }]);
        assert_eq!(invalid.to_string(), "invalid-alert-rule: `of` must be 1 to 16");
    }
}
