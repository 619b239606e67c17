//! How many tests passed and failed, read from what the test runners say at their end.

use std::fmt;
use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    /// One check that is no test of its own runner.
    pub(crate) fn of_check(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// What a runner's summary line counts; `None` for any other line. nextest, libtest and pytest are understood.
    pub(crate) fn in_line(line: &str) -> Option<Self> {
        // Not trimmed: nextest shows what a failed test said, libtest's own summary included, indented.
        if let Some(rest) = line.strip_prefix("test result: ") {
            return Some(sum(rest.split_once(". ")?.1));
        }
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("Summary [") {
            return Some(sum(rest.split_once("run:")?.1));
        }
        let line = line.trim_matches(['=', ' ']);
        let (counted, time) = line.rsplit_once(" in ")?;
        let is_pytest = counted.starts_with(|c: char| c.is_ascii_digit()) && time.trim_end_matches(')').contains('s');
        is_pytest.then(|| sum(counted))
    }

    /// A runner that failed without counting a failure (it could not even begin) counts as one failure.
    pub(crate) fn or_one_failure(self, success: bool) -> Self {
        if success || self.failed > 0 { self } else { Self { failed: 1, ..self } }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Adds up a list like `3 passed (1 slow), 1 timed out, 2 skipped`.
fn sum(list: &str) -> Counts {
    let mut counts = Counts::default();
    for part in list.split([',', ';']) {
        let Some((number, what)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match what.split(" (").next().unwrap_or_default() {
            "passed" => counts.passed += number,
            "failed" | "timed out" | "exec failed" | "error" | "errors" => counts.failed += number,
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64) -> Option<Counts> {
        Some(Counts { passed, failed })
    }

    #[test]
    fn a_failed_tests_own_summary_within_nextests_report_is_not_counted_again() {
        let line = "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out";
        assert_eq!(Counts::in_line(line), None);
    }

    #[test]
    fn nextest_counts_failures_of_every_kind_and_no_detail_twice() {
        let line = "     Summary [   1.234s] 14 tests run: 11 passed (2 slow, 1 flaky), 1 failed, 1 timed out, 1 exec failed, 3 skipped";
        assert_eq!(Counts::in_line(line), counts(11, 3));
        assert_eq!(Counts::in_line("     Summary [   0.002s] 1 test run: 1 passed, 0 skipped"), counts(1, 0));
        assert_eq!(Counts::in_line("     Summary [   0.000s] 0 tests run: 0 passed, 9 skipped"), counts(0, 0));
    }

    #[test]
    fn libtest_counts_each_binary() {
        let line = "test result: FAILED. 4 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(Counts::in_line(line), counts(4, 2));
    }

    #[test]
    fn pytest_counts_errors_as_failures_and_warnings_as_nothing() {
        let line = "===== 1 failed, 5 passed, 2 warnings, 3 errors in 12.34s =====";
        assert_eq!(Counts::in_line(line), counts(5, 4));
        assert_eq!(Counts::in_line("7 passed in 75.02s (0:01:15)"), counts(7, 0));
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in ["", "running 3 tests", "test a ... ok", "3 things in a row", "        PASS [   0.1s] a::b"] {
            assert_eq!(Counts::in_line(line), None, "{line}");
        }
    }

    #[test]
    fn a_runner_that_could_not_begin_is_one_failure() {
        assert_eq!(Counts::default().or_one_failure(false), Counts { passed: 0, failed: 1 });
        assert_eq!(Counts { passed: 2, failed: 3 }.or_one_failure(false), Counts { passed: 2, failed: 3 });
        assert_eq!(Counts { passed: 2, failed: 0 }.or_one_failure(true), Counts { passed: 2, failed: 0 });
    }

    #[test]
    fn the_last_line_reads_as_promised() {
        assert_eq!(Counts { passed: 12, failed: 0 }.to_string(), "12 passed, 0 failed");
    }
}
