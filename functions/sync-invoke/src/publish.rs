use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_iotdataplane::Client;
use aws_sdk_iotdataplane::config::retry::RetryConfig;
use aws_sdk_iotdataplane::error::SdkError;
use aws_sdk_iotdataplane::operation::get_connection::GetConnectionError;
use aws_sdk_iotdataplane::operation::publish::PublishError;
use aws_sdk_iotdataplane::primitives::Blob;
use aws_sdk_iotdataplane::types::PayloadFormatIndicator;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use loam_runtime::{Class, sdk_class};

use crate::{Delivery, Target};

/// Sends requests as MQTT messages, for regions without Direct Messaging: the device must subscribe to `{thing}/#`, and
/// nothing tells that it has a request but its answer.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    client: Client,
}

impl Publisher {
    /// Never tries again by itself, as [`crate::direct::Direct`].
    pub(crate) fn new(sdk: &SdkConfig) -> Self {
        let config = aws_sdk_iotdataplane::config::Builder::from(sdk).retry_config(RetryConfig::disabled()).build();
        Self { client: Client::from_conf(config) }
    }

    /// Publishes the call `id`, wrapped as `payload`, such that the broker drops it after `left`: a device that comes back
    /// later never runs it. Side by side it asks whether the device is connected.
    pub(crate) async fn send(&self, target: &Target, id: &str, payload: String, left: Duration) -> Delivery {
        let message = self.client.publish().topic(target.request_topic(id)).qos(1);
        let message = message
            .response_topic(target.answer_topic(id))
            .correlation_data(BASE64_STANDARD.encode(id))
            .content_type("application/json")
            .payload_format_indicator(PayloadFormatIndicator::Utf8Data)
            .message_expiry(i64::try_from(left.as_secs().max(1)).unwrap_or(i64::MAX))
            .payload(Blob::new(payload));
        let connection = self.client.get_connection().client_id(target.thing().as_str());
        let (published, connected) = tokio::join!(message.send(), connection.send());
        match published {
            Err(error) => refused(&error),
            // The rate of asking is one a second and device: more often nothing is known, and the answer is awaited.
            Ok(_) => match connected {
                Ok(connection) if !connection.connected() => Delivery::NotConnected,
                Err(error) if is_unknown_client(&error) => Delivery::NotConnected,
                Ok(_) | Err(_) => Delivery::Unknown,
            },
        }
    }
}

fn refused(error: &SdkError<PublishError>) -> Delivery {
    match sdk_class(error) {
        Class::Throttled => Delivery::Throttled,
        Class::Forbidden => Delivery::Forbidden,
        Class::Unavailable | Class::Internal | Class::BadInput | Class::NotFound | Class::Conflict => Delivery::NotSent,
    }
}

fn is_unknown_client(error: &SdkError<GetConnectionError>) -> bool {
    error.as_service_error().is_some_and(GetConnectionError::is_resource_not_found_exception)
}
