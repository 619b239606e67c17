use std::time::Duration;

use loam_domain::Timestamp;

/// AWS ends a WebSocket connection after 24 hours; ours is replaced an hour before.
const LONGEST_AGE: Duration = Duration::from_secs(23 * 60 * 60);
/// Credentials that expire within this time are not relied on any more.
const CREDENTIALS_MARGIN: Duration = Duration::from_secs(60);
/// For how much longer than a keep-alive a living session may be silent: its ping takes a round trip.
const ROUND_TRIP: Duration = Duration::from_secs(1);

/// What is known of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Whether its connection still stands, as far as we have been told.
    pub alive: bool,
    /// When it began.
    pub opened: Timestamp,
    /// When the broker was last heard, PINGRESP included.
    pub heard: Timestamp,
    /// When the credentials that signed it end; `None` if they do not.
    pub credentials_end: Option<Timestamp>,
    /// How often the two sides say that they are there.
    pub keep_alive: Duration,
}

/// Why a session is not used any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// The connection has ended.
    Lost,
    /// Nothing was heard for longer than the keep-alive: the environment was frozen, and AWS may have cut it.
    Silent,
    /// It is nearly as old as AWS lets one become.
    Old,
    /// What signed it is about to end.
    Credentials,
    /// The clock went back: nothing can be said of its age.
    Clock,
}

impl Stale {
    /// The reason as it stands in logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::Old => "old",
            Self::Credentials => "credentials",
            Self::Clock => "clock",
        }
    }
}

impl Facts {
    /// Whether something that is heard at `now` comes after so long a silence that it proves nothing: it may have lain in
    /// a buffer while we were frozen.
    #[must_use]
    pub fn is_silent(&self, now: Timestamp) -> bool {
        now.millis_since(self.heard) > millis(self.keep_alive + ROUND_TRIP)
    }

    /// Why the session must be replaced before it is used at `now`; `None` if it need not.
    #[must_use]
    pub fn stale(&self, now: Timestamp) -> Option<Stale> {
        let margin = millis(CREDENTIALS_MARGIN);
        if !self.alive {
            Some(Stale::Lost)
        } else if now < self.opened {
            Some(Stale::Clock)
        } else if self.is_silent(now) {
            Some(Stale::Silent)
        } else if now.millis_since(self.opened) >= millis(LONGEST_AGE) {
            Some(Stale::Old)
        } else if self.credentials_end.is_some_and(|end| end.millis_since(now) <= margin) {
            Some(Stale::Credentials)
        } else {
            None
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn facts() -> Facts {
        let (opened, heard) = (Timestamp::from_millis(1_000), Timestamp::from_millis(1_000));
        Facts { alive: true, opened, heard, credentials_end: None, keep_alive: Duration::from_secs(30) }
    }

    fn at(facts: Facts, millis: i64) -> Option<Stale> {
        facts.stale(Timestamp::from_millis(millis))
    }

    #[test]
    fn a_silence_of_a_keep_alive_and_a_round_trip_is_taken_and_a_millisecond_more_is_not() {
        assert_eq!(at(facts(), 1_000 + 31_000), None);
        assert_eq!(at(facts(), 1_000 + 31_001), Some(Stale::Silent));
    }

    #[test]
    fn a_session_is_used_until_it_is_23_hours_old() {
        let heard = |at| Facts { heard: Timestamp::from_millis(at), ..facts() };
        assert_eq!(at(heard(1_000 + 23 * HOUR - 1), 1_000 + 23 * HOUR - 1), None);
        assert_eq!(at(heard(1_000 + 23 * HOUR), 1_000 + 23 * HOUR), Some(Stale::Old));
    }

    #[test]
    fn credentials_are_relied_on_until_a_minute_before_their_end() {
        let facts = Facts {
            credentials_end: Some(Timestamp::from_millis(71_001)),
            heard: Timestamp::from_millis(11_000),
            ..facts()
        };
        assert_eq!(at(facts, 11_000), None);
        assert_eq!(at(facts, 11_001), Some(Stale::Credentials));
    }

    #[test]
    fn a_connection_that_ended_is_never_used() {
        assert_eq!(at(Facts { alive: false, ..facts() }, 1_000), Some(Stale::Lost));
    }

    #[test]
    fn a_clock_that_went_back_before_the_session_s_begin_ends_it() {
        assert_eq!(at(facts(), 999), Some(Stale::Clock));
        assert_eq!(at(facts(), 1_000), None);
    }
}
