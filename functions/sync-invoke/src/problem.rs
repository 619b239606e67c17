//! What `/v1` tells a caller.

use std::ops::RangeInclusive;
use std::time::Duration;

use axum::http::StatusCode;
use loam_http::{Mistake, Problem};

use crate::{Answer, BadTarget, Outcome};

/// Why a call has no answer to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Target(BadTarget),
    NotConnected,
    DevicePolicy,
    Throttled,
    TooLarge,
    Malformed,
    NoDelivery,
    NoAnswer,
    Unavailable,
}

impl From<BadTarget> for Why {
    fn from(bad: BadTarget) -> Self {
        Self::Target(bad)
    }
}

/// What the device answered, or why there is nothing to give.
pub(crate) fn answer_of(outcome: Outcome) -> Result<Answer, Why> {
    match outcome {
        Outcome::Answered(answer) => Ok(answer),
        Outcome::NotConnected => Err(Why::NotConnected),
        Outcome::DevicePolicy => Err(Why::DevicePolicy),
        Outcome::Throttled => Err(Why::Throttled),
        Outcome::TooLarge => Err(Why::TooLarge),
        Outcome::NoDelivery => Err(Why::NoDelivery),
        Outcome::NoAnswer => Err(Why::NoAnswer),
        Outcome::Unavailable => Err(Why::Unavailable),
        Outcome::Malformed => Err(Why::Malformed),
    }
}

/// The problem with its status and its stable code.
pub(crate) fn problem(why: &Why) -> Problem {
    let (status, code, detail) = match why {
        Why::Target(bad) => return Problem::bad_request(bad.code(), bad.to_string()),
        Why::NotConnected => {
            (StatusCode::NOT_FOUND, "device_not_connected", "the device is not connected; it did not get the request")
        }
        Why::DevicePolicy => (
            StatusCode::BAD_GATEWAY,
            "device_policy",
            "AWS IoT refused the request: the device's policy does not let it receive calls, or the stack's role may not send them",
        ),
        Why::Throttled => (
            StatusCode::TOO_MANY_REQUESTS,
            "throttled",
            "too many requests to this device or in this account; the device did not get it, try again in a moment",
        ),
        Why::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "the request is too large: wrapped, with what JSON escapes, AWS IoT takes 128 KB",
        ),
        Why::Malformed => (
            StatusCode::BAD_GATEWAY,
            "malformed_reply",
            "the device answered something else than {\"id\", \"response\"}",
        ),
        Why::NoDelivery => (
            StatusCode::GATEWAY_TIMEOUT,
            "no_delivery",
            "the device did not acknowledge the request in time; it may have it or not",
        ),
        Why::NoAnswer => {
            (StatusCode::GATEWAY_TIMEOUT, "no_answer", "the device has the request and did not answer in time")
        }
        Why::Unavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the request could not be sent; try again in a moment")
        }
    };
    Problem::new(status, code, detail)
}

/// Who may not know of a thing hears the same as where there is none.
pub(crate) fn access(problem: Problem) -> Problem {
    if problem.code() == Problem::no_such_thing().code() {
        return Problem::not_found("device_not_found", "there is no such device");
    }
    problem
}

/// A number of seconds within `range`; its field is told by a JSON pointer.
pub(crate) fn seconds(pointer: &'static str, value: u64, range: RangeInclusive<u64>) -> Result<Duration, Problem> {
    if range.contains(&value) {
        return Ok(Duration::from_secs(value));
    }
    let detail = format!("expected {} to {} seconds", range.start(), range.end());
    Err(Problem::bad_request("invalid-body", "the body is not as expected")
        .with_mistakes([Mistake::at(pointer, detail)]))
}

pub(crate) fn two_payloads() -> Problem {
    let mistake = Mistake::at("/payloadBase64", "send payload or payloadBase64, not both");
    Problem::bad_request("invalid-body", "the body is not as expected").with_mistakes([mistake])
}

pub(crate) fn no_base64() -> Problem {
    let mistake = Mistake::at("/payloadBase64", "expected base64 with its padding (RFC 4648, section 4)");
    Problem::bad_request("invalid-base64", "the payload is no base64").with_mistakes([mistake])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_end_has_its_status_and_its_code() {
        let told = |why: Why| {
            let problem = problem(&why);
            (problem.status().as_u16(), problem.code())
        };
        assert_eq!(told(Why::NotConnected), (404, "device_not_connected"));
        assert_eq!(told(Why::DevicePolicy), (502, "device_policy"));
        assert_eq!(told(Why::Malformed), (502, "malformed_reply"));
        assert_eq!(told(Why::NoDelivery), (504, "no_delivery"));
        assert_eq!(told(Why::NoAnswer), (504, "no_answer"));
        assert_eq!(told(Why::Throttled), (429, "throttled"));
        assert_eq!(told(Why::TooLarge), (413, "payload_too_large"));
        assert_eq!(told(Why::Unavailable), (503, "unavailable"));
        assert_eq!(told(Why::Target(BadTarget::Method)), (400, "invalid-method-name"));
    }

    #[test]
    fn seconds_at_the_edge_are_taken_and_beyond_it_named() {
        assert_eq!(seconds("/x", 25, 1..=25).unwrap().as_secs(), 25);
        assert_eq!(seconds("/x", 26, 1..=25).unwrap_err().mistakes()[0].pointer.as_deref(), Some("/x"));
        assert!(seconds("/x", 0, 1..=25).is_err() && seconds("/x", 0, 0..=25).is_ok());
    }

    #[test]
    fn a_thing_that_one_may_not_know_of_is_a_device_that_is_not_found() {
        assert_eq!(access(Problem::no_such_thing()).code(), "device_not_found");
        assert_eq!(access(Problem::forbidden("role-too-low", "x")).code(), "role-too-low");
    }
}
