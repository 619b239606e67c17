use loam_runtime::{ConfigError, Environment};

/// How readings become notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One notice for each reading below the threshold, as in the classic design.
    Classic,
}

/// The function's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `alert_sns`: ARN of the topic that notices go to; the classic name of the variable.
    pub topic_arn: String,
    /// `DEAD_LETTERS_URL`: where refused events are kept.
    pub dead_letters_url: String,
    /// `HUMIDITY_THRESHOLD`: humidity below it (not at it) is dry; -1000 to 1000, in the sensor's unit, 35 by default.
    pub threshold: f64,
    /// `ALERT_MODE`.
    pub mode: Mode,
}

impl Config {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            topic_arn: environment.text("alert_sns"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
            threshold: environment.number("HUMIDITY_THRESHOLD", 35.0, -1000.0..=1000.0),
            mode: environment.choice("ALERT_MODE", ("classic", Mode::Classic), &[]),
        };
        environment.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classic_threshold_is_35() {
        let lookup = |name: &str| matches!(name, "alert_sns" | "DEAD_LETTERS_URL").then(|| "x".to_owned());
        let config = Config::from_lookup(&lookup).unwrap();
        assert_eq!((config.threshold.to_string().as_str(), config.mode), ("35", Mode::Classic));
    }

    #[test]
    fn a_threshold_that_is_no_number_is_named() {
        let lookup = |name: &str| Some(if name == "HUMIDITY_THRESHOLD" { "dry" } else { "classic" }.to_owned());
        let problems = Config::from_lookup(&lookup).unwrap_err().problems;
        assert_eq!(problems, ["HUMIDITY_THRESHOLD is \"dry\", expected -1000 to 1000"]);
    }
}
