use loam_runtime::{ConfigError, Environment};

use crate::credentials::CredentialsConfig;

/// The configuration of the HTTP routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// `PAIRINGS_TABLE`: tenancies, windows, codes, claims, attempts.
    pub pairings_table: String,
    /// `MEMBERSHIPS_TABLE`: who may do what to which thing.
    pub memberships_table: String,
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `HTTP_TABLE`: answers of requests that may come again.
    pub http_table: String,
    /// `ALERTS_TOPIC`: the ARN of the topic of notices, to which members' mail is subscribed.
    pub alerts_topic: String,
    /// What credentials take.
    pub credentials: CredentialsConfig,
}

impl ApiConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            pairings_table: environment.text("PAIRINGS_TABLE"),
            memberships_table: environment.text("MEMBERSHIPS_TABLE"),
            things_table: environment.text("THINGS_TABLE"),
            http_table: environment.text("HTTP_TABLE"),
            alerts_topic: environment.text("ALERTS_TOPIC"),
            credentials: CredentialsConfig::read(&mut environment),
        };
        environment.finish(config)
    }
}
