use serde::Serialize;

/// Why a message was refused: a stable word for machines. Renaming one breaks alarms and dashboards that count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// The event that reached the function is not what the rule's SQL selects.
    NotARuleMessage,
    /// The field `payload` is not base64.
    NotBase64,
    /// The device's bytes are not UTF-8.
    NotUtf8,
    /// The device's bytes are not JSON.
    NotJson,
    /// A reading is something else than a JSON object.
    NotAnObject,
    /// A batch holds no reading at all.
    EmptyBatch,
    /// A batch holds more readings than [`crate::Readings::MAX_BATCH`].
    BatchTooLarge,
    /// A field that is needed is missing (or `null`).
    MissingField,
    /// A field has another JSON type than it must have.
    WrongType,
    /// A string or number that is no finite decimal number.
    NotANumber,
    /// The reading's `name` is empty, too long, or holds a character that is refused everywhere.
    InvalidName,
    /// The topic's thing is no valid thing name, or a reserved one.
    InvalidThingName,
    /// A certificate's id is not 64 lower-case hexadecimal digits.
    InvalidCertificateId,
    /// The topic is none of those that the function understands.
    UnknownTopic,
}

impl RefusalCode {
    /// The code as it stands in logs, metrics and dead letters, for example `not-json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotARuleMessage => "not-a-rule-message",
            Self::NotBase64 => "not-base64",
            Self::NotUtf8 => "not-utf8",
            Self::NotJson => "not-json",
            Self::NotAnObject => "not-an-object",
            Self::EmptyBatch => "empty-batch",
            Self::BatchTooLarge => "batch-too-large",
            Self::MissingField => "missing-field",
            Self::WrongType => "wrong-type",
            Self::NotANumber => "not-a-number",
            Self::InvalidName => "invalid-name",
            Self::InvalidThingName => "invalid-thing-name",
            Self::InvalidCertificateId => "invalid-certificate-id",
            Self::UnknownTopic => "unknown-topic",
        }
    }
}

/// A refused message: what is wrong, what was expected, and the code that names it.
///
/// The text never repeats the payload, only names of fields and their JSON types: it goes into logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}", code = .code.as_str())]
pub struct Refusal {
    /// The stable code.
    pub code: RefusalCode,
    /// One sentence for people: what was expected and what came instead.
    pub detail: String,
}

impl Refusal {
    /// A refusal with its sentence.
    #[must_use]
    pub fn new(code: RefusalCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_in_a_dead_letter_is_the_code_in_the_log() {
        for code in [RefusalCode::NotARuleMessage, RefusalCode::NotUtf8, RefusalCode::BatchTooLarge] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn a_refusal_reads_as_code_and_sentence() {
        let refusal = Refusal::new(RefusalCode::MissingField, "the field `humidity` is missing");
        assert_eq!(refusal.to_string(), "missing-field: the field `humidity` is missing");
    }
}
