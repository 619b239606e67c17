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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub acknowledged: bool,
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
            acknowledged: false,
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
