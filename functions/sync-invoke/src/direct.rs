use std::error::Error;
use std::io;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_iotdataplane::Client;
use aws_sdk_iotdataplane::config::retry::RetryConfig;
use aws_sdk_iotdataplane::error::SdkError;
use aws_sdk_iotdataplane::operation::send_direct_message::SendDirectMessageError;
use aws_sdk_iotdataplane::primitives::Blob;
use aws_sdk_iotdataplane::types::PayloadFormatIndicator;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use loam_runtime::{Class, sdk_class};

use crate::deadline::confirmation_seconds;
use crate::{Delivery, Target};

/// AWS IoT waits 15 s for a PUBACK at most, and may take longer to say so.
const LONGEST: Duration = Duration::from_secs(25);
const CONNECT: Duration = Duration::from_secs(2);
/// For how long a connection that is not used is kept. One that ended while the environment was frozen looks alive, and
/// a request that is lost with it cannot be sent again: nobody knows whether the device has it.
const IDLE: Duration = Duration::from_secs(15);

/// Sends requests by IoT Core's Direct Messaging: to the device's client id, with its PUBACK as the evidence.
#[derive(Debug, Clone)]
pub(crate) struct Direct {
    client: Client,
}

impl Direct {
    /// Never tries again by itself: that would run a method twice. Sends to `host`, unless the configuration names an
    /// endpoint for all services.
    #[must_use]
    pub(crate) fn new(sdk: &SdkConfig, host: &str) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(LONGEST)
            .operation_timeout(LONGEST)
            .build();
        let http =
            Builder::new().pool_idle_timeout(IDLE).tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_sdk_iotdataplane::config::Builder::from(sdk).http_client(http);
        let config = config.retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        let config = if sdk.endpoint_url().is_none() { config.endpoint_url(format!("https://{host}")) } else { config };
        Self { client: Client::from_conf(config.build()) }
    }

    /// Sends the call `id`, wrapped as `payload`, and waits for the device's PUBACK, 15 s or `left` at most.
    pub(crate) async fn send(&self, target: &Target, id: &str, payload: String, left: Duration) -> Delivery {
        let message = self.client.send_direct_message().client_id(target.thing().as_str());
        let sent = message
            .topic(target.request_topic(id))
            .response_topic(target.answer_topic(id))
            .correlation_data(BASE64_STANDARD.encode(id))
            .content_type("application/json")
            .payload_format_indicator(PayloadFormatIndicator::Utf8Data)
            .confirmation(true)
            .timeout(confirmation_seconds(left))
            .payload(Blob::new(payload))
            .send()
            .await;
        sent.map_or_else(|error| refused(&error), |_| Delivery::Confirmed)
    }
}

fn refused(error: &SdkError<SendDirectMessageError>) -> Delivery {
    let delivery = delivery(error);
    if matches!(delivery, Delivery::Forbidden | Delivery::NotSent) || !matches!(error, SdkError::ServiceError(_)) {
        let chain = chain(error);
        tracing::warn!(code = "direct-message", class = sdk_class(error).as_str(), error = chain, "request not sent");
    }
    delivery
}

/// What each answer of AWS says of the request. Whatever may have reached the device counts as not known.
#[expect(clippy::wildcard_enum_match_arm, reason = "both enums are the SDK's, and open")]
fn delivery(error: &SdkError<SendDirectMessageError>) -> Delivery {
    use SendDirectMessageError as E;
    match error {
        SdkError::ServiceError(context) => match context.err() {
            E::ResourceNotFoundException(_) => Delivery::NotConnected,
            E::ForbiddenException(_) | E::UnauthorizedException(_) => Delivery::Forbidden,
            E::ThrottlingException(_) => Delivery::Throttled,
            E::RequestEntityTooLargeException(_) => Delivery::TooLarge,
            E::InvalidRequestException(_) => Delivery::NotSent,
            E::GatewayTimeoutException(_) | E::InternalFailureException(_) => Delivery::Unknown,
            _ if sdk_class(error) == Class::Throttled => Delivery::Throttled,
            _ => Delivery::Unknown,
        },
        SdkError::ConstructionFailure(_) => Delivery::NotSent,
        SdkError::DispatchFailure(_) if is_refused(error) => Delivery::NotSent,
        _ => Delivery::Unknown,
    }
}

/// Whether nobody took the connection, so that nothing was sent.
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    causes(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use aws_sdk_iotdataplane::types::error;

    use super::*;

    fn of(error: SendDirectMessageError, status: u16) -> Delivery {
        let raw = aws_smithy_runtime_api::http::Response::new(status.try_into().unwrap(), Vec::new().into());
        delivery(&SdkError::service_error(error, raw))
    }

    #[test]
    fn each_status_of_direct_messaging_says_what_became_of_the_request() {
        use SendDirectMessageError as E;
        let message = "any text";
        let not_found = error::ResourceNotFoundException::builder().message(message).build();
        assert_eq!(of(E::ResourceNotFoundException(not_found), 404), Delivery::NotConnected);
        let forbidden = error::ForbiddenException::builder().message(message).build();
        assert_eq!(of(E::ForbiddenException(forbidden), 403), Delivery::Forbidden);
        let throttled = error::ThrottlingException::builder().message(message).build();
        assert_eq!(of(E::ThrottlingException(throttled), 429), Delivery::Throttled);
        let large = error::RequestEntityTooLargeException::builder().message(message).build();
        assert_eq!(of(E::RequestEntityTooLargeException(large), 413), Delivery::TooLarge);
        let invalid = error::InvalidRequestException::builder().message(message).build();
        assert_eq!(of(E::InvalidRequestException(invalid), 400), Delivery::NotSent);
        let silent = error::GatewayTimeoutException::builder().message(message).build();
        assert_eq!(of(E::GatewayTimeoutException(silent), 504), Delivery::Unknown);
        let internal = error::InternalFailureException::builder().message(message).build();
        assert_eq!(of(E::InternalFailureException(internal), 500), Delivery::Unknown);
    }

    #[test]
    fn a_connection_that_nobody_took_sent_nothing() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(is_refused(&refused));
        assert!(!is_refused(&io::Error::from(io::ErrorKind::BrokenPipe)));
    }
}
