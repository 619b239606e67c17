use axum::http::StatusCode;
use loam_runtime::{ConfigError, Environment};

use crate::Prefix;
use crate::session::Address;

/// How the function is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `WSS_ENDPOINT`: host name of the IoT data endpoint.
    pub address: Address,
    /// `CLIENT_ID_PREFIX`: first part of our client ids, and first level of the topics of answers.
    pub prefix: Prefix,
    /// `INVOKE_TIMEOUT_STATUS`: the status of a timeout on `GET /invoke`, 500 as published, or 504.
    pub timeout_status: StatusCode,
    /// `INVOKE_DELIVERY`: how requests go out.
    pub delivery: DeliveryMode,
    /// `THINGS_TABLE`: records of the things.
    pub things_table: String,
    /// `MEMBERSHIPS_TABLE`: who may do what.
    pub memberships_table: String,
    /// `HTTP_TABLE`: answers to requests with an Idempotency-Key.
    pub http_table: String,
}

/// How requests go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryMode {
    /// By Direct Messaging: to the client id, acknowledged by the device.
    Direct,
    /// As a message on the topic, for regions without Direct Messaging.
    Publish,
}

impl Config {
    /// Reads the environment through `lookup`.
    ///
    /// # Errors
    /// Every variable that is missing or wrong, at once.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(lookup);
        let (host, prefix) = (environment.text("WSS_ENDPOINT"), environment.text("CLIENT_ID_PREFIX"));
        let status = ("500", StatusCode::INTERNAL_SERVER_ERROR);
        let timeout_status =
            environment.choice("INVOKE_TIMEOUT_STATUS", status, &[("504", StatusCode::GATEWAY_TIMEOUT)]);
        let delivery = environment.choice(
            "INVOKE_DELIVERY",
            ("direct", DeliveryMode::Direct),
            &[("publish", DeliveryMode::Publish)],
        );
        let tables = ["THINGS_TABLE", "MEMBERSHIPS_TABLE", "HTTP_TABLE"].map(|name| environment.text(name));
        environment.finish(())?;
        let problem = |problem: String| ConfigError { problems: vec![problem] };
        let address = Address::new(&host).map_err(problem)?;
        let expected = "expected 1 to 32 characters of [A-Za-z0-9:_-]";
        let prefix =
            Prefix::parse(&prefix).ok_or_else(|| problem(format!("CLIENT_ID_PREFIX is {prefix:?}, {expected}")))?;
        let [things_table, memberships_table, http_table] = tables;
        Ok(Self { address, prefix, timeout_status, delivery, things_table, memberships_table, http_table })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let defaults = [
            ("WSS_ENDPOINT", "data-ats.iot.eu-west-1.amazonaws.com"),
            ("CLIENT_ID_PREFIX", "loam-invoke"),
            ("THINGS_TABLE", "t"),
            ("MEMBERSHIPS_TABLE", "m"),
            ("HTTP_TABLE", "h"),
        ];
        let all = changes.iter().copied().chain(defaults);
        let all: Vec<(String, String)> = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Config::from_lookup(&move |name| all.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn a_timeout_is_500_and_requests_go_directly_unless_told_otherwise() {
        let config = read(&[]).unwrap();
        assert_eq!((config.timeout_status.as_u16(), config.delivery), (500, DeliveryMode::Direct));
        let config = read(&[("INVOKE_TIMEOUT_STATUS", "504"), ("INVOKE_DELIVERY", "publish")]).unwrap();
        assert_eq!((config.timeout_status.as_u16(), config.delivery), (504, DeliveryMode::Publish));
    }

    #[test]
    fn what_is_no_host_no_prefix_or_no_status_is_named() {
        for (name, value) in
            [("WSS_ENDPOINT", "wss://x"), ("CLIENT_ID_PREFIX", "a/b"), ("INVOKE_TIMEOUT_STATUS", "503")]
        {
            let problems = read(&[(name, value)]).unwrap_err().problems;
            assert!(problems[0].starts_with(name), "{problems:?}");
        }
        assert_eq!(read(&[("WSS_ENDPOINT", ""), ("HTTP_TABLE", "")]).unwrap_err().problems.len(), 2);
    }
}
