use loam_runtime::{ConfigError, Environment};

/// The configuration of the HTTP routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// `TWINS_TABLE`: what is known of each thing.
    pub twins_table: String,
    /// `GROUPS_TABLE`: groups and who is in them.
    pub groups_table: String,
    /// `MEMBERSHIPS_TABLE`: who may do what to which thing.
    pub memberships_table: String,
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `HTTP_TABLE`: where the key of cursors lies.
    pub http_table: String,
}

/// The configuration of the queue's function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `TWINS_TABLE`: what is known of each thing.
    pub twins_table: String,
    /// `GROUPS_TABLE`: groups and who is in them.
    pub groups_table: String,
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `DEAD_LETTERS_URL`: where refused messages are kept.
    pub dead_letters_url: String,
    /// `CATALOG_QUEUE_URL`: the function's own queue, for an erasure that has to wait.
    pub queue_url: String,
}

impl ApiConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
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
            twins_table: environment.text("TWINS_TABLE"),
            groups_table: environment.text("GROUPS_TABLE"),
            things_table: environment.text("THINGS_TABLE"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
            queue_url: environment.text("CATALOG_QUEUE_URL"),
        };
        environment.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_variable_is_named_at_once() {
        assert_eq!(ApiConfig::from_lookup(&|_| None).unwrap_err().problems.len(), 5);
        assert_eq!(Config::from_lookup(&|_| None).unwrap_err().problems.len(), 5);
    }
}
