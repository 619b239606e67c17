use loam_runtime::{ConfigError, Environment};

/// What the route for credentials needs of the function's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsConfig {
    /// `PAIRINGS_TABLE`: where is remembered who listens.
    pub pairings_table: String,
    /// `IDENTITY_POOL`: the id of the identity pool.
    pub identity_pool: String,
    /// `IDENTITY_PROVIDER`: the user pool as the identity pool calls it, `cognito-idp.{region}.amazonaws.com/{pool}`.
    pub identity_provider: String,
    /// `APP_POLICY`: the AWS IoT policy of every identity.
    pub app_policy: String,
    /// `IOT_ENDPOINT`: host name of the broker, as apps are told.
    pub iot_endpoint: String,
}

impl CredentialsConfig {
    /// Reads its part of the environment; what is missing or wrong is told when that is finished.
    #[must_use]
    pub fn read(environment: &mut Environment<'_>) -> Self {
        Self {
            pairings_table: environment.text("PAIRINGS_TABLE"),
            identity_pool: environment.text("IDENTITY_POOL"),
            identity_provider: environment.text("IDENTITY_PROVIDER"),
            app_policy: environment.text("APP_POLICY"),
            iot_endpoint: environment.text("IOT_ENDPOINT"),
        }
    }

    /// Reads the function's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let config = Self::read(&mut environment);
        environment.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_variable_is_named() {
        assert_eq!(CredentialsConfig::from_lookup(&|_| None).unwrap_err().problems.len(), 5);
    }
}
