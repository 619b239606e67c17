//! `GET /invoke` as the published sample has it: its query parameters, its answers byte for byte.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{Answer, python_json};

/// What the sample's gateway insists on, in its order.
const REQUIRED: [&str; 4] = ["method", "request", "target", "timeout"];
/// What stands in for a timeout that is none, in seconds.
const DEFAULT_SECONDS: u64 = 10;
/// The largest timeout that is taken as it is, in seconds.
const LONGEST_SECONDS: u64 = 60;

/// The parameters of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Which method.
    pub method: String,
    /// Handed to the device as it is.
    pub request: String,
    /// Which device.
    pub target: String,
    /// For how long the caller wants to wait.
    pub timeout: Duration,
}

/// An answer of `GET /invoke`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body, JSON.
    pub body: String,
}

impl Parameters {
    /// The parameters in a query string. Of a repeated one the last counts, as in the sample.
    ///
    /// # Errors
    /// The answer of the sample's gateway when one of the four is missing or empty.
    pub fn parse(query: Option<&str>) -> Result<Self, Told> {
        let pairs: Vec<_> = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
        let [method, request, target, timeout] = REQUIRED.map(|name| {
            let found = pairs.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, value)| value.to_string()).filter(|value| !value.is_empty())
        });
        match (method, request, target, timeout) {
            (Some(method), Some(request), Some(target), Some(timeout)) => {
                Ok(Self { method, request, target, timeout: Duration::from_secs(seconds(&timeout)) })
            }
            (method, request, target, timeout) => Err(missing([method, request, target, timeout])),
        }
    }
}

/// A whole number from 1 to 60 as Python reads one: blanks around it, a sign, single underscores within.
fn seconds(text: &str) -> u64 {
    let digits = text.trim();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let whole = !digits.is_empty() && digits.split('_').all(|part| !part.is_empty() && part.bytes().all(is_digit));
    let number = whole.then(|| digits.replace('_', "").parse().ok()).flatten();
    number.filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds)).unwrap_or(DEFAULT_SECONDS)
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn missing(found: [Option<String>; 4]) -> Told {
    let names: Vec<_> =
        REQUIRED.into_iter().zip(&found).filter(|(_, value)| value.is_none()).map(|pair| pair.0).collect();
    let body = format!(r#"{{"message":"Missing required request parameters: [{}]"}}"#, names.join(", "));
    Told { status: StatusCode::BAD_REQUEST, body }
}

#[derive(Serialize)]
struct Elapsed<'a> {
    result: &'a str,
    elapsed: String,
}

#[derive(Serialize)]
struct Refused<'a> {
    result: &'a str,
    response: &'a str,
}

/// 200: the device's `response`, `null` when it sent none, after `elapsed`.
#[must_use]
pub fn ok(answer: &Answer, elapsed: Duration) -> Told {
    let response = answer.response.as_deref().map_or_else(|| Ok("null".to_owned()), written);
    match response {
        Ok(response) => {
            let body = format!(r#"{{"result": "ok", "elapsed": "{}", "response": {response}}}"#, elapsed.as_millis());
            Told { status: StatusCode::OK, body }
        }
        Err(_) => internal_error(elapsed),
    }
}

fn written(raw: &RawValue) -> serde_json::Result<String> {
    python_json::again(raw)
}

/// The device did not answer in time, or is not there; `status` is 500 as published, or 504 by configuration.
#[must_use]
pub fn timeout(status: StatusCode, elapsed: Duration) -> Told {
    told(status, &Elapsed { result: "timeout", elapsed: elapsed.as_millis().to_string() })
}

/// 500: something of ours or of AWS failed.
#[must_use]
pub fn internal_error(elapsed: Duration) -> Told {
    let body = Elapsed { result: "internal_error", elapsed: elapsed.as_millis().to_string() };
    told(StatusCode::INTERNAL_SERVER_ERROR, &body)
}

/// 500: the parameters are there, and nothing can be called with them.
#[must_use]
pub fn invalid_parameters(why: &str) -> Told {
    told(StatusCode::INTERNAL_SERVER_ERROR, &Refused { result: "invalid_parameters", response: why })
}

fn told(status: StatusCode, body: &impl Serialize) -> Told {
    // Strings are always JSON.
    Told { status, body: python_json::dumps(body).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "method=m&request=r&target=t1&timeout=3";

    fn body(query: Option<&str>) -> String {
        Parameters::parse(query)
            .map_or_else(|told| format!("{} {}", told.status.as_u16(), told.body), |_| "ok".to_owned())
    }

    fn taken(timeout: &str) -> u64 {
        let query = format!("method=m&request=r&target=t1&timeout={timeout}");
        Parameters::parse(Some(&query)).unwrap().timeout.as_secs()
    }

    #[test]
    fn a_missing_parameter_answers_what_the_sample_s_gateway_answered() {
        let missing = |names: &str| format!(r#"400 {{"message":"Missing required request parameters: [{names}]"}}"#);
        assert_eq!(body(None), missing("method, request, target, timeout"));
        assert_eq!(body(Some("")), missing("method, request, target, timeout"));
        assert_eq!(body(Some("method=m&target=t1")), missing("request, timeout"));
        assert_eq!(body(Some("method=&request=r&target=t1&timeout=")), missing("method, timeout"));
        assert_eq!(body(Some(ALL)), "ok");
    }

    #[test]
    fn of_a_repeated_parameter_the_last_counts() {
        let parameters = Parameters::parse(Some(&format!("target=t0&{ALL}&request=last"))).unwrap();
        assert_eq!((parameters.target.as_str(), parameters.request.as_str()), ("t1", "last"));
    }

    #[test]
    fn parameters_are_decoded_as_utf_8() {
        let query = "method=set+colour&request=%7B%22a%22%3A%22%C3%A9%22%7D&target=t1&timeout=3";
        let parameters = Parameters::parse(Some(query)).unwrap();
        assert_eq!((parameters.method.as_str(), parameters.request.as_str()), ("set colour", "{\"a\":\"é\"}"));
    }

    #[test]
    fn a_timeout_from_1_to_60_holds_and_any_other_becomes_10() {
        assert_eq!(["1", "60", "007", "%202%20", "%2B5", "5_0"].map(taken), [1, 60, 7, 2, 5, 50]);
        for text in ["0", "-1", "61", "1e9", "abc", "5.5", "_5", "5__0", "99999999999999999999999", "%20", "NaN", "%00"]
        {
            assert_eq!(taken(text), 10, "{text}");
        }
    }

    #[test]
    fn the_answers_are_the_published_ones_byte_for_byte() {
        let raw = |text: &str| Some(RawValue::from_string(text.to_owned()).unwrap());
        let ms = Duration::from_micros(383_900);
        let answer = |response| ok(&Answer { response, status: 200 }, ms);
        assert_eq!(
            answer(raw(r#"{"b":1,"a":"é"}"#)).body,
            r#"{"result": "ok", "elapsed": "383", "response": {"b": 1, "a": "\u00e9"}}"#
        );
        assert_eq!(answer(None).body, r#"{"result": "ok", "elapsed": "383", "response": null}"#);
        assert_eq!(answer(None).status.as_u16(), 200);
        assert_eq!(timeout(StatusCode::INTERNAL_SERVER_ERROR, ms).body, r#"{"result": "timeout", "elapsed": "383"}"#);
        assert_eq!(internal_error(ms).body, r#"{"result": "internal_error", "elapsed": "383"}"#);
        assert_eq!(invalid_parameters("why").body, r#"{"result": "invalid_parameters", "response": "why"}"#);
        assert_eq!(invalid_parameters("why").status.as_u16(), 500);
    }
}
