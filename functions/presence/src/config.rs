use loam_runtime::{ConfigError, Environment};

/// The tables: the part of the configuration that all three functions have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruthConfig {
    /// `PRESENCE_TABLE`: the table of presence.
    pub presence_table: String,
    /// `THINGS_TABLE`: the records of the things, which tell whose are ours.
    pub things_table: String,
    /// `PRESENCE_HISTORY_DAYS`: for how long it is remembered who came and went, 1 to 3,650 days, 30 by default.
    pub history_days: u16,
}

/// The configuration of the functions that AWS IoT and the queue feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The tables.
    pub truth: TruthConfig,
    /// `DEAD_LETTERS_URL`: where refused messages are kept.
    pub dead_letters_url: String,
}

/// The configuration of the HTTP function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// The tables.
    pub truth: TruthConfig,
    /// `MEMBERSHIPS_TABLE`: who may do what to which thing.
    pub memberships_table: String,
    /// `HTTP_TABLE`: where the key of the cursors lies.
    pub http_table: String,
}

impl TruthConfig {
    fn read(environment: &mut Environment<'_>) -> Self {
        Self {
            presence_table: environment.text("PRESENCE_TABLE"),
            things_table: environment.text("THINGS_TABLE"),
            history_days: environment.number("PRESENCE_HISTORY_DAYS", 30, 1..=3650),
        }
    }
}

impl Config {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let truth = TruthConfig::read(&mut environment);
        let config = Self { truth, dead_letters_url: environment.text("DEAD_LETTERS_URL") };
        environment.finish(config)
    }
}

impl ApiConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let truth = TruthConfig::read(&mut environment);
        let memberships_table = environment.text("MEMBERSHIPS_TABLE");
        let config = Self { truth, memberships_table, http_table: environment.text("HTTP_TABLE") };
        environment.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_kept_for_30_days_unless_told_otherwise() {
        let days = |days: Option<&'static str>| {
            let lookup = move |name: &str| {
                if name == "PRESENCE_HISTORY_DAYS" { days.map(str::to_owned) } else { Some("x".to_owned()) }
            };
            Config::from_lookup(&lookup).map(|config| config.truth.history_days)
        };
        assert_eq!((days(None).unwrap(), days(Some("3650")).unwrap()), (30, 3_650));
        assert!(days(Some("0")).is_err() && days(Some("3651")).is_err());
    }

    #[test]
    fn every_missing_variable_is_named() {
        let problems = Config::from_lookup(&|_| None).unwrap_err().problems;
        let missing = ["PRESENCE_TABLE is missing", "THINGS_TABLE is missing"];
        assert_eq!(problems, [&missing[..], &["DEAD_LETTERS_URL is missing"]].concat());
        let problems = ApiConfig::from_lookup(&|_| None).unwrap_err().problems;
        assert_eq!(problems, [&missing[..], &["MEMBERSHIPS_TABLE is missing", "HTTP_TABLE is missing"]].concat());
    }
}
