//! Claim windows: for a while after its button was pressed, a device may be claimed without its printed code.
//!
//! A window is no proof of anything by itself: somebody far away might ask at that very moment. It only admits to a
//! challenge, which the device then has to sign.

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::claim_code::ClaimCode;
use crate::code_hash::CodeHash;

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    duration_seconds: Option<u64>,
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
}

/// The window of a thing, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// When AWS IoT took the device's message; windows are ordered by this.
    pub opened_at: Timestamp,
    /// From then on it is closed.
    pub until: Timestamp,
    /// The owner's time in which it was opened; in another one it opens nothing.
    pub epoch: u64,
    /// The hash of the code that the device shows.
    pub code: Option<CodeHash>,
}

/// The window after the device's message, which AWS IoT took at `received_at`; `None`: it is one as new or newer that
/// stands, so nothing changes. A message that comes late opens a window that is over already.
#[must_use]
pub fn heard(
    before: Option<&Window>,
    press: &Press,
    code: Option<CodeHash>,
    received_at: Timestamp,
    epoch: u64,
) -> Option<Window> {
    if before.is_some_and(|before| before.opened_at >= received_at) {
        return None;
    }
    Some(Window { opened_at: received_at, until: received_at.plus_millis(press.seconds * 1_000), epoch, code })
}

impl Window {
    /// Whether it is open at `now`, in the thing's present epoch.
    #[must_use]
    pub fn is_open(&self, now: Timestamp, epoch: u64) -> bool {
        now < self.until && epoch == self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn press(payload: &str) -> Result<Press, BadPress> {
        Press::parse(payload.as_bytes())
    }

    fn opened(seconds: i64, received_at: i64) -> Window {
        heard(None, &Press { seconds, code: None }, None, at(received_at), 3).unwrap()
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
    fn a_window_is_open_to_its_last_millisecond_in_its_own_epoch() {
        let window = opened(300, 1_000);
        assert!(window.is_open(at(300_999), 3) && !window.is_open(at(301_000), 3));
        assert!(!window.is_open(at(2_000), 4), "the owner before pressed the button");
    }

    #[test]
    fn a_message_that_comes_twice_or_late_opens_nothing_again() {
        let window = opened(300, 1_000);
        let again = Press { seconds: 300, code: None };
        assert_eq!(heard(Some(&window), &again, None, at(1_000), 3), None);
        assert_eq!(heard(Some(&window), &again, None, at(999), 3), None);
        let later = heard(Some(&window), &again, None, at(2_000), 3).unwrap();
        assert!(later.is_open(at(301_500), 3));
        assert!(!opened(300, 1_000).is_open(at(900_000), 3), "it came a quarter of an hour late");
    }

    #[test]
    fn zero_seconds_close_the_window() {
        let closed = heard(Some(&opened(300, 1_000)), &Press { seconds: 0, code: None }, None, at(2_000), 3).unwrap();
        assert!(!closed.is_open(at(2_000), 3));
    }
}
