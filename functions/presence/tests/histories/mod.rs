//! Histories of one client id, made from a seed: a device that comes, goes, is taken over and stays away for hours, and
//! what AWS IoT makes of it.
//!
//! Within AWS's bounds, and no wider: stamps are right to 2 minutes, a takeover overlaps by seconds, and a version number
//! falls back only after about an hour offline. Beyond them nobody could tell a late event from one after a reset.

use loam_domain::Timestamp;
use presence::fact::{Answer, Beginning, Ending, Fact, How};
use presence::mark::{Mark, Stage};
use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// The most events in one history.
pub(crate) const MAX_EVENTS: usize = 50;

/// So many handlers work at a time.
pub(crate) const HANDLERS: usize = 8;

/// How wrong a stamp may be, in milliseconds.
const STAMP_ERROR: i64 = 120_000;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;

/// What happened, in its true order, and how it arrives.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) facts: Vec<Fact>,
    /// Indices into `facts`: each stands here 1 to 5 times.
    pub(crate) deliveries: Vec<usize>,
    /// Where the device is in the end.
    pub(crate) answer: Answer,
    pub(crate) resets: usize,
    pub(crate) takeovers: usize,
}

/// A source of chance that gives the same for the same seed. What it gives first resembles what the next seed gives
/// first, so that is thrown away.
pub(crate) fn chance(seed: u64) -> TestRng {
    let mut bytes = [3_u8; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut chance = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
    (0..32).for_each(|_| {
        chance.random_bool(0.5);
    });
    chance
}

/// `count` histories; history `n` of seed `s` is history 0 of seed `s + n`, so that a failure can be run alone.
pub(crate) fn histories(count: u64, seed: u64) -> impl Iterator<Item = History> {
    (0..count).map(move |number| Life::lived(seed + number))
}

/// A device's life so far.
struct Life {
    chance: TestRng,
    /// The true time, in milliseconds.
    clock: i64,
    /// The next connection's version number.
    next_version: i64,
    sessions: u32,
    /// The connection that stands, and since when; or since when there is none.
    connection: Option<(i64, String)>,
    since: i64,
    persistent: bool,
    principal: String,
    facts: Vec<Fact>,
    resets: usize,
    takeovers: usize,
}

impl Life {
    fn lived(seed: u64) -> History {
        let mut chance = chance(seed);
        let persistent = chance.random_ratio(1, 4);
        let events = chance.random_range(1..=MAX_EVENTS);
        let (principal, clock) = ("certificate-0".to_owned(), 1_800_000_000_000);
        let (facts, connection) = (vec![], None);
        let mut life = Self {
            chance,
            clock,
            next_version: 0,
            sessions: 0,
            connection,
            since: clock,
            persistent,
            principal,
            facts,
            resets: 0,
            takeovers: 0,
        };
        while life.facts.len() < events {
            life.goes_on();
        }
        life.told(seed)
    }

    fn goes_on(&mut self) {
        match self.connection.clone() {
            None => {
                let away = self.some_time();
                self.clock += away;
                self.connects(away);
            }
            Some(connection) => {
                self.clock += self.some_time();
                if self.chance.random_ratio(1, 4) { self.is_taken_over(connection) } else { self.leaves(connection) }
            }
        }
    }

    /// From nothing at all to days; often about an hour, where version numbers may fall back.
    fn some_time(&mut self) -> i64 {
        match self.chance.random_range(0..6) {
            0 => self.chance.random_range(0..5 * SECOND),
            1 => self.chance.random_range(0..300 * SECOND),
            2 => self.chance.random_range(300 * SECOND..HOUR),
            3 => self.chance.random_range(HOUR..HOUR + 600 * SECOND),
            4 => self.chance.random_range(HOUR..72 * HOUR),
            _ => self.chance.random_range(0..30 * SECOND),
        }
    }

    fn connects(&mut self, away: i64) {
        // A persistent session's numbers last as long as the session; a number may fall back from an hour on, or later.
        let fell_back = away >= HOUR && self.chance.random_bool(0.7);
        if fell_back && self.next_version > 0 {
            self.next_version = 0;
            self.resets += 1;
        }
        if !self.persistent || fell_back || self.sessions == 0 {
            self.sessions += 1;
        }
        if self.chance.random_ratio(1, 12) {
            self.principal = format!("certificate-{}", self.chance.random_range(0..3));
        }
        let version = self.next_version;
        self.next_version += self.chance.random_range(1..=3);
        let session = format!("session-{}", self.sessions);
        let mark = self.mark(self.clock, version, &session, Stage::Began);
        self.facts.push(Fact::Began(Beginning { mark, principal: Some(self.principal.clone()) }));
        (self.connection, self.since) = (Some((version, session)), self.clock);
    }

    fn leaves(&mut self, (version, session): (i64, String)) {
        let reasons = ["CLIENT_INITIATED_DISCONNECT", "CONNECTION_LOST", "MQTT_KEEP_ALIVE_TIMEOUT", "SERVER_ERROR"];
        let reason = reasons[self.chance.random_range(0..reasons.len())];
        self.ends(self.clock, version, &session, reason);
        if reason != reasons[0] {
            self.facts.push(Fact::Hint { connected: false });
        }
        (self.connection, self.since) = (None, self.clock);
    }

    /// The end of the old connection comes seconds before or after the beginning of the new one, and brings its will.
    fn is_taken_over(&mut self, (version, session): (i64, String)) {
        let (before, overlap) = (self.chance.random_bool(0.5), self.chance.random_range(0..5 * SECOND));
        let ended = if before { self.clock - overlap } else { self.clock + overlap };
        if before {
            self.ends(ended, version, &session, "DUPLICATE_CLIENTID");
        }
        self.connects(0);
        if !before {
            self.ends(ended, version, &session, "DUPLICATE_CLIENTID");
        }
        self.facts.push(Fact::Hint { connected: false });
        self.takeovers += 1;
    }

    fn ends(&mut self, at: i64, version: i64, session: &str, reason: &str) {
        let mark = self.mark(at, version, session, Stage::Ended);
        let how = How::new(Some(reason.to_owned()), false);
        // In the connection's own time the certificate does not change: a takeover's new one is not yet there.
        let principal = self.facts.iter().rev().find_map(|fact| match fact {
            Fact::Began(beginning) if beginning.mark.is_same_connection(&mark) => beginning.principal.clone(),
            Fact::Began(_) | Fact::Ended(_) | Fact::Hint { .. } => None,
        });
        self.facts.push(Fact::Ended(Ending { mark, principal, how }));
    }

    fn mark(&mut self, at: i64, version_number: i64, session: &str, stage: Stage) -> Mark {
        let error = self.chance.random_range(-STAMP_ERROR..=STAMP_ERROR);
        Mark { at: Timestamp::from_millis(at + error), version_number, session: session.to_owned(), stage }
    }

    fn told(mut self, seed: u64) -> History {
        let chance = &mut self.chance;
        let mut deliveries: Vec<_> =
            (0..self.facts.len()).flat_map(|index| vec![index; chance.random_range(1..=5)]).collect();
        for last in (1..deliveries.len()).rev() {
            deliveries.swap(last, chance.random_range(0..=last));
        }
        let since = Some(Timestamp::from_millis(self.since));
        let answer = if self.connection.is_some() { Answer::There(since) } else { Answer::Gone(since, None) };
        let (facts, resets, takeovers) = (self.facts, self.resets, self.takeovers);
        History { seed, facts, deliveries, answer, resets, takeovers }
    }
}

/// What must be known in the end, told without the code under test: from the true order alone.
#[derive(Debug, PartialEq)]
pub(crate) struct Truth {
    pub(crate) connected: bool,
    pub(crate) version_number: i64,
    pub(crate) session: String,
    pub(crate) since: Timestamp,
    pub(crate) principal: Option<String>,
    pub(crate) last_reason: Option<String>,
}

/// The truth after `history`; it begins with a connection, so there is one.
pub(crate) fn truth(history: &History) -> Truth {
    let beginnings: Vec<_> = history
        .facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Began(beginning) => Some(beginning),
            Fact::Ended(_) | Fact::Hint { .. } => None,
        })
        .collect();
    let end_of = |mark: &Mark| {
        history.facts.iter().find_map(|fact| match fact {
            Fact::Ended(ending) if ending.mark.is_same_connection(mark) => Some(ending),
            Fact::Began(_) | Fact::Ended(_) | Fact::Hint { .. } => None,
        })
    };
    let last = beginnings.last().unwrap();
    let end = end_of(&last.mark);
    Truth {
        connected: end.is_none(),
        version_number: last.mark.version_number,
        session: last.mark.session.clone(),
        since: end.map_or(last.mark.at, |end| end.mark.at),
        principal: last.principal.clone(),
        last_reason: beginnings
            .iter()
            .rev()
            .find_map(|begun| end_of(&begun.mark))
            .and_then(|end| end.how.reason.clone()),
    }
}
