//! `test`: every level against a local AWS of its own, and the counts at the end.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::build::{self, Metadata};
use crate::cli::TestOptions;
use crate::counts::Counts;
use crate::deploy::{self, Joining};
use crate::emulator::LocalAws;
use crate::failure::Failure;
use crate::figures::Figures;
use crate::keys::hide_the_persons_own;
use crate::ports;
use crate::process;
use crate::project::{Project, make_folder};
use crate::runner::Runner;
use crate::session::Session;
use crate::staging::Staging;
use crate::state::Running;
use crate::static_checks::{self, Check};
use crate::terminal;
use crate::test_levels::{self, Level};
use crate::venv::Venv;

/// `target/test`, beside the `target/local` of `up`.
const INSTANCE: &str = "test";
const STACK: &str = "loam-test";

pub(crate) fn run(project: &Project, options: &TestOptions) -> Result<ExitCode, Failure> {
    let folder = project.instance(INSTANCE);
    make_folder(&folder.join("log"))?;
    let mut test = Test { project, folder, filter: options.filter.as_deref(), counts: Counts::default() };
    if let Err(failure) = test.levels(&test_levels::chosen(&options.level)) {
        // What stops the tests is one failure among them; only the person's own wish ends without counts.
        project.interrupt.check()?;
        terminal::failure(&failure);
        test.counts += Counts::of_check(false);
    }
    let counts = test.counts;
    if counts == Counts::default() {
        terminal::note("  no test was run: no name contains what was typed, or the level has none");
    }
    terminal::say(&counts.to_string());
    let good = counts.failed == 0 && counts.passed > 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A local AWS of its own in `folder`, with everything deployed to it as `stack`.
pub(crate) fn deployed<'a>(
    project: &'a Project,
    metadata: &Metadata,
    folder: &Path,
    stack: &str,
) -> Result<Session<'a>, Failure> {
    let staging = staged(project, metadata, folder)?;
    begun(project, &staging, local(folder, stack, ports::free()?))
}

/// Two of them side by side, the second in a folder within the first's. One local AWS is one thread of Python:
/// tests that keep it busy leave other cores idle, and wait for it until clients lose their patience.
fn deployed_twice<'a>(
    project: &'a Project,
    metadata: &Metadata,
    folder: &Path,
    stack: &str,
) -> Result<[Session<'a>; 2], Failure> {
    let staging = staged(project, metadata, folder)?;
    let [port, mqtt_port, other_port, other_mqtt_port] = ports::free()?;
    let first = local(folder, stack, [port, mqtt_port]);
    // The same name: what calls cost depends on the length of the names in them.
    let second = local(&folder.join("second"), stack, [other_port, other_mqtt_port]);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| begun(project, &staging, second));
        let first = begun(project, &staging, first);
        let second =
            second.join().map_err(|_panic| Failure::new("panic", "a deployment ended by a panic".to_owned()))?;
        Ok([first?, second?])
    })
}

fn staged(project: &Project, metadata: &Metadata, folder: &Path) -> Result<Staging, Failure> {
    if Running::find(folder).is_some() {
        let folder = folder.display();
        return Err(Failure::new("tests-running", format!("tests run here already ({folder}); wait for their end.")));
    }
    Venv::Sam.ensure(project)?;
    Staging::fill(project, metadata, folder)
}

fn local(folder: &Path, stack: &str, [port, mqtt_port]: [u16; 2]) -> LocalAws {
    let email = "grower@example.com".to_owned();
    LocalAws { folder: folder.to_path_buf(), port, mqtt_port, stack: stack.to_owned(), email }
}

fn begun<'a>(project: &'a Project, staging: &Staging, local: LocalAws) -> Result<Session<'a>, Failure> {
    let mut session = Session::new(project, local, None)?;
    let keys = session.ensure_emulator(false)?;
    session.ensure_deployed(staging, &keys, Joining::Seeded)?;
    Ok(session)
}

/// The template as plain JSON, for tests that read it; answers its place in `folder`.
pub(crate) fn expand(project: &Project, folder: &Path) -> Result<PathBuf, Failure> {
    let to = folder.join("template.json");
    process::run(project, "template: expand", static_checks::expand(project, &to), &folder.join("log/expand.log"))?;
    Ok(to)
}

/// What the tests on a local AWS are told. They take addresses and keys from stack.json alone: a variable would
/// silently win over a wiretap's address.
pub(crate) struct Variables {
    template: PathBuf,
    stacks: OsString,
    handler_logs: PathBuf,
}

impl Variables {
    /// Of the stacks of `sessions`, whose tests' logs lie with the first; those of earlier tests are gone.
    pub(crate) fn new(sessions: &[Session<'_>], template: &Path) -> Result<Self, Failure> {
        let [first, ..] = sessions else { return Err(Failure::new("no-local-aws", "no local AWS runs".to_owned())) };
        let stacks = std::env::join_paths(sessions.iter().map(|session| session.local.folder.join(deploy::STACK_FILE)))
            .map_err(|error| Failure::new("folder-name", format!("the project's folder cannot be used: {error}")))?;
        let handler_logs = first.local.log("handlers");
        if handler_logs.exists() {
            std::fs::remove_dir_all(&handler_logs).map_err(|error| Failure::io("remove", &handler_logs, &error))?;
        }
        make_folder(&handler_logs)?;
        Ok(Self { template: template.to_path_buf(), stacks, handler_logs })
    }

    pub(crate) fn give_to(&self, command: &mut Command) {
        hide_the_persons_own(command);
        command.env("LOAM_TEMPLATE", &self.template).env("LOAM_STACK", &self.stacks);
        command.env("LOAM_HANDLER_LOGS", &self.handler_logs);
    }
}

fn show_end_of_log(session: &Session<'_>) {
    let log = session.local.log("emulator.log");
    terminal::note(&format!("  the end of the local AWS's log, {}:", log.display()));
    process::show_log_tail(&log);
}

struct Test<'a> {
    project: &'a Project,
    folder: PathBuf,
    filter: Option<&'a str>,
    counts: Counts,
}

impl Test<'_> {
    fn levels(&mut self, levels: &[Level]) -> Result<(), Failure> {
        if levels.contains(&Level::Pure) && self.filter.is_none() {
            for check in static_checks::of_rust(self.project) {
                self.check_with_terminal(check)?;
            }
        }
        build::everything(self.project)?;
        let metadata = Metadata::read(self.project)?;
        let runner = Runner::find(self.project, &metadata, self.filter);
        if levels.contains(&Level::Pure) {
            self.level(&runner, Level::Pure, |_| ())?;
            self.documentation()?;
        }
        let rest: Vec<Level> = levels.iter().copied().filter(|level| *level != Level::Pure).collect();
        if rest.is_empty() || !runner.has_tests_or_checks(&rest)? {
            return Ok(());
        }
        Venv::Emulator.ensure(self.project)?;
        let template = expand(self.project, &self.folder)?;
        if rest.contains(&Level::Contract) {
            Venv::App.ensure(self.project)?;
            Venv::Official.ensure(self.project)?;
            self.level(&runner, Level::Contract, |command| {
                command.env("LOAM_TEMPLATE", &template);
            })?;
            self.contract_checks()?;
        }
        let rest: Vec<Level> = rest.into_iter().filter(|level| level.needs_local_aws()).collect();
        if rest.is_empty() || !runner.has_tests(&rest)? {
            return Ok(());
        }
        self.levels_on_local_aws(&runner, &metadata, &rest, &template)
    }

    /// The examples in the documentation, which nextest does not know.
    fn documentation(&mut self) -> Result<(), Failure> {
        if self.filter.is_some() {
            return Ok(());
        }
        let (counts, success) = self.show_and_count(static_checks::documentation(self.project))?;
        self.counts += counts.or_one_failure(success);
        Ok(())
    }

    fn contract_checks(&mut self) -> Result<(), Failure> {
        if self.filter.is_some() {
            return Ok(());
        }
        for check in static_checks::of_template(self.project)? {
            let status = self.show_and_count(check)?.1;
            self.counts += Counts::of_check(status);
        }
        let (counts, success) = self.show_and_count(static_checks::probes(self.project))?;
        self.counts += counts.or_one_failure(success);
        Ok(())
    }

    fn check_with_terminal(&mut self, check: Check) -> Result<(), Failure> {
        let status = process::inherit(self.project, check.title, check.command)?;
        self.counts += Counts::of_check(status.success());
        Ok(())
    }

    /// Runs a check; what it says is only shown if it fails.
    fn show_and_count(&self, check: Check) -> Result<(Counts, bool), Failure> {
        let (mut counts, mut lines) = (Counts::default(), Vec::new());
        let status = process::run_lines(self.project, check.title, check.command, |_, line, _| {
            counts += Counts::in_line(line).unwrap_or_default();
            lines.push(line.to_owned());
        })?;
        if !status.success() {
            lines.iter().for_each(|line| terminal::note(&format!("    {line}")));
        }
        Ok((counts, status.success()))
    }

    fn levels_on_local_aws(
        &mut self,
        runner: &Runner<'_>,
        metadata: &Metadata,
        levels: &[Level],
        template: &Path,
    ) -> Result<(), Failure> {
        if levels.contains(&Level::Handler) {
            Venv::Official.ensure(self.project)?;
        }
        if levels.contains(&Level::Journey) {
            Venv::Schemathesis.ensure(self.project)?;
        }
        // A few tests that somebody asked for by name are sooner done than a second deployment.
        let sessions = if self.filter.is_some() {
            vec![deployed(self.project, metadata, &self.folder, STACK)?]
        } else {
            Vec::from(deployed_twice(self.project, metadata, &self.folder, STACK)?)
        };
        let variables = Variables::new(&sessions, template)?;
        for level in levels.iter().copied() {
            let good = self.level(runner, level, |command| variables.give_to(command))?;
            if !good {
                sessions.iter().for_each(show_end_of_log);
            }
        }
        Ok(())
    }

    /// Runs the Rust tests of one level; answers whether all of them passed.
    fn level(&mut self, runner: &Runner<'_>, level: Level, equip: impl FnOnce(&mut Command)) -> Result<bool, Failure> {
        let Some(mut command) = runner.command(level) else { return Ok(true) };
        let figures = Figures::of(&self.folder)?;
        equip(&mut command);
        figures.ask(&mut command);
        let mut counts = Counts::default();
        let title = format!("{}: Rust tests", level.name());
        let status = process::run_lines(self.project, &title, command, |_, line, progress| {
            let counted = Counts::in_line(line);
            counts += counted.unwrap_or_default();
            if runner.is_worth_showing(line) && counted.is_none() {
                progress.clear();
                terminal::note(line);
            }
        })?;
        let counts = counts.or_one_failure(status.success());
        figures.show();
        terminal::note(&format!("        {}: {counts}", level.name()));
        self.counts += counts;
        Ok(counts.failed == 0)
    }
}
