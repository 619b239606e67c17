use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::fold::Fold;
use super::{AlertRule, Episode, Notice, PastEpisode, Sample, Snooze};

/// So many samples are kept one by one: what comes late among them is put in its place.
pub const MAX_WINDOW: usize = 64;

/// With so many notices waiting no further episode is told of (it is when there is room again): a state must stay far
/// below the 400 KB that an item may have, also when one message holds hundreds of episodes.
pub const MAX_OUTBOX: usize = 16;

/// So many episodes at most, the newest ones, enter the history by one message: a transaction holds 100 items.
pub const MAX_PAST: usize = 64;

/// What is remembered of one thing under the rule of one path. One item, written as a whole and only by whoever saw the
/// version before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The thing's name in the registry.
    pub thing: String,
    /// The rule's path.
    pub path: String,
    /// How often this state was saved; 0: never. Each save adds one.
    #[serde(skip)]
    pub version: u64,
    /// The name that the device gave itself in the newest message that counted.
    pub name: String,
    /// The newest distinct samples behind the barrier, at most [`MAX_WINDOW`].
    pub(crate) window: Vec<Sample>,
    /// What the samples that fell out of the window come to.
    #[serde(default)]
    pub(crate) checkpoint: Fold,
    /// Device time up to which all is settled: what closed the last episode, or fell out of the window. A sample at
    /// or before it is late and changes nothing, so it cannot re-open an episode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) barrier: Option<Timestamp>,
    /// The open episode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<Episode>,
    /// When the last episode that people were told of recovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_recovery: Option<Timestamp>,
    /// No notice before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snooze: Option<Snooze>,
    /// When the newest message that counted arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// When the next reading is overdue; `None` if nobody wants to know, or was told already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_by: Option<Timestamp>,
    /// People were told that readings stay away since this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Timestamp>,
    /// Notices that a snooze holds back: the ends of what people were told of before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) held: Vec<Notice>,
    /// Notices that are due and, as far as this state knows, not sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Notice>,
    /// The episodes that this very version closes; written with it, as items of their own. At most [`MAX_PAST`].
    #[serde(skip)]
    pub(crate) past: Vec<PastEpisode>,
}

/// A state in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No episode.
    Ok,
    /// An episode is open.
    Alarm,
    /// No episode, but readings stay away.
    NoData,
}

impl Status {
    /// The word in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Alarm => "alarm",
            Self::NoData => "no-data",
        }
    }
}

/// Where a sample belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    New,
    Duplicate,
    Late,
}

impl State {
    /// A thing of which nothing is known under this path; version 0, that is, not stored.
    #[must_use]
    pub fn new(thing: &str, path: &str) -> Self {
        Self {
            thing: thing.to_owned(),
            path: path.to_owned(),
            version: 0,
            name: String::new(),
            window: Vec::new(),
            checkpoint: Fold::default(),
            barrier: None,
            episode: None,
            last_recovery: None,
            snooze: None,
            last_seen: None,
            expect_by: None,
            silent_since: None,
            held: Vec::new(),
            outbox: Vec::new(),
            past: Vec::new(),
        }
    }

    /// The episodes that this version closes: whoever saves it writes them, in the same transaction.
    #[must_use]
    pub fn past(&self) -> &[PastEpisode] {
        &self.past
    }

    /// The state in one word.
    #[must_use]
    pub const fn status(&self) -> Status {
        match (&self.episode, self.silent_since) {
            (Some(_), _) => Status::Alarm,
            (None, Some(_)) => Status::NoData,
            (None, None) => Status::Ok,
        }
    }

    /// Device time up to which everything is settled; what is not newer is late.
    #[must_use]
    pub const fn barrier(&self) -> Option<Timestamp> {
        self.barrier
    }

    /// This version, about to be saved at `now` by the clock of whoever does it: the minute after which its notices
    /// count as left behind begins. (A message may be judged long after it arrived.)
    #[must_use]
    pub fn committed_at(mut self, now: Timestamp) -> Self {
        let version = self.version;
        self.outbox.iter_mut().filter(|notice| notice.committed == version).for_each(|notice| notice.at = now);
        self
    }

    /// The notices that whoever saved this version has to send: those that came with it.
    #[must_use]
    pub fn to_send(&self) -> Vec<Notice> {
        self.outbox.iter().filter(|notice| notice.committed == self.version).cloned().collect()
    }

    /// The notices that nobody is still about to send: due for more than a minute, so whoever saved them has died and
    /// its event did not come again, or not yet.
    #[must_use]
    pub fn left_behind(&self, now: Timestamp) -> Vec<Notice> {
        let is_old = |notice: &&Notice| now.millis_since(notice.at) > LEFT_BEHIND_MILLIS;
        self.outbox.iter().filter(is_old).cloned().collect()
    }

    /// The notices that waited in `before`, an earlier version, and still do.
    #[must_use]
    pub fn still_waiting(&self, before: &Self) -> Vec<Notice> {
        let waited = |notice: &&Notice| before.outbox.iter().any(|other| other.id == notice.id);
        self.outbox.iter().filter(waited).cloned().collect()
    }

    /// When the sweep should look at this state, if no reading changes it before: a reading is overdue then, a notice
    /// left behind, or a snooze over that held some back. `None`: never.
    #[must_use]
    pub fn look_at(&self) -> Option<Timestamp> {
        let notices = self.outbox.iter().map(|notice| notice.at.plus_millis(LEFT_BEHIND_MILLIS));
        let snooze = self.snooze.as_ref().filter(|_| !self.held.is_empty()).map(|snooze| snooze.until);
        notices.chain(self.expect_by).chain(snooze).min()
    }

    /// The next version without the notices `sent`; `None` if none of them is left in it.
    #[must_use]
    pub fn without(&self, sent: &[Notice]) -> Option<Self> {
        let was_sent = |notice: &Notice| sent.iter().any(|one| one.id == notice.id);
        self.outbox.iter().any(was_sent).then(|| {
            let mut next = self.next();
            next.outbox.retain(|notice| !was_sent(notice));
            next
        })
    }

    pub(crate) fn next(&self) -> Self {
        Self { version: self.version.saturating_add(1), past: Vec::new(), ..self.clone() }
    }

    pub(crate) fn place(&self, sample: &Sample) -> Place {
        if self.window.iter().any(|known| known.is(sample)) {
            Place::Duplicate
        } else if self.barrier.is_some_and(|barrier| sample.at() <= barrier) {
            Place::Late
        } else {
            Place::New
        }
    }

    pub(crate) fn insert(&mut self, sample: Sample, rule: &AlertRule) {
        self.window.push(sample);
        self.window.sort_by(|left, right| left.order(right, rule));
    }

    pub(crate) fn fold(&self, rule: &AlertRule) -> Fold {
        self.checkpoint.clone().over(&self.window, rule)
    }

    /// Settles all up to `barrier`: what is behind it is judged from now on as if it were the first.
    pub(crate) fn settle(&mut self, barrier: Timestamp) {
        self.window.retain(|sample| sample.at() > barrier);
        self.checkpoint = Fold::default();
        self.barrier = Some(barrier);
    }

    pub(crate) fn trim(&mut self, rule: &AlertRule) {
        while self.window.len() > MAX_WINDOW {
            let oldest = self.window.remove(0);
            self.checkpoint.step(&oldest, rule);
            self.barrier = self.barrier.max(Some(oldest.at()));
        }
    }

    pub(crate) fn is_snoozed(&self, now: Timestamp) -> bool {
        self.snooze.as_ref().is_some_and(|snooze| snooze.holds(now))
    }

    /// Puts `notice` where it belongs: a snooze holds it back.
    pub(crate) fn tell(&mut self, notice: Notice, now: Timestamp) {
        if self.is_snoozed(now) { self.held.push(notice) } else { self.outbox.push(notice) }
    }

    /// After a snooze: what it held back is due now, and whoever saves this version sends it.
    pub(crate) fn release_held(&mut self, now: Timestamp) {
        if !self.is_snoozed(now) {
            let version = self.version;
            self.outbox.extend(self.held.drain(..).map(|notice| Notice { at: now, committed: version, ..notice }));
        }
    }
}

/// After this time nobody is still about to send a notice: more than a function's longest run.
const LEFT_BEHIND_MILLIS: i64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_is_small_enough_for_two_write_units() {
        let mut state = State { name: "soilSensor1".to_owned(), ..State::new("soilSensor1", "humidity") };
        let rule = AlertRule::classic(35.0);
        for number in 0..100_i64 {
            state.insert(Sample::new(Timestamp::from_millis(1_598_536_072_677 + 30_000 * number), 29.5), &rule);
            state.trim(&rule);
        }
        assert_eq!(state.window.len(), MAX_WINDOW);
        assert!(serde_json::to_string(&state).unwrap().len() < 1_900, "with keys and indexes below 2,048 bytes");
    }

    #[test]
    fn a_state_survives_the_way_through_the_table() {
        let rule = AlertRule::classic(35.0);
        let mut state = State::new("thing1", "humidity");
        for number in 0..70_i64 {
            state.insert(Sample::new(Timestamp::from_millis(number), 20.5), &rule);
            state.trim(&rule);
        }
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
    }
}
