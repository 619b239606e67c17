use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::error::QueryError;
use crate::evaluate::{Truth, evaluate};
use crate::expected::{END, FILTER, SHORT_TEXT};
use crate::expression::Expression;
use crate::lexer::tokens;
use crate::limits::MAX_TEXT_BYTES;
use crate::miss::refusal;
use crate::parser;

/// A filter that was read and checked once, ready to be asked about any number of things.
///
/// `Display` gives its canonical text: keywords in capitals, `!=` for `<>`, operators between field and value, and no
/// parenthesis that changes nothing. Reading that text gives an equal filter.
///
/// ```
/// # fn main() -> Result<(), loam_query::QueryError> {
/// let dry = loam_query::Filter::parse("properties.reported.humidity < 35 and groups contains 'east'")?;
/// let thing = serde_json::json!({"groups": ["east"], "properties": {"reported": {"humidity": 20}}});
/// assert!(dry.matches(&thing));
/// assert_eq!(dry.to_string(), "properties.reported.humidity < 35 AND groups CONTAINS 'east'");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    expression: Expression,
}

impl Filter {
    /// Reads and checks `text`. The time is linear in its length, which is limited.
    ///
    /// # Errors
    /// The first mistake, with its byte position, what was expected there, a hint and an example. The limits are
    /// [`crate::MAX_TEXT_BYTES`], [`crate::MAX_TERMS`], [`crate::MAX_DEPTH`] and [`crate::MAX_LIST`].
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        limited(text)?;
        let nothing = || refusal(text.len(), "the end".to_owned(), if text.trim().is_empty() { &FILTER } else { &END });
        let tokens = tokens(text).map_err(|miss| miss.into_error(nothing))?;
        if tokens.is_empty() {
            return Err(nothing());
        }
        let filter = Self { expression: parser::filter(text, &tokens).map_err(|miss| miss.into_error(nothing))? };
        limited(&filter.to_string())?;
        Ok(filter)
    }

    /// Whether the thing that `document` describes is selected: whether the filter is true of it, neither false nor
    /// undefined.
    ///
    /// `document` is one object with the members `deviceId` (string), `groups` (array of strings), `tags`,
    /// `properties.desired`, `properties.reported`, `connectivity` and `firmware` (objects). Each may be missing and is
    /// then undefined. Nothing is allocated.
    #[must_use]
    pub fn matches(&self, document: &Value) -> bool {
        evaluate(&self.expression, document) == Truth::True
    }
}

fn limited(text: &str) -> Result<(), QueryError> {
    if text.len() <= MAX_TEXT_BYTES {
        return Ok(());
    }
    Err(refusal(MAX_TEXT_BYTES, format!("{} bytes", text.len()), &SHORT_TEXT))
}

impl FromStr for Filter {
    type Err = QueryError;

    /// The same as [`Filter::parse`].
    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(out)
    }
}
