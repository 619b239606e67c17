use loam_runtime::{ConfigError, Environment};

use crate::expiry::Retention;

/// The function's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `TELEMETRY_TABLE`: name of the table of samples, hours and latest values.
    pub table: String,
    /// `DEAD_LETTERS_URL`: where refused messages are kept.
    pub dead_letters_url: String,
    /// `THINGS_TABLE`: the thing records, where a retirement is acknowledged.
    pub things_table: String,
    /// `TELEMETRY_QUEUE_URL`: the function's own queue, for erasures that go on in another run.
    pub queue_url: String,
    /// `RAW_RETENTION_DAYS`: for how long samples are kept, 1 to 3,650 days, 30 by default; and
    /// `HOURLY_RETENTION_DAYS`: for how long hours are, more than that, at most 36,500 days, 400 by default.
    pub retention: Retention,
}

/// The configuration of the HTTP routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// `TELEMETRY_TABLE`: name of the table of samples, hours and latest values.
    pub table: String,
    /// `MEMBERSHIPS_TABLE`: who may do what to which thing.
    pub memberships_table: String,
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `HTTP_TABLE`: where the key of cursors lies.
    pub http_table: String,
}

impl ApiConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            table: environment.text("TELEMETRY_TABLE"),
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
        let table = environment.text("TELEMETRY_TABLE");
        let dead_letters_url = environment.text("DEAD_LETTERS_URL");
        let raw = environment.number("RAW_RETENTION_DAYS", 30, 1..=Retention::MOST_RAW_DAYS);
        let hourly = environment.number("HOURLY_RETENTION_DAYS", 400, 2..=Retention::MOST_HOURLY_DAYS);
        let (things_table, queue_url) = (environment.text("THINGS_TABLE"), environment.text("TELEMETRY_QUEUE_URL"));
        environment.finish(())?;
        let retention = Retention::new(raw, hourly).ok_or_else(|| too_short(raw, hourly))?;
        Ok(Self { table, dead_letters_url, things_table, queue_url, retention })
    }
}

fn too_short(raw: u16, hourly: u16) -> ConfigError {
    let problem = format!(
        "HOURLY_RETENTION_DAYS is \"{hourly}\", expected more than RAW_RETENTION_DAYS ({raw}): \
         an hour must outlive the samples that are counted in it"
    );
    ConfigError { problems: vec![problem] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(days: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let lookup = |name: &str| match name {
            "TELEMETRY_TABLE" | "DEAD_LETTERS_URL" | "THINGS_TABLE" | "TELEMETRY_QUEUE_URL" => Some("x".to_owned()),
            _ => days.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned()),
        };
        Config::from_lookup(&lookup).map_err(|error| error.problems)
    }

    #[test]
    fn samples_are_kept_for_30_days_and_hours_for_400_unless_told_otherwise() {
        assert_eq!(config(&[]).unwrap().retention, Retention::new(30, 400).unwrap());
        let days = [("RAW_RETENTION_DAYS", "3650"), ("HOURLY_RETENTION_DAYS", "3651")];
        assert_eq!(config(&days).unwrap().retention, Retention::new(3650, 3651).unwrap());
    }

    #[test]
    fn hours_that_do_not_outlive_their_samples_are_refused() {
        let problems = config(&[("RAW_RETENTION_DAYS", "400")]).unwrap_err();
        assert!(
            problems[0].starts_with("HOURLY_RETENTION_DAYS is \"400\", expected more than RAW_RETENTION_DAYS (400)")
        );
    }

    #[test]
    fn every_bad_variable_is_named_at_once() {
        assert_eq!(ApiConfig::from_lookup(&|_| None).unwrap_err().problems.len(), 4);
        let lookup = |name: &str| (name == "RAW_RETENTION_DAYS").then(|| "0".to_owned());
        let problems = Config::from_lookup(&lookup).unwrap_err().problems;
        assert_eq!(
            problems,
            [
                "TELEMETRY_TABLE is missing",
                "DEAD_LETTERS_URL is missing",
                "RAW_RETENTION_DAYS is \"0\", expected 1 to 3650",
                "THINGS_TABLE is missing",
                "TELEMETRY_QUEUE_URL is missing"
            ]
        );
    }
}
