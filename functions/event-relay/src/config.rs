use loam_runtime::{ConfigError, Environment};

/// The function's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `EVENTS_TOPIC`: ARN of the topic that events go to.
    pub events_topic: String,
    /// `DEAD_LETTERS_URL`: where what can never be told is kept.
    pub dead_letters_url: String,
}

impl Config {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let events_topic = environment.text("EVENTS_TOPIC");
        let dead_letters_url = environment.text("DEAD_LETTERS_URL");
        environment.finish(Self { events_topic, dead_letters_url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_variable_is_named_at_once() {
        let problems = Config::from_lookup(&|_| None).unwrap_err().problems;
        assert_eq!(problems, ["EVENTS_TOPIC is missing", "DEAD_LETTERS_URL is missing"]);
    }
}
