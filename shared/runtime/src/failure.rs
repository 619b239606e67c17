use std::error::Error;
use std::fmt::Write as _;

use lambda_runtime::Diagnostic;

/// What kind of failure it is: decides who tries again, and how an HTTP caller hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The event can never succeed.
    BadInput,
    /// What it names does not exist.
    NotFound,
    /// Another writer was faster, more often than we tried again.
    Conflict,
    /// AWS denied the call: the role or a resource's policy is wrong.
    Forbidden,
    /// AWS asked us to slow down.
    Throttled,
    /// A service could not be reached, did not answer in time or answered 5xx.
    Unavailable,
    /// A mistake of ours.
    Internal,
}

impl Class {
    /// The class as it stands in logs and metrics, for example `throttled`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadInput => "bad-input",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::Forbidden => "forbidden",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// A function's failures: one enum per function, whose `Display` tells its own layer only.
pub trait Failure: Error {
    /// Its class; an exhaustive match.
    fn class(&self) -> Class;

    /// A stable word for machines: alarms, dashboards and the replay command read it. Never derived from a type's name.
    fn code(&self) -> &'static str;
}

/// What Lambda is told: the code as `errorType`, the chain of causes as `errorMessage`.
#[must_use]
pub fn diagnostic(failure: &impl Failure) -> Diagnostic {
    Diagnostic { error_type: failure.code().to_owned(), error_message: chain(failure) }
}

/// The failure and its causes in one line, each layer saying its own; a layer that only repeats the one above (as the
/// SDK's do) is left out.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let layer = error.to_string();
        if !text.ends_with(&layer) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {layer}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the notice was not sent")]
    struct Outer(#[source] std::io::Error);

    impl Failure for Outer {
        fn class(&self) -> Class {
            Class::Unavailable
        }
        fn code(&self) -> &'static str {
            "notice-not-sent"
        }
    }

    #[test]
    fn lambda_is_told_the_code_and_every_cause_once() {
        let diagnostic = diagnostic(&Outer(std::io::Error::other("connection reset")));
        assert_eq!(diagnostic.error_type, "notice-not-sent");
        assert_eq!(diagnostic.error_message, "the notice was not sent: connection reset");
    }

    #[test]
    fn a_layer_that_repeats_its_cause_is_told_once() {
        let repeating = std::io::Error::other(std::io::Error::other("connection reset"));
        assert_eq!(chain(&Outer(repeating)), "the notice was not sent: connection reset");
    }
}
