//! Everything that a person sees. Progress and failures go to stderr, results and live lines to stdout.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

use crate::failure::Failure;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();
/// A step says nothing before this time: what is over sooner needs no progress.
const SILENCE: Duration = Duration::from_secs(2);
/// Without a terminal each progress is a line of a log, so fewer of them.
const SILENCE_IN_A_LOG: Duration = Duration::from_secs(10);

const WIDTH_OF_A_LOG: usize = 120;

/// A result line.
pub(crate) fn say(line: &str) {
    write_ignoring_a_closed_pipe(&mut anstream::stdout(), format_args!("{line}\n"));
}

/// A result line in a colour.
pub(crate) fn say_in(style: Style, line: &str) {
    write_ignoring_a_closed_pipe(&mut anstream::stdout(), format_args!("{style}{line}{style:#}\n"));
}

/// A remark beside the results.
pub(crate) fn note(line: &str) {
    write_ignoring_a_closed_pipe(&mut anstream::stderr(), format_args!("{line}\n"));
}

pub(crate) fn failure(failure: &Failure) {
    let code = failure.code();
    write_ignoring_a_closed_pipe(&mut anstream::stderr(), format_args!("{BAD}error[{code}]{BAD:#}: {failure}\n"));
}

// `cargo xtask up | head` ends the reader first; that is no reason to panic half way through an orderly end.
fn write_ignoring_a_closed_pipe(to: &mut impl Write, text: std::fmt::Arguments<'_>) {
    drop(to.write_fmt(text).and_then(|()| to.flush()));
}

/// The progress of one step: a line that is written over on a terminal, a line every ten seconds elsewhere.
pub(crate) struct Progress {
    title: String,
    started: Instant,
    last: Instant,
    on_terminal: bool,
    drawn: bool,
}

impl Progress {
    pub(crate) fn start(title: &str) -> Self {
        let now = Instant::now();
        Self { title: title.to_owned(), started: now, last: now, on_terminal: io::stderr().is_terminal(), drawn: false }
    }

    /// Shows the time so far and what is being done, if it is time to.
    pub(crate) fn tick(&mut self, detail: &str) {
        let pause = if self.on_terminal { SILENCE } else { SILENCE_IN_A_LOG };
        if self.last.elapsed() < pause {
            return;
        }
        self.last = Instant::now();
        let line = format!("  {} ... {} s  {detail}", self.title, self.started.elapsed().as_secs());
        if self.on_terminal {
            self.drawn = true;
            let line = fitted(&line, width());
            write_ignoring_a_closed_pipe(&mut anstream::stderr(), format_args!("\r\x1b[2K{QUIET}{line}{QUIET:#}"));
        } else {
            note(&fitted(&line, WIDTH_OF_A_LOG));
        }
    }

    /// Makes room for a line of somebody else.
    pub(crate) fn clear(&mut self) {
        if self.drawn {
            self.drawn = false;
            write_ignoring_a_closed_pipe(&mut anstream::stderr(), format_args!("\r\x1b[2K"));
        }
    }

    pub(crate) fn done(mut self, good: bool) {
        self.clear();
        let (style, mark) = if good { (GOOD, "ok") } else { (BAD, "failed") };
        let seconds = self.started.elapsed().as_secs_f64();
        note(&format!("{style}{mark:>6}{style:#}  {} ({seconds:.1} s)", self.title));
    }
}

fn width() -> usize {
    // Some terminals do not know: they say 0.
    let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { 80 } else { columns }
}

/// `line` without control characters, cut to fit one terminal line.
fn fitted(line: &str, width: usize) -> String {
    line.chars().filter(|c| !c.is_control()).take(width.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_progress_line_leaves_the_last_column_free() {
        assert_eq!(fitted("abcdef", 5), "abcd");
        assert_eq!(fitted("abcd", 5), "abcd");
    }

    #[test]
    fn control_characters_of_a_program_do_not_reach_the_terminal() {
        assert_eq!(fitted("a\x1b[2Kb\tc", 80), "a[2Kbc");
    }
}
