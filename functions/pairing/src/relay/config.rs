use loam_runtime::{ConfigError, Environment};

/// The configuration of the function that fills the mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayConfig {
    /// `PAIRINGS_TABLE`: whose each thing is, and who listens.
    pub pairings_table: String,
    /// `DEAD_LETTERS_URL`: where refused messages are kept.
    pub dead_letters_url: String,
}

impl RelayConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            pairings_table: environment.text("PAIRINGS_TABLE"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
        };
        environment.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_variable_is_named() {
        let problems = RelayConfig::from_lookup(&|_| None).unwrap_err().problems;
        assert_eq!(problems, ["PAIRINGS_TABLE is missing", "DEAD_LETTERS_URL is missing"]);
    }
}
