//! The device's button: what it says to open a window in which it may be claimed.

use serde::{Deserialize, Serialize};

use super::claim_code::ClaimCode;

/// How long a window stays open if the device does not say, in seconds.
pub const USUAL_SECONDS: i64 = 300;

/// The longest that a window stays open, in seconds: 24 hours. A device that asks for more gets this.
pub const MOST_SECONDS: i64 = 86_400;

/// What the device says on `loam/{thing}/pairing/window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press {
    /// How long, in seconds; 0 closes the window.
    pub seconds: i64,
    /// A code that the device shows: then only who reads it may claim.
    pub code: Option<ClaimCode>,
}

/// Why a message opens no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPress {
    /// Not what a device says.
    #[error("expected no bytes, or {{\"durationSeconds\"?: whole number from 0, \"code\"?: claim code}}")]
    Shape,
    /// The code is none.
    #[error("the field `code` is no claim code")]
    Code,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

impl Press {
    /// Reads a message's payload; an empty one is a plain press of the button.
    ///
    /// # Errors
    /// [`BadPress`].
    pub fn parse(payload: &[u8]) -> Result<Self, BadPress> {
        if payload.is_empty() {
            return Ok(Self { seconds: USUAL_SECONDS, code: None });
        }
        let wire: Wire = serde_json::from_slice(payload).map_err(|_| BadPress::Shape)?;
        let seconds = wire
            .duration_seconds
            .map_or(USUAL_SECONDS, |seconds| i64::try_from(seconds).unwrap_or(MOST_SECONDS).min(MOST_SECONDS));
        let code = wire.code.map(|code| ClaimCode::parse(&code)).transpose().map_err(|_| BadPress::Code)?;
        Ok(Self { seconds, code })
    }

    /// The payload that says this.
    #[must_use]
    pub fn payload(&self) -> String {
        let duration_seconds = Some(u64::try_from(self.seconds).unwrap_or(0));
        let wire = Wire { duration_seconds, code: self.code.map(|code| code.spelled()) };
        // A number and a string always have a JSON form.
        serde_json::to_string(&wire).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(payload: &str) -> Result<Press, BadPress> {
        Press::parse(payload.as_bytes())
    }

    #[test]
    fn a_button_without_a_word_opens_five_minutes_and_nothing_opens_more_than_a_day() {
        assert_eq!(press("").unwrap().seconds, 300);
        assert_eq!(press("{}").unwrap().seconds, 300);
        assert_eq!(press(r#"{"durationSeconds":86400}"#).unwrap().seconds, 86_400);
        assert_eq!(press(r#"{"durationSeconds":86401}"#).unwrap().seconds, 86_400);
        assert_eq!(press(r#"{"durationSeconds":18446744073709551615}"#).unwrap().seconds, 86_400);
    }

    #[test]
    fn what_a_device_does_not_say_opens_nothing() {
        for payload in
            ["x", "[]", r#"{"durationSeconds":-1}"#, r#"{"durationSeconds":"5"}"#, r#"{"durationSeconds":1.5}"#]
        {
            assert_eq!(press(payload), Err(BadPress::Shape), "{payload}");
        }
        assert_eq!(press(r#"{"code":"0000-0000-0001"}"#), Err(BadPress::Code));
        let code = ClaimCode::from_random([5; 7]);
        assert_eq!(press(&format!(r#"{{"code":"{}"}}"#, code.spelled())).unwrap().code, Some(code));
    }

    #[test]
    fn what_a_device_says_is_read_as_it_was_meant() {
        for code in [None, Some(ClaimCode::from_random([5; 7]))] {
            for seconds in [0, 300, 86_400] {
                let said = Press { seconds, code };
                assert_eq!(press(&said.payload()), Ok(said));
            }
        }
    }
}
