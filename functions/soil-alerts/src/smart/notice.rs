use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AlertRule, Direction, Episode, Sample, State};

/// What a notice tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// An episode has begun.
    Opened,
    /// An episode lasts.
    Reminder,
    /// An episode is over.
    Recovered,
    /// Readings stay away.
    NoData,
    /// Readings come again.
    DataBack,
}

impl NoticeKind {
    /// The word in ids, message attributes and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reminder => "reminder",
            Self::Recovered => "recovered",
            Self::NoData => "no-data",
            Self::DataBack => "data-back",
        }
    }
}

/// A message to people that is due, with everything that sending it takes.
///
/// It is stored with the state that makes it due, in one conditional write, and leaves the state only after it was
/// sent: at least once, and with the same id each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// `{thing}:{path}:{milliseconds}:{kind}`, for reminders with `:{number}` from 1; the milliseconds are the device
    /// time of the episode's opening, or the arrival of the last reading before a silence. The same in every repeat.
    pub id: String,
    /// What it tells.
    pub kind: NoticeKind,
    /// What SNS takes as a subject: ASCII, less than 100 characters, one line. It names no device, whose name may be
    /// neither.
    pub subject: String,
    /// The text; one line of UTF-8.
    pub body: String,
    /// When it was committed.
    pub at: Timestamp,
    /// The version of the state that it came with: whoever saved that version sends it.
    pub committed: u64,
}

impl Notice {
    /// The first of an episode; for humidity below a threshold the classic texts, byte by byte.
    pub(crate) fn opened(state: &State, rule: &AlertRule, breach: &Sample, now: Timestamp) -> Self {
        let (label, side) = words(rule);
        let subject = format!("Attention:{label} {} Threshold", capital(side));
        let body = format!("{label} {breach} {side} threshold for device name {}", state.name);
        Self::of_episode(state, NoticeKind::Opened, subject, body, now)
    }

    pub(crate) fn reminder(state: &State, rule: &AlertRule, number: u32, breach: &Sample, now: Timestamp) -> Self {
        let (label, side) = words(rule);
        let subject = format!("Reminder:{label} {} Threshold", capital(side));
        let lasting = state.episode.as_ref().map_or(0, |episode| breach.at().millis_since(episode.opened_at()));
        let body = format!(
            "{label} {breach} still {side} threshold after {} for device name {}",
            duration(lasting),
            state.name
        );
        let mut notice = Self::of_episode(state, NoticeKind::Reminder, subject, body, now);
        notice.id.push_str(&format!(":{number}"));
        notice
    }

    pub(crate) fn recovered(
        state: &State,
        rule: &AlertRule,
        episode: &Episode,
        closing: &Sample,
        now: Timestamp,
    ) -> Self {
        let (label, side) = words(rule);
        let extreme = match rule.spec().direction {
            Direction::Below => "lowest",
            Direction::Above => "highest",
        };
        let subject = format!("Recovered:{label} {} Threshold", capital(side));
        let body = format!(
            "{label} {closing} no longer {side} threshold for device name {}, after {}, {extreme} {}",
            state.name,
            duration(closing.at().millis_since(episode.opened_at())),
            episode.worst
        );
        Self::new(state, episode.opened_at(), NoticeKind::Recovered, subject, body, now)
    }

    pub(crate) fn no_data(state: &State, last_seen: Timestamp, now: Timestamp) -> Self {
        let label = label(&state.path);
        let subject = format!("Attention:No {label} Data");
        let body = format!("No {} data since {last_seen} for device name {}", state.path, state.name);
        Self::new(state, last_seen, NoticeKind::NoData, subject, body, now)
    }

    pub(crate) fn data_back(state: &State, last_seen: Timestamp, now: Timestamp) -> Self {
        let label = label(&state.path);
        let subject = format!("Recovered:{label} Data Back");
        let away = duration(now.millis_since(last_seen));
        let body = format!("{label} data back for device name {}, after {away}", state.name);
        Self::new(state, last_seen, NoticeKind::DataBack, subject, body, now)
    }

    fn of_episode(state: &State, kind: NoticeKind, subject: String, body: String, now: Timestamp) -> Self {
        let opened_at = state.episode.as_ref().map_or(now, Episode::opened_at);
        Self::new(state, opened_at, kind, subject, body, now)
    }

    fn new(state: &State, since: Timestamp, kind: NoticeKind, subject: String, body: String, now: Timestamp) -> Self {
        let id = format!("{}:{}:{}:{}", state.thing, state.path, since.as_millis(), kind.as_str());
        Self { id, kind, subject, body, at: now, committed: state.version }
    }
}

fn words(rule: &AlertRule) -> (String, &'static str) {
    let side = match rule.spec().direction {
        Direction::Below => "under",
        Direction::Above => "over",
    };
    (label(rule.path()), side)
}

fn label(path: &str) -> String {
    capital(path)
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + characters.as_str())
}

/// A length of time in its two largest units.
fn duration(millis: i64) -> String {
    let seconds = millis.max(0) / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smart::RuleSpec;

    const AT: Timestamp = Timestamp::from_millis(1_598_536_072_677);

    fn state(path: &str, name: &str) -> State {
        State { name: name.to_owned(), ..State::new("thing1", path) }
    }

    #[test]
    fn the_first_notice_for_dry_soil_is_the_classic_one_byte_by_byte() {
        let breach = Sample::with_digits(AT, 20.0, "20");
        let notice = Notice::opened(&state("humidity", "soilSensor1"), &AlertRule::classic(35.0), &breach, AT);
        assert_eq!(notice.subject, "Attention:Humidity Under Threshold");
        assert_eq!(notice.body, "Humidity 20 under threshold for device name soilSensor1");
    }

    #[test]
    fn a_recovery_tells_duration_and_extreme() {
        let mut state = state("humidity", "soilSensor1");
        let rule = AlertRule::classic(35.0);
        let episode = Episode {
            opening: Sample::new(AT, 20.0),
            worst: Sample::new(AT, 12.0),
            told_at: Some(AT),
            reminders: 0,
            acknowledged: None,
        };
        state.version = 7;
        let notice = Notice::recovered(&state, &rule, &episode, &Sample::new(AT.plus_millis(5_430_000), 41.0), AT);
        assert_eq!(
            notice.body,
            "Humidity 41 no longer under threshold for device name soilSensor1, after 1 h 30 min, lowest 12"
        );
        assert_eq!(notice.id, "thing1:humidity:1598536072677:recovered");
        assert_eq!(notice.committed, 7);
    }

    #[test]
    fn a_duration_shows_its_two_largest_units() {
        let shown = [-1, 59_999, 60_000, 3_599_000, 3_600_000, 86_399_000, 90_000_000].map(duration);
        assert_eq!(shown, ["0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "23 h 59 min", "1 d 1 h"]);
    }

    fn is_subject(text: &str) -> bool {
        text.is_ascii()
            && text.len() < 100
            && !text.bytes().any(|byte| byte.is_ascii_control())
            && text.starts_with(|first: char| first.is_ascii_alphanumeric() || first.is_ascii_punctuation())
    }

    proptest! {
        #[test]
        fn whatever_path_and_name_the_subject_is_one_that_sns_takes(path in "[A-Za-z][A-Za-z0-9_-]{0,63}", name in ".{1,128}") {
            let spec: RuleSpec =
                serde_json::from_value(serde_json::json!({"path": path, "threshold": 1, "direction": "above"})).unwrap();
            let rule = AlertRule::try_from(spec).unwrap();
            let mut state = state(&path, &name);
            let sample = Sample::new(AT, 2.0);
            let episode = Episode {
                opening: sample.clone(), worst: sample.clone(), told_at: None, reminders: 0, acknowledged: None,
            };
            state.episode = Some(episode.clone());
            for notice in [
                Notice::opened(&state, &rule, &sample, AT),
                Notice::reminder(&state, &rule, 1, &sample, AT),
                Notice::recovered(&state, &rule, &episode, &sample, AT),
                Notice::no_data(&state, AT, AT),
                Notice::data_back(&state, AT, AT),
            ] {
                prop_assert!(is_subject(&notice.subject), "{}", notice.subject);
                prop_assert!(notice.body.contains(&name));
            }
        }
    }
}
