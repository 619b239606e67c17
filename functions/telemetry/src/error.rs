//! Why a message, or a part of it, cannot be stored: one code each, stable for alarms and dead letters.

use loam_domain::Refusal;

/// A refused message, or a refused number of one; the other numbers of the message are stored all the same.
///
/// `Display` names fields by their path, never their values: it goes into logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What the vocabulary of all functions refuses: bytes, JSON, topic, names, types.
    #[error(transparent)]
    Message(#[from] Refusal),
    /// One message names more metrics than [`crate::event::MAX_METRICS`]; nothing of it is stored.
    #[error(
        "too-many-metrics: the message holds {found} metrics, expected at most {}: split it",
        crate::event::MAX_METRICS
    )]
    TooManyMetrics {
        /// How many it names.
        found: usize,
    },
    /// An object or array lies deeper than [`crate::event::MAX_DEPTH`].
    #[error("too-deep: the payload nests deeper than {} levels, expected a flatter object", crate::event::MAX_DEPTH)]
    TooDeep,
    /// The metric's name is longer than [`crate::point::Metric::MAX_BYTES`].
    #[error("path-too-long: a metric's path has {found} bytes, expected at most {}", crate::point::Metric::MAX_BYTES)]
    PathTooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The metric's name is empty or holds a control character.
    #[error("invalid-path: a metric's path is empty or holds a control character, expected printable text")]
    InvalidPath,
    /// The number is beyond what the table and exact sums hold; see [`crate::point::Value`].
    #[error("out-of-range: the metric `{metric}` is neither 0 nor between 1e-100 and 1e100 in size")]
    OutOfRange {
        /// Whose value it is.
        metric: String,
    },
    /// The reading is as old as the raw series reaches: a duplicate of it could no longer be told.
    #[error("too-late: the reading is older than the raw series is kept, so that it can no longer be counted once")]
    TooLate,
}

impl Refused {
    /// The stable code, for example `too-late`; the first word of the message.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Message(refusal) => refusal.code.as_str(),
            Self::TooManyMetrics { .. } => "too-many-metrics",
            Self::TooDeep => "too-deep",
            Self::PathTooLong { .. } => "path-too-long",
            Self::InvalidPath => "invalid-path",
            Self::OutOfRange { .. } => "out-of-range",
            Self::TooLate => "too-late",
        }
    }
}

#[cfg(test)]
mod tests {
    use loam_domain::RefusalCode;

    use super::*;

    #[test]
    fn every_message_begins_with_its_code() {
        let all = [
            Refused::Message(Refusal::new(RefusalCode::NotJson, "x")),
            Refused::TooManyMetrics { found: 65 },
            Refused::TooDeep,
            Refused::PathTooLong { found: 129 },
            Refused::InvalidPath,
            Refused::OutOfRange { metric: "m".to_owned() },
            Refused::TooLate,
        ];
        for refused in all {
            assert!(refused.to_string().starts_with(&format!("{}: ", refused.code())), "{refused}");
        }
    }
}
