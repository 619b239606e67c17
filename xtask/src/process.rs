//! Programs that a verb runs to their end. Each is the leader of a process group of its own, so that it can be ended
//! with all that it started, and nothing else with it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::failure::Failure;
use crate::group;
use crate::interrupt::rest;
use crate::project::Project;
use crate::terminal::{self, Progress};

/// Between two looks at a child.
const LOOK: Duration = Duration::from_millis(50);
/// So many last lines of a program that failed are shown.
const TAIL: usize = 20;
/// Of the local AWS more: it speaks for all functions.
const LOG_TAIL: usize = 40;

/// Where a line of a child came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Runs `command` with its output kept in `log`; a failure shows the end of it.
pub(crate) fn run(project: &Project, title: &str, command: Command, log: &Path) -> Result<(), Failure> {
    let mut file = File::create(log).map_err(|error| Failure::io("write", log, &error))?;
    let mut lines = Vec::new();
    let status = run_lines(project, title, command, |_, line, _| {
        drop(writeln!(file, "{line}"));
        lines.push(line.to_owned());
    })?;
    if status.success() {
        return Ok(());
    }
    show_tail(&lines, TAIL);
    Err(Failure::new("step-failed", format!("{title}: failed ({status}). All that it said is in {}.", log.display())))
}

/// Runs `command` and returns what it wrote to stdout. Nothing of it is kept in a file: it may hold keys.
pub(crate) fn capture(project: &Project, title: &str, command: Command) -> Result<String, Failure> {
    let (mut out, mut err) = (String::new(), Vec::new());
    let status = run_lines(project, title, command, |stream, line, _| match stream {
        Stream::Out => {
            out.push_str(line);
            out.push('\n');
        }
        Stream::Err => err.push(line.to_owned()),
    })?;
    if status.success() {
        return Ok(out);
    }
    show_tail(&err, TAIL);
    Err(Failure::new("step-failed", format!("{title}: failed ({status}).")))
}

/// Runs `command` with this program's own terminal, so that it shows its progress itself.
pub(crate) fn inherit(project: &Project, title: &str, mut command: Command) -> Result<ExitStatus, Failure> {
    command.stdin(Stdio::null()).process_group(0);
    let mut child = spawn(&mut command)?;
    let progress = Progress::start(title);
    loop {
        if let Some(status) = child.try_wait().map_err(|error| cannot_wait(&error))? {
            project.interrupt.check()?;
            progress.done(status.success());
            return Ok(status);
        }
        if project.interrupt.requested() {
            group::end_child(&mut child);
            return Err(Failure::interrupted());
        }
        rest(LOOK);
    }
}

/// Runs `command`, giving each of its lines to `take`; its last line is shown as progress.
pub(crate) fn run_lines(
    project: &Project,
    title: &str,
    mut command: Command,
    mut take: impl FnMut(Stream, &str, &mut Progress),
) -> Result<ExitStatus, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = spawn(&mut command)?;
    let lines = lines_of(&mut child);
    let mut progress = Progress::start(title);
    let mut last = String::new();
    loop {
        match lines.recv_timeout(LOOK) {
            Ok((stream, line)) => {
                take(stream, &line, &mut progress);
                last = line;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => rest(LOOK),
        }
        if project.interrupt.requested() {
            progress.clear();
            group::end_child(&mut child);
            return Err(Failure::interrupted());
        }
        progress.tick(&last);
        if let Some(status) = child.try_wait().map_err(|error| cannot_wait(&error))? {
            // A grandchild may hold the pipes open; what the child itself said is in them by now.
            while let Ok((stream, line)) = lines.recv_timeout(LOOK) {
                take(stream, &line, &mut progress);
            }
            progress.done(status.success());
            return Ok(status);
        }
    }
}

fn lines_of(child: &mut Child) -> Receiver<(Stream, String)> {
    let (sender, receiver) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        read_lines(out, Stream::Out, sender.clone());
    }
    if let Some(err) = child.stderr.take() {
        read_lines(err, Stream::Err, sender);
    }
    receiver
}

fn read_lines(from: impl Read + Send + 'static, stream: Stream, to: Sender<(Stream, String)>) {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if to.send((stream, line)).is_err() {
                return;
            }
        }
    });
}

pub(crate) fn spawn(command: &mut Command) -> Result<Child, Failure> {
    command.spawn().map_err(|error| {
        let program = command.get_program().to_string_lossy().into_owned();
        Failure::new("cannot-start", format!("cannot start {program}: {error}"))
    })
}

fn cannot_wait(error: &std::io::Error) -> Failure {
    Failure::new("cannot-wait", format!("cannot ask the system about a program that was started: {error}"))
}

/// The end of what a failed program said.
fn show_tail(lines: &[String], most: usize) {
    for line in lines.iter().skip(lines.len().saturating_sub(most)) {
        terminal::note(&format!("    {line}"));
    }
}

/// The end of a log file; nothing if there is none.
pub(crate) fn show_log_tail(log: &Path) {
    let text = std::fs::read(log).unwrap_or_default();
    let lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    show_tail(&lines, LOG_TAIL);
}

/// Whether `program` answers `--version`-like arguments with success; its output is not shown.
pub(crate) fn answers(program: &mut Command) -> bool {
    program
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
