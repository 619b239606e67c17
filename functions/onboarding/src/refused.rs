use loam_domain::{Refusal, RefusalCode};

use crate::description::{LARGEST_FIRMWARE, LONGEST_CAPABILITY, MOST_CAPABILITIES};

/// Why a description was refused; it can never succeed and is kept.
///
/// `Display` names fields, never their values: it goes into logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What the vocabulary of all functions refuses: envelope, bytes, JSON, topic, names, types.
    #[error(transparent)]
    Message(#[from] Refusal),
    /// A text is longer than the catalog takes.
    #[error("too-long: the field `{field}` has more than {most} characters: shorten it")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Its most characters.
        most: usize,
    },
    /// The field `clientId` names another than the thing that published.
    #[error("not-itself: the field `clientId` is not the thing of the topic: a device describes only itself")]
    NotItself,
    /// The list `capabilities` is too long.
    #[error("too-many-capabilities: there are {found} capabilities, expected at most {MOST_CAPABILITIES}")]
    TooManyCapabilities {
        /// How many there are.
        found: usize,
    },
    /// An entry of `capabilities` is no plain word.
    #[error("invalid-capability: a capability is no word of 1 to {LONGEST_CAPABILITY} characters of [A-Za-z0-9._:-]")]
    InvalidCapability,
    /// The field `firmware` is too large.
    #[error("firmware-too-large: the field `firmware` has more than {LARGEST_FIRMWARE} bytes: say less")]
    FirmwareTooLarge,
}

impl Refused {
    /// A refusal of the vocabulary of all functions.
    pub(crate) fn message(code: RefusalCode, detail: String) -> Self {
        Self::Message(Refusal::new(code, detail))
    }

    /// The stable code, for example `too-long`; the first word of the message.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Message(refusal) => refusal.code.as_str(),
            Self::TooLong { .. } => "too-long",
            Self::NotItself => "not-itself",
            Self::TooManyCapabilities { .. } => "too-many-capabilities",
            Self::InvalidCapability => "invalid-capability",
            Self::FirmwareTooLarge => "firmware-too-large",
        }
    }

    /// The sentence without the code.
    #[must_use]
    pub fn detail(&self) -> String {
        let text = self.to_string();
        text.strip_prefix(self.code()).and_then(|text| text.strip_prefix(": ")).unwrap_or(&text).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_begins_with_its_code() {
        let all = [
            Refused::message(RefusalCode::NotJson, "x".to_owned()),
            Refused::TooLong { field: "type", most: 128 },
            Refused::NotItself,
            Refused::TooManyCapabilities { found: 65 },
            Refused::InvalidCapability,
            Refused::FirmwareTooLarge,
        ];
        for refused in all {
            assert_eq!(refused.to_string(), format!("{}: {}", refused.code(), refused.detail()));
        }
    }
}
