use std::error::Error;
use std::io;

use aws_sdk_iotdataplane::error::SdkError;
use aws_sdk_iotdataplane::operation::send_direct_message::SendDirectMessageError;
use loam_runtime::{Class, sdk_class};

/// What became of a message on its way to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The device acknowledged it.
    Confirmed,
    /// It did not in time, or nobody knows: it may have it.
    Unknown,
    /// It is not connected.
    NotConnected,
    /// A policy forbids it: the device's, or the sender's role.
    Forbidden,
    /// Too many.
    Throttled,
    /// Too large.
    TooLarge,
    /// It never left us.
    NotSent,
}

impl Delivery {
    /// What AWS's answer says of the message. What is a mistake of ours, of a policy or of the network is logged.
    pub(crate) fn refused(error: &SdkError<SendDirectMessageError>) -> Self {
        let delivery = delivery(error);
        if matches!(delivery, Self::Forbidden | Self::NotSent) || !matches!(error, SdkError::ServiceError(_)) {
            let chain = chain(error);
            let class = sdk_class(error).as_str();
            tracing::warn!(code = "direct-message", class, error = chain, "request not sent");
        }
        delivery
    }
}

/// What each answer of AWS says of the message. Whatever may have reached the device counts as not known.
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
