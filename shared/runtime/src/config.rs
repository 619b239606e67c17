use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Everything that is wrong with a function's environment, at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the function's configuration is wrong: {}", .problems.join("; "))]
pub struct ConfigError {
    /// One sentence per variable.
    pub problems: Vec<String>,
}

/// Reads a function's environment variables into typed values and remembers every bad one.
///
/// A variable that is set but empty counts as missing: that is how a template passes "nothing".
pub struct Environment<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl<'a> Environment<'a> {
    /// Reads through `lookup`: [`process_environment`] in `main`, a map in tests.
    #[must_use]
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, problems: Vec::new() }
    }

    /// A variable that must be set; an empty text (and a remembered problem) where it is not.
    pub fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is missing"));
            String::new()
        })
    }

    /// A variable that may be missing.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// A number within `range`, or `default` where it is missing.
    pub fn number<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = self.optional(name) else { return default };
        match text.parse::<T>() {
            Ok(value) if range.contains(&value) => value,
            _ => {
                self.problems.push(format!("{name} is {text:?}, expected {} to {}", range.start(), range.end()));
                default
            }
        }
    }

    /// One of `choices` by its word; the first one where it is missing.
    pub fn choice<T: Copy>(&mut self, name: &str, first: (&str, T), others: &[(&str, T)]) -> T {
        let Some(text) = self.optional(name) else { return first.1 };
        let mut choices = std::iter::once(&first).chain(others);
        choices.find(|(word, _)| *word == text).map_or_else(
            || {
                let words: Vec<_> = std::iter::once(first.0).chain(others.iter().map(|(word, _)| *word)).collect();
                self.problems.push(format!("{name} is {text:?}, expected one of {}", words.join(", ")));
                first.1
            },
            |(_, choice)| *choice,
        )
    }

    /// The finished configuration.
    ///
    /// # Errors
    /// Every problem that was met on the way.
    pub fn finish<T>(self, config: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigError { problems: self.problems }) }
    }
}

/// The process's own environment, for `main`.
#[must_use]
pub fn process_environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the edge: the one place that reads the environment")]
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "TOPIC" => Some("arn".to_owned()),
            "LIMIT" => Some("35".to_owned()),
            "WORD" => Some("sideways".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn every_bad_variable_is_named_at_once() {
        let mut environment = Environment::new(&lookup);
        environment.text("EMPTY");
        environment.number("LIMIT", 1, 0..=34);
        environment.choice("WORD", ("up", 1), &[("down", 2)]);
        let problems = environment.finish(()).unwrap_err().problems;
        assert_eq!(
            problems,
            ["EMPTY is missing", "LIMIT is \"35\", expected 0 to 34", "WORD is \"sideways\", expected one of up, down"]
        );
    }

    #[test]
    fn defaults_stand_in_for_what_is_missing() {
        let mut environment = Environment::new(&lookup);
        let config = (
            environment.text("TOPIC"),
            environment.number("LIMIT", 1, 0..=35),
            environment.number("OTHER", 7, 0..=10),
            environment.choice("MODE", ("up", 1), &[("down", 2)]),
        );
        assert_eq!(environment.finish(config).unwrap(), ("arn".to_owned(), 35, 7, 1));
    }
}
