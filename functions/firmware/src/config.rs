use loam_runtime::{ConfigError, Environment};

/// The configuration of the function that takes uploads in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeConfig {
    /// `FIRMWARE_TABLE`: releases, rollouts, and each thing's place in them.
    pub firmware_table: String,
    /// `FIRMWARE_BUCKET`: uploads, images, lists of targets; versioned.
    pub firmware_bucket: String,
    /// `FILES_KEY`: the ARN of the KMS key under which the keys of sealed images are.
    pub files_key: String,
    /// `DEAD_LETTERS_URL`: where refused messages are kept.
    pub dead_letters_url: String,
}

/// The configuration of the HTTP routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// `FIRMWARE_TABLE`.
    pub firmware_table: String,
    /// `FIRMWARE_KEY`: the ARN of the KMS key that signs manifests.
    pub firmware_key: String,
    /// `CONDUCTOR_QUEUE_URL`: where the conductor hears of a rollout.
    pub queue_url: String,
    /// `GROUPS_TABLE`: the catalog's groups.
    pub groups_table: String,
    /// `HTTP_TABLE`: cursors, and answers to requests that are repeated.
    pub http_table: String,
    /// `FOUR_EYES`: whether somebody else than who created a rollout must approve it; `on` unless told.
    pub four_eyes: bool,
}

/// The configuration of the conductor. What it tells operators are events of rollouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConductorConfig {
    /// `FIRMWARE_TABLE`.
    pub firmware_table: String,
    /// `FIRMWARE_BUCKET`.
    pub firmware_bucket: String,
    /// `FIRMWARE_KEY`.
    pub firmware_key: String,
    /// `TWINS_TABLE`: the catalog's twins, from which targets are chosen.
    pub twins_table: String,
    /// `CONDUCTOR_QUEUE_URL`: its own queue.
    pub queue_url: String,
    /// `URL_ROLE`: the ARN of the role by which AWS IoT signs the URLs in the documents of jobs.
    pub url_role: String,
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `DEAD_LETTERS_URL`.
    pub dead_letters_url: String,
}

/// The configuration of the function that hears devices and events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressConfig {
    /// `FIRMWARE_TABLE`.
    pub firmware_table: String,
    /// `FIRMWARE_BUCKET`.
    pub firmware_bucket: String,
    /// `FILES_KEY`.
    pub files_key: String,
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `CONDUCTOR_QUEUE_URL`: where the conductor hears of a rollout.
    pub queue_url: String,
    /// `PROGRESS_QUEUE_URL`: its own queue.
    pub own_queue_url: String,
    /// `DEAD_LETTERS_URL`.
    pub dead_letters_url: String,
}

impl IntakeConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            firmware_table: environment.text("FIRMWARE_TABLE"),
            firmware_bucket: environment.text("FIRMWARE_BUCKET"),
            files_key: environment.text("FILES_KEY"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
        };
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
            firmware_table: environment.text("FIRMWARE_TABLE"),
            firmware_key: environment.text("FIRMWARE_KEY"),
            queue_url: environment.text("CONDUCTOR_QUEUE_URL"),
            groups_table: environment.text("GROUPS_TABLE"),
            http_table: environment.text("HTTP_TABLE"),
            four_eyes: environment.choice("FOUR_EYES", ("on", true), &[("off", false)]),
        };
        environment.finish(config)
    }
}

impl ConductorConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            firmware_table: environment.text("FIRMWARE_TABLE"),
            firmware_bucket: environment.text("FIRMWARE_BUCKET"),
            firmware_key: environment.text("FIRMWARE_KEY"),
            twins_table: environment.text("TWINS_TABLE"),
            queue_url: environment.text("CONDUCTOR_QUEUE_URL"),
            url_role: environment.text("URL_ROLE"),
            things_table: environment.text("THINGS_TABLE"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
        };
        environment.finish(config)
    }
}

impl ProgressConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            firmware_table: environment.text("FIRMWARE_TABLE"),
            firmware_bucket: environment.text("FIRMWARE_BUCKET"),
            files_key: environment.text("FILES_KEY"),
            things_table: environment.text("THINGS_TABLE"),
            queue_url: environment.text("CONDUCTOR_QUEUE_URL"),
            own_queue_url: environment.text("PROGRESS_QUEUE_URL"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
        };
        environment.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_variable_is_named_at_once() {
        let none = |_: &str| None;
        assert_eq!(IntakeConfig::from_lookup(&none).unwrap_err().problems.len(), 4);
        assert_eq!(ApiConfig::from_lookup(&none).unwrap_err().problems.len(), 5);
        assert_eq!(ConductorConfig::from_lookup(&none).unwrap_err().problems.len(), 8);
        assert_eq!(ProgressConfig::from_lookup(&none).unwrap_err().problems.len(), 7);
        let wrong = |name: &str| Some(if name == "FOUR_EYES" { "two" } else { "x" }.to_owned());
        assert_eq!(ApiConfig::from_lookup(&wrong).unwrap_err().problems.len(), 1);
    }

    #[test]
    fn four_eyes_look_unless_told_otherwise() {
        let with = |word: Option<&'static str>| {
            let lookup = |name: &str| if name == "FOUR_EYES" { word.map(str::to_owned) } else { Some("x".to_owned()) };
            ApiConfig::from_lookup(&lookup).unwrap().four_eyes
        };
        assert_eq!([with(None), with(Some("on")), with(Some("off"))], [true, true, false]);
    }
}
