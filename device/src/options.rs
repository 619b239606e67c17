//! How a device connects.

use crate::back_off::BackOff;
use crate::error::DeviceError;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The keep-alive times that AWS IoT Core honours, in seconds.
pub(crate) const KEEP_ALIVE_SECONDS: RangeInclusive<u64> = 30..=1200;

/// How a device connects. `Options::default()` is right for most devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How often the device says that it is alive, 30 s to 1200 s. AWS closes the connection after 1.5 times this.
    pub keep_alive: Duration,
    /// How long to wait between connections.
    pub back_off: BackOff,
    /// Whether to connect again after the connection has ended. A device wants this; a test that takes over somebody
    /// else's client id does not.
    pub reconnect: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { keep_alive: Duration::from_secs(60), back_off: BackOff::default(), reconnect: true }
    }
}

impl Options {
    /// Refuses what AWS would silently change.
    pub(crate) fn check(&self) -> Result<(), DeviceError> {
        if KEEP_ALIVE_SECONDS.contains(&self.keep_alive.as_secs()) {
            Ok(())
        } else {
            Err(DeviceError::KeepAlive { seconds: self.keep_alive.as_secs() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep_alive(seconds: u64) -> Result<(), DeviceError> {
        Options { keep_alive: Duration::from_secs(seconds), ..Options::default() }.check()
    }

    #[test]
    fn a_keep_alive_of_30_or_1200_seconds_is_taken() {
        assert!(keep_alive(30).is_ok());
        assert!(keep_alive(1200).is_ok());
    }

    #[test]
    fn a_keep_alive_of_29_or_1201_seconds_is_refused() {
        assert_eq!(keep_alive(29).unwrap_err().code(), "keep-alive-out-of-range");
        assert_eq!(keep_alive(1201).unwrap_err().code(), "keep-alive-out-of-range");
    }
}
