use loam_runtime::{ConfigError, Environment};

use crate::smart::DEFAULT_HISTORY_DAYS;

/// How readings become notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One notice per episode, by rules that people write.
    Smart,
    /// One notice for each reading below the threshold, as in the classic design.
    Classic,
}

/// What notices, rules and states need: the part of the configuration that the sweep has too.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertsConfig {
    /// `alert_sns`: ARN of the topic that notices go to; the classic name of the variable.
    pub topic_arn: String,
    /// `HUMIDITY_THRESHOLD`: humidity below it (not at it) is dry where nobody wrote a rule; -1000 to 1000, in the
    /// sensor's unit, 35 by default.
    pub threshold: f64,
    /// `ALERT_RULES_TABLE`: the rules that people write.
    pub rules_table: String,
    /// `ALERT_STATES_TABLE`: what is remembered of each thing.
    pub states_table: String,
    /// `TWINS_TABLE`: the catalog's rows, which name the groups of each thing.
    pub twins_table: String,
    /// `MEMBERSHIPS_TABLE`: whose mail a notice is.
    pub memberships_table: String,
    /// `THINGS_TABLE`: the thing records, with the owner's time in which memberships count.
    pub things_table: String,
}

/// The configuration of the HTTP routes.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiConfig {
    /// `HUMIDITY_THRESHOLD`: as [`AlertsConfig::threshold`].
    pub threshold: f64,
    /// `ALERT_RULES_TABLE`: the rules that people write.
    pub rules_table: String,
    /// `ALERT_STATES_TABLE`: what is remembered of each thing.
    pub states_table: String,
    /// `TWINS_TABLE`: the catalog's rows, which name the groups of each thing.
    pub twins_table: String,
    /// `GROUPS_TABLE`: the catalog's groups.
    pub groups_table: String,
    /// `MEMBERSHIPS_TABLE`: who may do what to which thing.
    pub memberships_table: String,
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `HTTP_TABLE`: where the key of cursors lies.
    pub http_table: String,
}

/// The configuration of the rule's function.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What it has in common with the sweep.
    pub alerts: AlertsConfig,
    /// `ALERT_MODE`: `smart` (the default) or `classic`.
    pub mode: Mode,
    /// `ALERT_HISTORY_DAYS`: for how long past episodes are kept; 1 to 3,650 days, 90 by default.
    pub history_days: u16,
    /// `DEAD_LETTERS_URL`: where refused events are kept.
    pub dead_letters_url: String,
}

/// The configuration of the function that hears of things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThingsConfig {
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `ALERT_RULES_TABLE`: the rules that people write.
    pub rules_table: String,
    /// `ALERT_STATES_TABLE`: what is remembered of each thing.
    pub states_table: String,
    /// `THINGS_QUEUE_URL`: the function's own queue, for its second look.
    pub queue_url: String,
    /// `DEAD_LETTERS_URL`: where messages that are no events are kept.
    pub dead_letters_url: String,
}

impl ThingsConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            things_table: environment.text("THINGS_TABLE"),
            rules_table: environment.text("ALERT_RULES_TABLE"),
            states_table: environment.text("ALERT_STATES_TABLE"),
            queue_url: environment.text("THINGS_QUEUE_URL"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
        };
        environment.finish(config)
    }
}

/// In whatever unit the sensor has.
fn threshold(environment: &mut Environment<'_>) -> f64 {
    environment.number("HUMIDITY_THRESHOLD", 35.0, -1000.0..=1000.0)
}

impl ApiConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            threshold: threshold(&mut environment),
            rules_table: environment.text("ALERT_RULES_TABLE"),
            states_table: environment.text("ALERT_STATES_TABLE"),
            twins_table: environment.text("TWINS_TABLE"),
            groups_table: environment.text("GROUPS_TABLE"),
            memberships_table: environment.text("MEMBERSHIPS_TABLE"),
            things_table: environment.text("THINGS_TABLE"),
            http_table: environment.text("HTTP_TABLE"),
        };
        environment.finish(config)
    }
}

impl Config {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            alerts: AlertsConfig::read(&mut environment),
            mode: environment.choice("ALERT_MODE", ("smart", Mode::Smart), &[("classic", Mode::Classic)]),
            history_days: environment.number("ALERT_HISTORY_DAYS", DEFAULT_HISTORY_DAYS, 1..=3650),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
        };
        environment.finish(config)
    }
}

impl AlertsConfig {
    /// Reads the sweep's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self::read(&mut environment);
        environment.finish(config)
    }

    fn read(environment: &mut Environment<'_>) -> Self {
        Self {
            topic_arn: environment.text("alert_sns"),
            threshold: threshold(environment),
            rules_table: environment.text("ALERT_RULES_TABLE"),
            states_table: environment.text("ALERT_STATES_TABLE"),
            twins_table: environment.text("TWINS_TABLE"),
            memberships_table: environment.text("MEMBERSHIPS_TABLE"),
            things_table: environment.text("THINGS_TABLE"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smart_mode_and_the_classic_threshold_are_the_defaults() {
        let lookup = |name: &str| {
            (!["HUMIDITY_THRESHOLD", "ALERT_MODE", "ALERT_HISTORY_DAYS"].contains(&name)).then(|| "x".to_owned())
        };
        let config = Config::from_lookup(&lookup).unwrap();
        assert_eq!((config.alerts.threshold.to_string().as_str(), config.mode), ("35", Mode::Smart));
        assert_eq!(config.history_days, 90);
    }

    #[test]
    fn every_wrong_variable_is_named() {
        let lookup = |name: &str| ["HUMIDITY_THRESHOLD", "ALERT_MODE"].contains(&name).then(|| "dry".to_owned());
        let problems = Config::from_lookup(&lookup).unwrap_err().problems;
        assert_eq!(problems.len(), 9, "{problems:?}");
        assert_eq!(ThingsConfig::from_lookup(&|_| None).unwrap_err().problems.len(), 5);
        assert!(problems.contains(&"HUMIDITY_THRESHOLD is \"dry\", expected -1000 to 1000".to_owned()));
        assert!(problems.contains(&"ALERT_MODE is \"dry\", expected one of smart, classic".to_owned()));
    }
}
