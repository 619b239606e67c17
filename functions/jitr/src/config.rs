use loam_runtime::{ConfigError, Environment};

/// The queue's function's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `THINGS_TABLE`: the records of things.
    pub things_table: String,
    /// `CA_PROFILES_TABLE`: profiles and lists.
    pub profiles_table: String,
    /// `CERTIFICATES_TABLE`: the ledger.
    pub certificates_table: String,
    /// `EVENTS_TOPIC`: ARN of the topic that notices go to.
    pub events_topic: String,
    /// `JITR_QUEUE_URL`: this function's own queue, for re-checks.
    pub queue_url: String,
    /// `DEVICE_POLICIES`: names of the IoT policies that a device's certificate gets, separated by commas.
    pub device_policies: Vec<String>,
    /// `INVOKE_TOPIC_PREFIX`: first level of the topics on which devices answer calls; no thing may bear this name.
    pub invoke_prefix: String,
    /// `DEAD_LETTERS_URL`: where messages are kept that nobody can read.
    pub dead_letters_url: String,
}

impl Config {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            things_table: environment.text("THINGS_TABLE"),
            profiles_table: environment.text("CA_PROFILES_TABLE"),
            certificates_table: environment.text("CERTIFICATES_TABLE"),
            events_topic: environment.text("EVENTS_TOPIC"),
            queue_url: environment.text("JITR_QUEUE_URL"),
            device_policies: names(&environment.text("DEVICE_POLICIES")),
            invoke_prefix: environment.text("INVOKE_TOPIC_PREFIX"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
        };
        environment.finish(config)
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The routes' configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// `THINGS_TABLE`: the records of things.
    pub things_table: String,
    /// `CA_PROFILES_TABLE`: profiles and lists.
    pub profiles_table: String,
    /// `CERTIFICATES_TABLE`: the ledger, for the audit of revocations.
    pub certificates_table: String,
    /// `JITR_QUEUE_URL`: the queue that re-checks go to.
    pub queue_url: String,
    /// `HTTP_TABLE`: the key of cursors, and the answers to repeated requests.
    pub http_table: String,
    /// `INVOKE_TOPIC_PREFIX`: first level of the topics on which devices answer calls; no thing may bear this name.
    pub invoke_prefix: String,
}

impl ApiConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            things_table: environment.text("THINGS_TABLE"),
            profiles_table: environment.text("CA_PROFILES_TABLE"),
            certificates_table: environment.text("CERTIFICATES_TABLE"),
            queue_url: environment.text("JITR_QUEUE_URL"),
            http_table: environment.text("HTTP_TABLE"),
            invoke_prefix: environment.text("INVOKE_TOPIC_PREFIX"),
        };
        environment.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_separated_by_commas() {
        let lookup = |name: &str| Some(if name == "DEVICE_POLICIES" { "a, b,".to_owned() } else { "x".to_owned() });
        assert_eq!(Config::from_lookup(&lookup).unwrap().device_policies, ["a", "b"]);
    }

    #[test]
    fn every_missing_variable_is_named_at_once() {
        assert_eq!(Config::from_lookup(&|_| None).unwrap_err().problems.len(), 8);
        assert_eq!(ApiConfig::from_lookup(&|_| None).unwrap_err().problems.len(), 6);
    }
}
