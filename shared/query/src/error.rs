/// What is wrong with a filter: a stable word for machines. Renaming one breaks the apps that tell their users about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueryErrorCode {
    /// The filter is empty or blank.
    EmptyFilter,
    /// The filter, or its canonical text, is longer than [`crate::MAX_TEXT_BYTES`].
    TextTooLong,
    /// The filter has more conditions than [`crate::MAX_TERMS`].
    TooManyTerms,
    /// Parentheses and `NOT`s are nested deeper than [`crate::MAX_DEPTH`].
    TooDeep,
    /// A list has more values than [`crate::MAX_LIST`].
    ListTooLong,
    /// A list has no value.
    EmptyList,
    /// A character that means nothing here, for example a double quote.
    UnexpectedCharacter,
    /// A string has no closing quote.
    UnterminatedString,
    /// Digits that are no finite decimal number.
    NotANumber,
    /// A field that no thing can have.
    UnknownField,
    /// Something else than what can stand here.
    UnexpectedToken,
    /// A value of a type with which this condition could never be true.
    WrongOperand,
    /// `groups` is compared as if it were one value.
    GroupsIsAList,
}

impl QueryErrorCode {
    /// The code as it stands in answers and logs, for example `unknown-field`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyFilter => "empty-filter",
            Self::TextTooLong => "text-too-long",
            Self::TooManyTerms => "too-many-terms",
            Self::TooDeep => "too-deep",
            Self::ListTooLong => "list-too-long",
            Self::EmptyList => "empty-list",
            Self::UnexpectedCharacter => "unexpected-character",
            Self::UnterminatedString => "unterminated-string",
            Self::NotANumber => "not-a-number",
            Self::UnknownField => "unknown-field",
            Self::UnexpectedToken => "unexpected-token",
            Self::WrongOperand => "wrong-operand",
            Self::GroupsIsAList => "groups-is-a-list",
        }
    }
}

/// A refused filter: where, what stands there, what was expected instead, and what to write.
///
/// `found` repeats a piece of the filter: fit for the answer to its author, not for a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position}: found {found}, expected {expected}. {hint} For example: {example}")]
pub struct QueryError {
    /// The kind of mistake.
    pub code: QueryErrorCode,
    /// Where it begins: the count of UTF-8 bytes before it; equal to the text's length for a mistake at its end.
    pub position: usize,
    /// What stands there, at most 40 characters of it, in backquotes; or a description such as `the end`.
    pub found: String,
    /// What can stand there.
    pub expected: &'static str,
    /// What to do: one or two sentences.
    pub hint: &'static str,
    /// A filter that has it right; it can be parsed.
    pub example: &'static str,
}
