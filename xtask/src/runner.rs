//! The runner of the Rust tests: nextest where it is installed, else cargo's own.

use std::process::Command;

use crate::build::Metadata;
use crate::failure::Failure;
use crate::process;
use crate::project::Project;
use crate::test_levels::Level;

pub(crate) struct Runner<'a> {
    project: &'a Project,
    metadata: &'a Metadata,
    filter: Option<&'a str>,
    nextest: bool,
}

impl<'a> Runner<'a> {
    pub(crate) fn find(project: &'a Project, metadata: &'a Metadata, filter: Option<&'a str>) -> Self {
        let nextest = process::answers(project.cargo().args(["nextest", "--version"]));
        Self { project, metadata, filter, nextest }
    }

    /// What runs the tests of `level`; `None` if the workspace has none.
    pub(crate) fn command(&self, level: Level) -> Option<Command> {
        let mut command = self.project.cargo();
        if self.nextest {
            command.args(["nextest", "run", "--workspace", "--cargo-quiet", "--no-fail-fast", "--no-tests", "pass"]);
            command.args(["--status-level", "slow", "--final-status-level", "fail", "--failure-output", "immediate"]);
            command.args(["--hide-progress-bar", "-E", &self.narrowed(&[level])]);
            if level == Level::Faults {
                // Stories of faults mostly wait: for the next attempt of a client, for a lease to end.
                command.arg("--test-threads").arg((3 * cores()).to_string());
            }
        } else {
            command.args(["test", "--workspace", "--quiet", "--no-fail-fast"]);
            command.args(level.cargo_test_arguments(self.metadata)?);
            command.arg("--").args(self.filter);
        }
        // A test says where and why it failed; the runtime's frames below would hide it.
        command.env("RUST_BACKTRACE", "0");
        Some(command)
    }

    /// Whether there is anything to do for these levels: their checks, left out under a filter, or a test.
    pub(crate) fn has_tests_or_checks(&self, levels: &[Level]) -> Result<bool, Failure> {
        if self.filter.is_none() && levels.contains(&Level::Contract) {
            return Ok(true);
        }
        self.has_tests(levels)
    }

    /// Whether any test of these levels would run; so that nothing is started for none.
    pub(crate) fn has_tests(&self, levels: &[Level]) -> Result<bool, Failure> {
        if !self.nextest {
            return Ok(levels.iter().any(|level| level.cargo_test_arguments(self.metadata).is_some()));
        }
        let mut command = self.project.cargo();
        command.args(["nextest", "list", "--workspace", "--cargo-quiet", "--message-format", "json"]);
        command.args(["-E", &self.narrowed(levels)]);
        let output = command.output().map_err(|error| cannot_list(&error.to_string()))?;
        if !output.status.success() {
            return Err(cannot_list(&String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).contains(r#"{"status":"matches"}"#))
    }

    fn narrowed(&self, levels: &[Level]) -> String {
        let levels: Vec<_> = levels.iter().map(|level| format!("({})", level.expression(self.metadata))).collect();
        let levels = levels.join(" + ");
        match self.filter {
            Some(filter) => format!("({levels}) & test(~{})", escaped(filter)),
            None => levels,
        }
    }

    /// Leaves out what cargo's own runner says about every single binary.
    pub(crate) fn is_worth_showing(&self, line: &str) -> bool {
        let line = line.trim();
        !(line.is_empty()
            || line.starts_with("running ")
            || line.starts_with("Starting ")
            || line.starts_with("Nextest run ID")
            || line.chars().all(|c| c == '.' || c == '─'))
    }
}

/// How many processors there are; one if nobody can tell.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn cannot_list(why: &str) -> Failure {
    Failure::new("cannot-list-tests", format!("nextest cannot list the tests: {}", why.trim()))
}

/// `text` as a name in nextest's language.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| if "\\(),/".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_commas_and_slashes_in_a_filter_are_text() {
        assert_eq!(escaped("a(b),c/d"), r"a\(b\)\,c\/d");
    }
}
