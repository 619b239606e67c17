use loam_runtime::{ConfigError, Environment};

/// The configuration of the HTTP routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// `COMMANDS_TABLE`: commands.
    pub commands_table: String,
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `MEMBERSHIPS_TABLE`: who may do what to which thing.
    pub memberships_table: String,
    /// `HTTP_TABLE`: the key of cursors, and answers to requests with an Idempotency-Key.
    pub http_table: String,
    /// `COMMANDS_QUEUE_URL`: where orders for many things go on.
    pub queue_url: String,
}

/// The configuration of the queue's function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `COMMANDS_TABLE`: commands.
    pub commands_table: String,
    /// `THINGS_TABLE`: the thing records.
    pub things_table: String,
    /// `MEMBERSHIPS_TABLE`: who may do what to which thing.
    pub memberships_table: String,
    /// `PAIRINGS_TABLE`: whose identity an app's is.
    pub pairings_table: String,
    /// `TWINS_TABLE`: what filters read of things.
    pub twins_table: String,
    /// `COMMANDS_QUEUE_URL`: the function's own queue.
    pub queue_url: String,
    /// `DEAD_LETTERS_URL`: where refused messages are kept.
    pub dead_letters_url: String,
}

/// The configuration of the sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepConfig {
    /// `COMMANDS_TABLE`: commands.
    pub commands_table: String,
}

impl ApiConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self {
            commands_table: environment.text("COMMANDS_TABLE"),
            things_table: environment.text("THINGS_TABLE"),
            memberships_table: environment.text("MEMBERSHIPS_TABLE"),
            http_table: environment.text("HTTP_TABLE"),
            queue_url: environment.text("COMMANDS_QUEUE_URL"),
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
            commands_table: environment.text("COMMANDS_TABLE"),
            things_table: environment.text("THINGS_TABLE"),
            memberships_table: environment.text("MEMBERSHIPS_TABLE"),
            pairings_table: environment.text("PAIRINGS_TABLE"),
            twins_table: environment.text("TWINS_TABLE"),
            queue_url: environment.text("COMMANDS_QUEUE_URL"),
            dead_letters_url: environment.text("DEAD_LETTERS_URL"),
        };
        environment.finish(config)
    }
}

impl SweepConfig {
    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self { commands_table: environment.text("COMMANDS_TABLE") };
        environment.finish(config)
    }
}
