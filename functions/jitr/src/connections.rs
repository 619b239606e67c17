//! The devices' connections. Source: AWS IoT data plane API reference, `GetConnection`, `DeleteConnection`: one call a
//! second for each client, and 100 for the account.

use aws_config::SdkConfig;
use aws_sdk_iotdataplane::operation::delete_connection::DeleteConnectionError;
use aws_sdk_iotdataplane::operation::get_connection::GetConnectionError;
use loam_domain::ThingName;

use crate::error::{Call, JitrFailure};

/// The connections of the account and region.
#[derive(Debug, Clone)]
pub struct Connections {
    client: aws_sdk_iotdataplane::Client,
}

impl Connections {
    /// The connections.
    #[must_use]
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: aws_sdk_iotdataplane::Client::new(sdk) }
    }

    /// Whether the thing is connected: `connected: false` (for half an hour after a disconnect) and 404 (later, or never)
    /// both mean that it is not.
    ///
    /// # Errors
    /// [`Call::GetConnection`]; throttling among them: then it is not known.
    pub async fn is_connected(&self, thing: &ThingName) -> Result<bool, JitrFailure> {
        let answer = self.client.get_connection().client_id(thing.as_str()).send().await;
        match answer {
            Ok(answer) => Ok(answer.connected),
            Err(error) => match error.as_service_error() {
                Some(GetConnectionError::ResourceNotFoundException(_)) => Ok(false),
                _ => Err(JitrFailure::call(Call::GetConnection, error)),
            },
        }
    }

    /// Disconnects the thing, without a session to come back to and without its last will; 404 is success.
    ///
    /// # Errors
    /// [`Call::DeleteConnection`].
    pub async fn close(&self, thing: &ThingName) -> Result<(), JitrFailure> {
        let request = self.client.delete_connection().client_id(thing.as_str());
        match request.clean_session(true).prevent_will_message(true).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteConnectionError::ResourceNotFoundException(_)) => Ok(()),
                _ => Err(JitrFailure::call(Call::DeleteConnection, error)),
            },
        }
    }
}
