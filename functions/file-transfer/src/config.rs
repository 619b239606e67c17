use loam_runtime::{ConfigError, Environment};

/// Where transfers, objects and keys are: what both functions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `FILES_TABLE`: the transfers.
    pub files_table: String,
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `SOURCES_BUCKET`: what people bring, until it is sealed; versioned.
    pub sources_bucket: String,
    /// `FILES_BUCKET`: heads and bodies; without versions.
    pub files_bucket: String,
    /// `FILES_KEY`: the ARN of the KMS key.
    pub files_key: String,
    /// `FILES_QUEUE_URL`: where work is asked for.
    pub queue_url: String,
}

/// The configuration of the queue's function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Tables, buckets, key and queue.
    pub places: Places,
    /// `DEAD_LETTERS_URL`: where refused messages are kept.
    pub dead_letters_url: String,
}

/// The configuration of the HTTP routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// Tables, buckets, key and queue.
    pub places: Places,
    /// `MEMBERSHIPS_TABLE`: who may do what to which thing.
    pub memberships_table: String,
    /// `HTTP_TABLE`: cursors, and answers to requests that are repeated.
    pub http_table: String,
}

impl Places {
    fn read(environment: &mut Environment<'_>) -> Self {
        Self {
            files_table: environment.text("FILES_TABLE"),
            things_table: environment.text("THINGS_TABLE"),
            sources_bucket: environment.text("SOURCES_BUCKET"),
            files_bucket: environment.text("FILES_BUCKET"),
            files_key: environment.text("FILES_KEY"),
            queue_url: environment.text("FILES_QUEUE_URL"),
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
        let places = Places::read(&mut environment);
        let config = Self { places, dead_letters_url: environment.text("DEAD_LETTERS_URL") };
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
        let config = Self {
            places: Places::read(&mut environment),
            memberships_table: environment.text("MEMBERSHIPS_TABLE"),
            http_table: environment.text("HTTP_TABLE"),
        };
        environment.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_variable_is_named_at_once() {
        assert_eq!(Config::from_lookup(&|_| None).unwrap_err().problems.len(), 7);
        assert_eq!(ApiConfig::from_lookup(&|_| None).unwrap_err().problems.len(), 8);
        assert!(Config::from_lookup(&|_| Some("x".to_owned())).is_ok());
    }
}
