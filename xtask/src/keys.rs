//! The local AWS's keys, and the environment of everything that talks to it.

use std::process::Command;

use serde::{Deserialize, Serialize};

/// The region that the local AWS plays.
pub(crate) const REGION: &str = "us-east-1";

/// An access key of the local AWS. Without `Debug`: it belongs in no message.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Keys {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

impl Keys {
    /// The root key, good for nothing but making the first user.
    pub(crate) fn root() -> Self {
        Self { access_key_id: "test".into(), secret_access_key: "test".into() }
    }

    /// Points `command` at the local AWS and at nothing else.
    pub(crate) fn give_to(&self, command: &mut Command, endpoint: &str) {
        hide_the_persons_own(command);
        command
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret_access_key)
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION);
    }
}

/// Whatever the person's environment and files say about AWS is out of `command`'s reach, so that no run here can touch
/// an account.
pub(crate) fn hide_the_persons_own(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(&name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_for_the_local_aws_sees_no_profile_of_the_person() {
        let mut command = Command::new("true");
        Keys::root().give_to(&mut command, "http://127.0.0.1:1");
        let value = |name: &str| {
            let found = command.get_envs().find(|(key, _)| *key == name);
            found.and_then(|(_, value)| value).map(|value| value.to_string_lossy().into_owned())
        };
        assert_eq!(value("AWS_CONFIG_FILE").as_deref(), Some("/dev/null"));
        assert_eq!(value("AWS_SHARED_CREDENTIALS_FILE").as_deref(), Some("/dev/null"));
        assert_eq!(value("AWS_ENDPOINT_URL").as_deref(), Some("http://127.0.0.1:1"));
    }
}
