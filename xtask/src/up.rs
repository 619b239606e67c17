//! `up`: Loam on this machine, from nothing to live lines.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::build::{self, Metadata};
use crate::cli::UpOptions;
use crate::deploy::THINGS;
use crate::devices;
use crate::emulator::LocalAws;
use crate::failure::Failure;
use crate::interrupt::rest;
use crate::keys::Keys;
use crate::live;
use crate::next_steps;
use crate::ports;
use crate::process;
use crate::project::Project;
use crate::python;
use crate::session::Session;
use crate::staging::Staging;
use crate::state::Running;
use crate::terminal::{self, Progress};
use crate::token::{self, Caller};
use crate::venv::Venv;

/// `target/local`.
pub(crate) const INSTANCE: &str = "local";
/// The program that reads mails and archived keys.
pub(crate) const WATCH: &str = "watch";
/// On a busy machine; one second is usual.
const WATCH_DEADLINE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

pub(crate) fn run(project: &Project, options: &UpOptions) -> Result<ExitCode, Failure> {
    let folder = project.instance(INSTANCE);
    let earlier = find_or_check_ports(&folder, options)?;
    Venv::Emulator.ensure(project)?;
    Venv::Sam.ensure(project)?;
    build::programs(project)?;
    let metadata = Metadata::read(project)?;
    let staging = Staging::fill(project, &metadata, &folder)?;
    let mut session = Session::new(project, local(folder, options), earlier)?;
    let keys = session.ensure_emulator(options.detach)?;
    let stack = session.ensure_deployed(&staging, &keys)?;
    // Before the sensors, so that their first reading, a dry one, is not missed.
    let watch = watch(&session, &keys);
    session.ensure_member(WATCH, watch)?;
    wait_until_watching(&session)?;
    for (seed, thing) in THINGS.into_iter().enumerate() {
        let sensor = devices::sensor(&metadata, &session.local, thing, seed, options.interval);
        session.ensure_member(thing, sensor)?;
    }
    let operator = Caller::sign_in(project, &session.local, &keys, token::OPERATOR, &[])?;
    next_steps::print(project, &session.local, &stack, &keys, &metadata, &operator, options.detach)?;
    stay_or_follow(session, options.detach)
}

fn stay_or_follow(session: Session<'_>, detach: bool) -> Result<ExitCode, Failure> {
    if detach {
        session.stay();
        return Ok(ExitCode::SUCCESS);
    }
    let started = session.started();
    live::follow(session.project, &session.running, &started)?;
    if started.is_empty() {
        terminal::note("  Loam runs on; `cargo xtask down` ends it.");
    }
    Ok(ExitCode::SUCCESS)
}

fn local(folder: std::path::PathBuf, options: &UpOptions) -> LocalAws {
    LocalAws {
        folder,
        port: options.port,
        mqtt_port: options.mqtt_port,
        stack: options.stack.clone(),
        email: options.email.clone(),
    }
}

/// One that runs already is joined if it is what was asked for; else both ports must be free.
fn find_or_check_ports(folder: &Path, options: &UpOptions) -> Result<Option<Running>, Failure> {
    let Some(running) = Running::find(folder) else {
        if let Some(last) = Running::last(folder) {
            // The local AWS was killed from outside: what it left is of no use to anybody.
            last.members.iter().rev().for_each(crate::group::Member::end);
            Running::forget(folder);
        }
        ports::check_free(options.port, "--port", Ipv4Addr::LOCALHOST)?;
        ports::check_free(options.mqtt_port, "--mqtt-port", Ipv4Addr::LOCALHOST)?;
        return Ok(None);
    };
    let wanted = (options.port, options.mqtt_port, options.stack.as_str());
    if wanted == (running.port, running.mqtt_port, running.stack.as_str()) {
        terminal::note("  Loam runs here already; what changed is brought in.");
        return Ok(Some(running));
    }
    Err(Failure::new(
        "already-running",
        format!(
            "Loam runs here already: stack {} on the ports {} and {}. End it first: cargo xtask down.",
            running.stack, running.port, running.mqtt_port
        ),
    ))
}

fn watch(session: &Session<'_>, keys: &Keys) -> Command {
    let mut command = python::verb(session.project, "watch");
    let endpoint = session.local.endpoint();
    command.args(["--endpoint", &endpoint, "--stack", &session.local.stack]);
    command.args(["--topic-output", "AlertsTopic", "--bucket-output", "ArchiveBucket"]);
    keys.give_to(&mut command, &endpoint);
    command
}

/// Waits until the watcher listens. One that takes too long is not worth failing for: a notice may be missed then.
fn wait_until_watching(session: &Session<'_>) -> Result<(), Failure> {
    let log = session.local.log(&format!("{WATCH}.log"));
    let mut progress = Progress::start("watch notices and archive");
    let begun = Instant::now();
    while !std::fs::read_to_string(&log).is_ok_and(|said| is_watching(&said)) {
        session.project.interrupt.check()?;
        progress.tick("waiting until it listens");
        if !session.running.members.iter().any(|member| member.name == WATCH && member.runs()) {
            progress.done(false);
            process::show_log_tail(&log);
            return Err(Failure::new("watch", format!("the watcher did not start. Its log is {}.", log.display())));
        }
        if begun.elapsed() > WATCH_DEADLINE {
            progress.done(false);
            terminal::note("  the watcher has not said yet that it listens: the first notices may be missing below");
            return Ok(());
        }
        rest(LOOK);
    }
    progress.done(true);
    Ok(())
}

/// Whether the watcher's log holds its greeting, or events already.
fn is_watching(log: &str) -> bool {
    log.lines().any(|line| line.starts_with("loam_local watch: listening to ") || line.starts_with(r#"{"kind""#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watcher_listens_once_it_says_so_and_not_when_it_only_says_something() {
        assert!(is_watching("loam_local watch: listening to arn:aws:sns:us-east-1:000000000000:t\n"));
        assert!(is_watching("{\"kind\": \"archived\"}\n"));
        assert!(!is_watching("loam_local watch: the stack has no output AlertsTopic [output-not-found]\n"));
        assert!(!is_watching(""));
    }
}
