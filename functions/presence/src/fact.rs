//! What is said of a thing's connection, and by whom.

use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mark::Mark;

/// What somebody says of a thing's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// AWS IoT: a connection began.
    Began(Beginning),
    /// AWS IoT: a connection ended.
    Ended(Ending),
    /// The thing's last will, or a message in its place: it is there, or not. It names no connection and is sent for
    /// more reasons than a loss of power, so that it never decides.
    Hint {
        /// Whether it says that the thing is there.
        connected: bool,
    },
}

/// A connection began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Which, and when.
    pub mark: Mark,
    /// The certificate's id, or what else the client proved itself with.
    pub principal: Option<String>,
}

/// A connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Which, and when.
    pub mark: Mark,
    /// As in its beginning.
    pub principal: Option<String>,
    /// How it ended.
    pub how: How,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct How {
    /// AWS IoT's word, for example `MQTT_KEEP_ALIVE_TIMEOUT`; `None` when AWS did not say.
    pub reason: Option<String>,
    /// Whether the client itself said good-bye.
    pub clean: bool,
}

/// A second connection of the same client id took this one's place: the thing is there.
/// Source: AWS IoT Core developer guide, "Lifecycle events", "Disconnect reasons".
const TAKEN_OVER: &str = "DUPLICATE_CLIENTID";

/// The reason that AWS gives when the client said good-bye; the same source.
const SAID_GOODBYE: &str = "CLIENT_INITIATED_DISCONNECT";

impl How {
    /// The ending with AWS IoT's word for it, and whether AWS said that the client initiated it.
    #[must_use]
    pub fn new(reason: Option<String>, client_initiated: bool) -> Self {
        let clean = client_initiated || reason.as_deref() == Some(SAID_GOODBYE);
        Self { reason, clean }
    }

    /// Whether another connection of the thing took its place.
    #[must_use]
    pub fn is_taken_over(&self) -> bool {
        self.reason.as_deref() == Some(TAKEN_OVER)
    }
}

/// What AWS IoT answers when it is asked whether a client is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is, since this time if AWS says so.
    There(Option<Timestamp>),
    /// It is not: since when and how it left, as far as AWS still knows.
    Gone(Option<Timestamp>, Option<How>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_clean_when_the_client_said_good_bye() {
        assert!(How::new(Some("CLIENT_INITIATED_DISCONNECT".to_owned()), false).clean);
        assert!(How::new(None, true).clean);
        assert!(!How::new(Some("CONNECTION_LOST".to_owned()), false).clean);
        assert!(!How::new(None, false).clean);
    }

    #[test]
    fn only_a_duplicate_client_id_is_a_takeover() {
        assert!(How::new(Some("DUPLICATE_CLIENTID".to_owned()), false).is_taken_over());
        assert!(!How::new(Some("SERVER_INITIATED_DISCONNECT".to_owned()), false).is_taken_over());
    }
}
