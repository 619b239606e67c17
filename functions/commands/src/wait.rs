//! Whether a change of desired state is answered now, and with what.

use loam_domain::Timestamp;
use serde_json::Value;

use crate::desired::Patch;

/// The longest that a caller may wait, in seconds: below the gateway's 30.
pub const MOST_WAIT_SECONDS: u64 = 25;

/// The pauses between two looks at a shadow, in milliseconds; the last one again and again. AWS IoT takes 20 requests a
/// second for a shadow, and the device's own are among them.
const PAUSES: [i64; 4] = [150, 300, 600, 1_000];

/// A shadow as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadow {
    /// Its version.
    pub version: u64,
    /// What is desired; `null` for nothing.
    pub desired: Value,
    /// What is reported; `null` for nothing.
    pub reported: Value,
}

/// A change that was written, and how long its caller waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// What was desired.
    pub patch: Patch,
    /// The shadow's version after it.
    pub version: u64,
    /// Until when.
    pub until: Timestamp,
}

/// What is to be done after a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Answer.
    Answer(Answer),
    /// Look again after so many milliseconds, at most up to the end of the wait.
    Again {
        /// The pause.
        after_millis: u64,
    },
}

/// The answer to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `converged`: the device reports what is desired.
    Converged {
        /// The shadow's version that says so.
        version: u64,
    },
    /// `pending`: not yet. It stays desired, and the device hears of it when it connects.
    Pending {
        /// What it does not report, as JSON pointers.
        places: Vec<String>,
    },
    /// `superseded`: somebody desired otherwise meanwhile; the device will not do this any more.
    Superseded {
        /// What is not desired any more, as JSON pointers.
        places: Vec<String>,
    },
}

/// Whether a change that expects a version may be written on the shadow: 409 `version-conflict` if not, with the version
/// that is. The shadow itself checks it again when it is written.
///
/// # Errors
/// The present version.
pub const fn may_write(expected: Option<u64>, present: u64) -> Result<(), u64> {
    match expected {
        Some(expected) if expected != present => Err(present),
        Some(_) | None => Ok(()),
    }
}

impl Watch {
    /// What follows from the shadow as it was read at `now`, after `looks` looks before this one.
    #[must_use]
    pub fn look(&self, shadow: &Shadow, looks: usize, now: Timestamp) -> Look {
        let undone = self.patch.undone(&shadow.desired);
        let left = self.until.millis_since(now);
        // One that is older than our own write says nothing yet.
        if shadow.version >= self.version {
            if !undone.is_empty() {
                return Look::Answer(Answer::Superseded { places: undone });
            }
            if self.patch.unreported(&shadow.reported).is_empty() {
                return Look::Answer(Answer::Converged { version: shadow.version });
            }
        }
        if left <= 0 {
            return Look::Answer(Answer::Pending { places: self.patch.unreported(&shadow.reported) });
        }
        let pause = PAUSES.get(looks).or(PAUSES.last()).copied().unwrap_or(left);
        Look::Again { after_millis: u64::try_from(pause.min(left)).unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn watch() -> Watch {
        let desired: Map<String, Value> = [("on".to_owned(), json!(true))].into_iter().collect();
        Watch { patch: Patch::new(desired).unwrap(), version: 7, until: at(10_000) }
    }

    fn shadow(version: u64, desired: Value, reported: Value) -> Shadow {
        Shadow { version, desired, reported }
    }

    fn waiting(version: u64) -> Shadow {
        shadow(version, json!({"on": true}), json!({"on": false}))
    }

    #[test]
    fn a_device_that_reports_it_has_converged_also_at_the_first_look() {
        let done = shadow(8, json!({"on": true}), json!({"on": true}));
        assert_eq!(watch().look(&done, 0, at(0)), Look::Answer(Answer::Converged { version: 8 }));
    }

    #[test]
    fn a_wait_ends_at_its_very_millisecond_and_says_what_is_missing() {
        assert_eq!(watch().look(&waiting(7), 9, at(9_999)), Look::Again { after_millis: 1 });
        let places = vec!["/on".to_owned()];
        assert_eq!(watch().look(&waiting(7), 9, at(10_000)), Look::Answer(Answer::Pending { places }));
    }

    #[test]
    fn what_somebody_else_desired_since_is_said() {
        let places = vec!["/on".to_owned()];
        for desired in [json!({"on": false}), json!({}), Value::Null] {
            let answer = Look::Answer(Answer::Superseded { places: places.clone() });
            assert_eq!(watch().look(&shadow(8, desired, json!({"on": true})), 0, at(0)), answer);
        }
    }

    #[test]
    fn a_look_that_is_older_than_the_change_proves_nothing() {
        let old = shadow(6, json!({}), json!({"on": true}));
        assert_eq!(watch().look(&old, 0, at(0)), Look::Again { after_millis: 150 });
    }

    #[test]
    fn looks_come_after_150_300_600_and_then_every_1000_milliseconds() {
        let pauses: Vec<_> = (0..6).map(|looks| watch().look(&waiting(7), looks, at(0))).collect();
        let expected = [150, 300, 600, 1_000, 1_000, 1_000].map(|after_millis| Look::Again { after_millis });
        assert_eq!(pauses, expected);
    }

    #[test]
    fn a_change_on_another_version_is_a_conflict() {
        assert_eq!(may_write(Some(6), 7), Err(7));
        assert_eq!((may_write(Some(7), 7), may_write(None, 7)), (Ok(()), Ok(())));
    }
}
