use winnow::error::ParserError;
use winnow::stream::Stream;

use crate::error::QueryError;
use crate::expected::Expected;

/// The longest piece of a filter that an error repeats, in characters.
const MAX_FOUND: usize = 40;

/// Why a parser did not match: `None` lets another one try, an error is final. Winnow asks for this distinction; an error
/// that was found is always more exact than what a later alternative would say.
#[derive(Debug)]
pub(crate) struct Miss(Option<Box<QueryError>>);

impl Miss {
    pub(crate) fn at(position: usize, found: String, expected: &Expected) -> Self {
        Self(Some(Box::new(refusal(position, found, expected))))
    }

    /// This miss's own error, or the one that `make` says.
    pub(crate) fn or_else(self, make: impl FnOnce() -> Self) -> Self {
        if self.0.is_some() { self } else { make() }
    }

    /// The error; `fallback` stands for a mistake that no parser named.
    pub(crate) fn into_error(self, fallback: impl FnOnce() -> QueryError) -> QueryError {
        self.0.map_or_else(fallback, |error| *error)
    }
}

pub(crate) fn refusal(position: usize, found: String, expected: &Expected) -> QueryError {
    let Expected { code, what, hint, example } = *expected;
    QueryError { code, position, found, expected: what, hint, example }
}

/// A piece of the filter as an error repeats it: shortened, in backquotes.
pub(crate) fn quoted(piece: &str) -> String {
    if piece.is_empty() {
        return "the end".to_owned();
    }
    let short: String = piece.chars().take(MAX_FOUND).collect();
    let dots = if short.len() < piece.len() { "..." } else { "" };
    format!("`{short}{dots}`")
}

impl<I: Stream> ParserError<I> for Miss {
    type Inner = Self;

    fn from_input(_: &I) -> Self {
        Self(None)
    }

    fn is_backtrack(&self) -> bool {
        self.0.is_none()
    }

    fn into_inner(self) -> Result<Self::Inner, Self> {
        Ok(self)
    }
}
