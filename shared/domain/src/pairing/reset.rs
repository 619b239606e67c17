//! A factory reset, told by the device itself.
//!
//! The device publishes on `loam/{thing}/pairing/reset`, which only it can. Was it offline, it publishes at its next
//! connect. The message may come twice, or late: it ends only the owner's time that it was meant for.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What a device says of its reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// The epoch that the device was paired in, which it has signed; `None`: it does not remember.
    pub epoch: Option<u64>,
    /// When AWS IoT took the message.
    pub received_at: Timestamp,
}

/// Not what a device says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected no bytes, or {{\"epoch\"?: whole number from 1}}")]
pub struct BadReset;

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
}

impl Reset {
    /// Reads a message's payload.
    ///
    /// # Errors
    /// [`BadReset`].
    pub fn parse(payload: &[u8], received_at: Timestamp) -> Result<Self, BadReset> {
        if payload.is_empty() {
            return Ok(Self { epoch: None, received_at });
        }
        let wire: Wire = serde_json::from_slice(payload).map_err(|_| BadReset)?;
        if wire.epoch == Some(0) {
            return Err(BadReset);
        }
        Ok(Self { epoch: wire.epoch, received_at })
    }

    /// The payload that says it: the device remembers to have been paired in `epoch`, or nothing.
    #[must_use]
    pub fn payload(epoch: Option<u64>) -> String {
        // A number always has a JSON form.
        serde_json::to_string(&Wire { epoch }).unwrap_or_default()
    }

    /// Whether it is meant for the owner's time `epoch`, which began at `since`. Without an epoch of its own, a reset that
    /// reached AWS IoT before that time began belongs to an earlier owner's.
    #[must_use]
    pub fn concerns(&self, epoch: u64, since: Timestamp) -> bool {
        self.epoch.map_or(self.received_at > since, |meant| meant == epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_reset_may_name_its_epoch_or_say_nothing() {
        assert_eq!(Reset::parse(b"", at(1)).unwrap().epoch, None);
        assert_eq!(Reset::parse(b"{}", at(1)).unwrap().epoch, None);
        assert_eq!(Reset::parse(b"{\"epoch\":3}", at(1)).unwrap().epoch, Some(3));
        for payload in ["x", "[]x", r#"{"epoch":0}"#, r#"{"epoch":-1}"#, r#"{"epoch":"3"}"#, "\u{fffd}"] {
            assert_eq!(Reset::parse(payload.as_bytes(), at(1)), Err(BadReset), "{payload}");
        }
    }

    #[test]
    fn what_a_device_says_of_its_reset_is_read_as_it_was_meant() {
        for epoch in [None, Some(1), Some(u64::MAX)] {
            assert_eq!(Reset::parse(Reset::payload(epoch).as_bytes(), at(1)).unwrap().epoch, epoch);
        }
    }

    #[test]
    fn a_reset_of_an_earlier_owners_time_leaves_the_next_owner_alone() {
        let named = Reset { epoch: Some(3), received_at: at(500) };
        assert!(named.concerns(3, at(100)) && !named.concerns(4, at(100)));
        let silent = Reset { epoch: None, received_at: at(500) };
        assert!(silent.concerns(4, at(499)) && !silent.concerns(4, at(500)));
    }
}
