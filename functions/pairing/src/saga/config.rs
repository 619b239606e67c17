use loam_runtime::{ConfigError, Environment};

use crate::store::Tables;

/// The configuration of the queue's function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `PAIRINGS_TABLE`, `MEMBERSHIPS_TABLE`, `THINGS_TABLE`.
    pub tables: Tables,
    /// `DEAD_LETTERS_URL`: where refused messages are kept.
    pub dead_letters_url: String,
}

impl Config {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let tables = Tables {
            pairings: environment.text("PAIRINGS_TABLE"),
            memberships: environment.text("MEMBERSHIPS_TABLE"),
            things: environment.text("THINGS_TABLE"),
        };
        let dead_letters_url = environment.text("DEAD_LETTERS_URL");
        environment.finish(Self { tables, dead_letters_url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_variable_is_named_at_once() {
        assert_eq!(Config::from_lookup(&|_| None).unwrap_err().problems.len(), 4);
    }
}
