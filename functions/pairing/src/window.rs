//! Claim windows: for a while after its button was pressed, a device may be claimed without its printed code.
//!
//! A window is no proof of anything by itself: somebody far away might ask at that very moment. It only admits to a
//! challenge, which the device then has to sign.

use loam_domain::Timestamp;
pub use loam_domain::pairing::press::{BadPress, MOST_SECONDS, Press, USUAL_SECONDS};
use loam_things::QUIET_MILLIS;
use serde::{Deserialize, Serialize};

use crate::code_hash::CodeHash;
use crate::tenancy::{Standing, Tenancy};

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

/// Whether a press that AWS IoT took at `received_at` belongs to the time in which the thing stands now: one of an earlier
/// owner's that comes late must open nothing to others. Between two owners lies at least the time that an erasure takes.
#[must_use]
pub fn is_of_the_present(tenancy: &Tenancy, received_at: Timestamp) -> bool {
    let began = match tenancy.standing {
        Standing::Vacant if tenancy.last_end.is_some() => tenancy.since.plus_millis(-QUIET_MILLIS),
        Standing::Vacant | Standing::Paired | Standing::Erasing { .. } | Standing::Gone => tenancy.since,
    };
    received_at >= began
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
    use crate::tenancy::Intent;
    use crate::tenancy::tests::{Home, pair, unpair};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn opened(seconds: i64, received_at: i64) -> Window {
        heard(None, &Press { seconds, code: None }, None, at(received_at), 3).unwrap()
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
    fn a_press_of_an_owners_time_that_comes_after_it_opens_nothing_and_one_of_the_erasure_does() {
        let mut home = Home::after([pair("ann", 1)]);
        assert!(is_of_the_present(&Tenancy::vacant(1), at(0)), "nobody ever owned it");
        home.change(&unpair("ann"));
        let ended = home.tenancy.since;
        assert!(!is_of_the_present(&home.tenancy, ended.plus_millis(-1)) && is_of_the_present(&home.tenancy, ended));
        home.now = ended.as_millis() + QUIET_MILLIS + 5_000;
        home.change(&Intent::Erased { through: 1 });
        let erased = home.tenancy.since;
        assert!(is_of_the_present(&home.tenancy, erased.plus_millis(-QUIET_MILLIS)));
        assert!(!is_of_the_present(&home.tenancy, ended.plus_millis(-1)));
    }

    #[test]
    fn zero_seconds_close_the_window() {
        let closed = heard(Some(&opened(300, 1_000)), &Press { seconds: 0, code: None }, None, at(2_000), 3).unwrap();
        assert!(!closed.is_open(at(2_000), 3));
    }
}
