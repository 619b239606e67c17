use loam_domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::fold::Alarm;
use super::{AlertRule, Sample};

/// One stretch of alarm of one thing under one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Episode {
    /// The sample that opened it. Its time names the episode: no other episode of the same thing and path has it.
    pub opening: Sample,
    /// The worst sample up to now.
    pub worst: Sample,
    /// When people were last told of it; `None` while it is silent (snoozed, cooling down, or an outbox that is full).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// How many reminders were sent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reminders: u32,
    /// Somebody has taken care of it: no more reminders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
}

/// Who takes care of an episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The person's id in the user pool.
    pub by: String,
    /// When they said so.
    pub at: Timestamp,
}

/// No notice of a thing before a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snooze {
    /// The first moment at which people are told again.
    pub until: Timestamp,
    /// The person's id in the user pool.
    pub by: String,
    /// When they said so.
    pub at: Timestamp,
}

impl Snooze {
    /// Whether people are told of nothing at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Episode {
    pub(crate) fn begin(alarm: &Alarm) -> Self {
        Self {
            opening: alarm.opened.clone(),
            worst: alarm.worst.clone(),
            told_at: None,
            reminders: 0,
            acknowledged: None,
        }
    }

    pub(crate) fn goes_on(self, alarm: &Alarm, rule: &AlertRule) -> Self {
        Self { worst: self.worst.worse(&alarm.worst, rule), ..self }
    }

    /// Device time of the opening sample.
    #[must_use]
    pub const fn opened_at(&self) -> Timestamp {
        self.opening.at()
    }
}
