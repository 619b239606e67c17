use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_iotdataplane::Client;
use aws_sdk_iotdataplane::config::retry::RetryConfig;
use aws_sdk_iotdataplane::primitives::Blob;
use aws_sdk_iotdataplane::types::PayloadFormatIndicator;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use loam_domain::ThingName;

use crate::Delivery;

/// The longest wait for a PUBACK that AWS IoT takes, in seconds; the shortest is one.
pub const LONGEST_CONFIRMATION_SECONDS: u64 = 15;

/// AWS IoT waits 15 s for a PUBACK at most, and may take longer to say so.
const LONGEST: Duration = Duration::from_secs(25);
const CONNECT: Duration = Duration::from_secs(2);
/// For how long a connection that is not used is kept. One that ended while the environment was frozen looks alive, and
/// a request that is lost with it cannot be sent again: nobody knows whether the device has it.
const IDLE: Duration = Duration::from_secs(15);

/// Sends messages by IoT Core's Direct Messaging: to a device's client id, with its PUBACK as the evidence.
#[derive(Debug, Clone)]
pub struct Messenger {
    client: Client,
}

/// A message to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// To whom: its name is its client id.
    pub to: &'a ThingName,
    /// The topic on which the device gets it.
    pub topic: String,
    /// JSON, at most 128 KB.
    pub payload: String,
    /// Where an answer is awaited, for devices that speak MQTT 5.
    pub answer: Option<Answer<'a>>,
}

/// Where an answer is awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The topic.
    pub topic: String,
    /// What the answer is to carry.
    pub correlation: &'a str,
}

impl Messenger {
    /// Never tries again by itself: that would run a command twice. Sends to `host`, or where there is none to the region's
    /// own; unless the configuration names an endpoint for all services.
    #[must_use]
    pub fn new(sdk: &SdkConfig, host: Option<&str>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(LONGEST)
            .operation_timeout(LONGEST)
            .build();
        let http =
            Builder::new().pool_idle_timeout(IDLE).tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_sdk_iotdataplane::config::Builder::from(sdk).http_client(http);
        let config = config.retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        let host = host.filter(|_| sdk.endpoint_url().is_none());
        let config = match host {
            Some(host) => config.endpoint_url(format!("https://{host}")),
            None => config,
        };
        Self { client: Client::from_conf(config.build()) }
    }

    /// Sends `message`, and waits for the device's PUBACK: 15 s or `left` at most, whole seconds, one at least.
    pub async fn send(&self, message: Message<'_>, left: Duration) -> Delivery {
        let request = self.client.send_direct_message().client_id(message.to.as_str()).topic(message.topic);
        let request = match message.answer {
            Some(answer) => {
                request.response_topic(answer.topic).correlation_data(BASE64_STANDARD.encode(answer.correlation))
            }
            None => request,
        };
        let sent = request
            .content_type("application/json")
            .payload_format_indicator(PayloadFormatIndicator::Utf8Data)
            .confirmation(true)
            .timeout(confirmation_seconds(left))
            .payload(Blob::new(message.payload))
            .send()
            .await;
        sent.map_or_else(|error| Delivery::refused(&error), |_| Delivery::Confirmed)
    }
}

/// For how many seconds AWS IoT waits for the device's PUBACK when `left` is what is left of the call.
fn confirmation_seconds(left: Duration) -> i32 {
    i32::try_from(left.as_secs().clamp(1, LONGEST_CONFIRMATION_SECONDS)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_takes_one_to_fifteen_whole_seconds() {
        let seconds = |millis| confirmation_seconds(Duration::from_millis(millis));
        assert_eq!((seconds(0), seconds(999), seconds(1_000), seconds(1_999), seconds(2_000)), (1, 1, 1, 1, 2));
        assert_eq!((seconds(14_999), seconds(15_000), seconds(15_999), seconds(28_000)), (14, 15, 15, 15));
    }
}
