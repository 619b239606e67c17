use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::Class;

/// What every SDK client is made from: region, credentials and endpoint from the standard environment, one HTTPS client
/// on rustls with ring for all of them.
///
/// An attempt is given up after 5 s, and a call (three attempts at most) after 12 s, so that a handler that makes a few
/// calls meets its deadline with an error of ours and not with a killed environment.
pub async fn sdk_config() -> SdkConfig {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(12))
        .build();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(timeouts).load().await
}

/// The class of a failed SDK call, by its error's code and status (never by its text), for what the caller's own match on
/// the operation's errors leaves over.
#[must_use]
pub fn sdk_class<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> Class {
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => Class::Unavailable,
        SdkError::ServiceError(context) => {
            service_class(context.err().meta().code().unwrap_or_default(), context.raw().status().as_u16())
        }
        SdkError::ConstructionFailure(_) | _ => Class::Internal,
    }
}

/// The class of a cancelled transaction, by the code of the reason that its caller does not deal with itself.
///
/// Source: DynamoDB API reference, `TransactWriteItems`, "Cancellation reason codes".
#[must_use]
pub fn cancelled_class(reason: &str) -> Class {
    match reason {
        "ProvisionedThroughputExceeded" | "ThrottlingError" => Class::Throttled,
        "ConditionalCheckFailed" | "TransactionConflict" => Class::Conflict,
        _ => Class::Internal,
    }
}

/// Codes: each service's API reference, "Common Errors" and the operations' own lists. AWS IoT has words of its own, and
/// statuses that say less: 401 for what a role may not do, 410 for a limit, 409 for a rival.
fn service_class(code: &str, status: u16) -> Class {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "KMSThrottling"
        | "KMSThrottlingException"
        | "SlowDown" => Class::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "UnauthorizedException"
        | "ForbiddenException" => Class::Forbidden,
        "ConditionalCheckFailedException"
        | "TransactionConflictException"
        | "ConflictException"
        | "VersionConflictException"
        | "DeleteConflictException" => Class::Conflict,
        "ResourceNotFoundException" | "NotFound" | "NotFoundException" | "QueueDoesNotExist" => Class::NotFound,
        _ if status == 429 => Class::Throttled,
        _ if status >= 500 => Class::Unavailable,
        _ => Class::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_is_told_by_code_whatever_the_status() {
        assert_eq!(service_class("ThrottlingException", 400), Class::Throttled);
        assert_eq!(service_class("ProvisionedThroughputExceededException", 400), Class::Throttled);
        assert_eq!(service_class("", 429), Class::Throttled);
    }

    #[test]
    fn the_words_of_aws_iot_have_their_class() {
        assert_eq!(service_class("UnauthorizedException", 401), Class::Forbidden);
        assert_eq!(service_class("ForbiddenException", 403), Class::Forbidden);
        assert_eq!(service_class("LimitExceededException", 410), Class::Throttled);
        for code in ["ConflictException", "VersionConflictException", "DeleteConflictException"] {
            assert_eq!(service_class(code, 409), Class::Conflict, "{code}");
        }
        assert_eq!(service_class("InternalFailureException", 500), Class::Unavailable);
    }

    #[test]
    fn a_cancelled_transaction_is_throttling_a_rival_or_a_mistake_of_ours() {
        for reason in ["ThrottlingError", "ProvisionedThroughputExceeded"] {
            assert_eq!(cancelled_class(reason), Class::Throttled, "{reason}");
        }
        for reason in ["ConditionalCheckFailed", "TransactionConflict"] {
            assert_eq!(cancelled_class(reason), Class::Conflict, "{reason}");
        }
        for reason in ["ValidationError", "ItemCollectionSizeLimitExceeded", "no reason", ""] {
            assert_eq!(cancelled_class(reason), Class::Internal, "{reason}");
        }
    }

    #[test]
    fn an_unknown_code_is_judged_by_its_status() {
        assert_eq!(service_class("InternalFailure", 500), Class::Unavailable);
        assert_eq!(service_class("SomethingNew", 400), Class::Internal);
    }
}
