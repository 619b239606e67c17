use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Acknowledgement, AlertRule, Direction, Episode, Sample, State};

/// How an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AlertEnding)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// A clear reading ended it.
    Recovered,
    /// A late reading showed that it should never have begun, or a changed rule did.
    Disproved,
}

/// An episode that is over: what its thing's history keeps of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastEpisode {
    /// The rule's path.
    pub path: String,
    /// The sample that opened it; its time names the episode.
    pub opening: Sample,
    /// The sample that ended it, or, if it was disproved, the newest one then.
    pub closing: Sample,
    /// The worst sample between.
    pub worst: Sample,
    /// How it ended.
    pub ending: Ending,
    /// The threshold at its end.
    pub threshold: f64,
    /// On which side of it values breached.
    pub direction: Direction,
    /// When people were last told that it lasts; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// How many reminders were sent.
    #[serde(default)]
    pub reminders: u32,
    /// Who took care of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
}

impl PastEpisode {
    pub(crate) fn of(state: &State, rule: &AlertRule, episode: Episode, closing: Sample, ending: Ending) -> Self {
        let Episode { opening, worst, told_at, reminders, acknowledged } = episode;
        let (threshold, direction) = (rule.spec().threshold, rule.spec().direction);
        let path = state.path.clone();
        Self { path, opening, closing, worst, ending, threshold, direction, told_at, reminders, acknowledged }
    }

    /// Its name within its thing.
    #[must_use]
    pub fn id(&self) -> EpisodeId {
        EpisodeId { path: self.path.clone(), opened_at: self.opening.at() }
    }
}

/// The name of an episode within its thing: `{path}:{device time of its opening in ms}`, as in the ids of its notices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EpisodeId {
    /// The rule's path.
    pub path: String,
    /// Device time of the sample that opened it.
    pub opened_at: Timestamp,
}

impl EpisodeId {
    /// The name that this text is; `None` for what is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (path, millis) = text.rsplit_once(':')?;
        let opened_at = Timestamp::from_millis(millis.parse().ok()?);
        let id = Self { path: path.to_owned(), opened_at };
        (AlertRule::is_path(path) && opened_at.as_millis() >= 0 && id.to_string() == text).then_some(id)
    }
}

impl std::fmt::Display for EpisodeId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.path, self.opened_at.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episodes_name_survives_the_way_through_a_path() {
        let id = EpisodeId { path: "air.temp-1_x".to_owned(), opened_at: Timestamp::from_millis(1_598_536_072_677) };
        assert_eq!(id.to_string(), "air.temp-1_x:1598536072677");
        assert_eq!(EpisodeId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn no_episode_has_two_names() {
        for text in
            ["", "humidity", "humidity:", ":5", "humidity:-5", "humidity:+5", "humidity:05", "hum:idity:5", "a#b:5"]
        {
            assert_eq!(EpisodeId::parse(text), None, "{text}");
        }
    }
}
