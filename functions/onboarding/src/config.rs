use loam_runtime::{ConfigError, Environment};

/// The configuration of the rule's function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `CATALOG_TABLE`: the classic catalog.
    pub catalog_table: String,
    /// `DEAD_LETTERS_URL`: where refused messages are kept.
    pub dead_letters_url: String,
}

/// The configuration of the queue's function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetireConfig {
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `CATALOG_TABLE`: the classic catalog.
    pub catalog_table: String,
    /// `DEVICE_POLICIES`: the names of the policies that every certificate has, with commas between.
    pub device_policies: Vec<String>,
    /// `CERTIFICATES_ARN`: what stands before the id in a certificate's ARN: `arn:aws:iot:{region}:{account}:cert/`.
    pub certificates_arn: String,
    /// `DEAD_LETTERS_URL`: where messages that are no events are kept.
    pub dead_letters_url: String,
}

/// The configuration of the HTTP routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
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
        let config =
            Self { things_table: environment.text("THINGS_TABLE"), http_table: environment.text("HTTP_TABLE") };
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
            things_table: environment.text("THINGS_TABLE"),
            catalog_table: environment.text("CATALOG_TABLE"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
        };
        environment.finish(config)
    }
}

impl RetireConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let policies = environment.text("DEVICE_POLICIES");
        let config = Self {
            things_table: environment.text("THINGS_TABLE"),
            catalog_table: environment.text("CATALOG_TABLE"),
            device_policies: policies.split(',').map(|name| name.trim().to_owned()).collect(),
            certificates_arn: environment.text("CERTIFICATES_ARN"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
        };
        environment.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_are_a_list_with_commas() {
        let lookup = |name: &str| Some(if name == "DEVICE_POLICIES" { "one, two" } else { "x" }.to_owned());
        assert_eq!(RetireConfig::from_lookup(&lookup).unwrap().device_policies, ["one", "two"]);
    }

    #[test]
    fn every_missing_variable_is_named_at_once() {
        assert_eq!(Config::from_lookup(&|_| None).unwrap_err().problems.len(), 3);
        assert_eq!(RetireConfig::from_lookup(&|_| None).unwrap_err().problems.len(), 5);
        assert_eq!(ApiConfig::from_lookup(&|_| None).unwrap_err().problems.len(), 2);
    }
}
