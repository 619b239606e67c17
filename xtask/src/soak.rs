//! `soak`: the tests that run every day, for long, on a local AWS of their own; what they found out is one table.

use std::process::{Command, ExitCode};

use crate::build::{self, Metadata};
use crate::cli::{Soak, SoakOptions};
use crate::counts::Counts;
use crate::failure::Failure;
use crate::process;
use crate::project::{Project, make_folder};
use crate::run_levels::{self, Variables};
use crate::terminal;
use crate::venv::Venv;

/// `target/soak`, beside the `target/test` of `test`.
const INSTANCE: &str = "soak";
const STACK: &str = "loam-soak";

/// How a test says what it found out, and how far it is.
const FIGURE: &str = "figure: ";
const PROGRESS: &str = "progress: ";

/// Some tests, run for long.
struct Piece {
    what: Soak,
    title: &'static str,
    /// Arguments of `cargo test`: the test target, and what the tests' names contain. Always of the whole workspace: of
    /// one package, dependencies would be built anew with fewer features.
    tests: &'static [&'static str],
    /// What makes them long.
    variables: &'static [(&'static str, &'static str)],
    needs_local_aws: bool,
}

const PIECES: [Piece; 12] = [
    Piece {
        what: Soak::Fuzz,
        title: "fuzz: the parsers of messages, rules and letters",
        tests: &["--test", "fuzz"],
        variables: &[("LOAM_FUZZ_RUNS", "1000000")],
        needs_local_aws: false,
    },
    Piece {
        what: Soak::Fuzz,
        title: "fuzz: the query language",
        tests: &["--test", "query", "--", "fuzz"],
        variables: &[("LOAM_FUZZ_RUNS", "1000000")],
        needs_local_aws: false,
    },
    Piece {
        what: Soak::Histories,
        title: "histories: soil-alerts' decision",
        tests: &["--test", "smart_histories"],
        variables: &[("LOAM_HISTORIES", "10000")],
        needs_local_aws: false,
    },
    Piece {
        what: Soak::Histories,
        title: "histories: decisions of telemetry, catalog, pairing and commands",
        tests: &["--lib", "--", "histories"],
        // Each of telemetry's properties takes an eighth of the cases.
        variables: &[("PROPTEST_CASES", "80000"), ("LOAM_HISTORIES", "10000")],
        needs_local_aws: false,
    },
    Piece {
        what: Soak::Histories,
        title: "histories: presence's decision",
        tests: &["--test", "presence_histories"],
        variables: &[("LOAM_HISTORIES", "10000")],
        needs_local_aws: false,
    },
    Piece {
        what: Soak::Histories,
        title: "histories: soil-alerts on the real store",
        tests: &["--test", "smart_handler", "--", "histories"],
        variables: &[("LOAM_STORE_HISTORIES", "10000"), ("LOAM_PATIENCE_SECONDS", "120")],
        needs_local_aws: true,
    },
    Piece {
        what: Soak::Histories,
        title: "histories: telemetry, presence and the catalog on the real store",
        tests: &["--test", "handler", "--", "histories"],
        variables: &[("LOAM_STORE_HISTORIES", "10000"), ("LOAM_PATIENCE_SECONDS", "120")],
        needs_local_aws: true,
    },
    Piece {
        what: Soak::Fleet,
        title: "fleet: lists and searches of 10,000 things",
        tests: &["--test", "fleet"],
        variables: &[("LOAM_FLEET", "10000")],
        needs_local_aws: true,
    },
    Piece {
        what: Soak::Fleet,
        title: "fleet: lists and searches of 100,000 things",
        tests: &["--test", "fleet"],
        variables: &[("LOAM_FLEET", "100000")],
        needs_local_aws: true,
    },
    Piece {
        what: Soak::Storm,
        title: "storm: broken messages; a store that fails",
        tests: &["--test", "storms"],
        variables: &[
            ("LOAM_STORM_EVENTS", "10000"),
            ("LOAM_MALFORMED_PER_KIND", "100"),
            ("LOAM_PATIENCE_SECONDS", "1800"),
        ],
        needs_local_aws: true,
    },
    Piece {
        what: Soak::Invoke,
        title: "invoke: calls of devices, cuts, freezes",
        tests: &["--test", "handler", "--", "process::", "no_answer_is_ever", "connection_ended_between"],
        variables: &[("LOAM_INVOKE_CALLS", "10000"), ("LOAM_INVOKE_CUTS", "100"), ("LOAM_INVOKE_FREEZES", "3")],
        needs_local_aws: true,
    },
    Piece {
        what: Soak::Schemathesis,
        title: "schemathesis: the HTTP API against openapi.json",
        tests: &["--test", "journeys", "--", "schemathesis"],
        variables: &[("LOAM_SCHEMATHESIS_EXAMPLES", "300")],
        needs_local_aws: true,
    },
];

/// After all that ran on the local AWS.
const LOGS: Piece = Piece {
    what: Soak::All,
    title: "logs: no payload, no secret",
    tests: &["--test", "logs"],
    variables: &[],
    needs_local_aws: true,
};

pub(crate) fn run(project: &Project, options: &SoakOptions) -> Result<ExitCode, Failure> {
    build::everything(project)?;
    let chosen = |piece: &&Piece| options.what == Soak::All || options.what == piece.what;
    let (local, pure): (Vec<_>, Vec<_>) = PIECES.iter().filter(chosen).partition(|piece| piece.needs_local_aws);
    let mut report = Report::default();
    for piece in pure {
        report.run(project, piece, options, |_| ())?;
    }
    if !local.is_empty() {
        on_local_aws(project, &local, options, &mut report)?;
    }
    report.print();
    Ok(if report.counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn on_local_aws(
    project: &Project,
    pieces: &[&Piece],
    options: &SoakOptions,
    report: &mut Report,
) -> Result<(), Failure> {
    let folder = project.instance(INSTANCE);
    make_folder(&folder.join("log"))?;
    Venv::Emulator.ensure(project)?;
    Venv::Schemathesis.ensure(project)?;
    let template = run_levels::expand(project, &folder)?;
    let session = [run_levels::deployed(project, &Metadata::read(project)?, &folder, STACK)?];
    let variables = Variables::new(&session, &template)?;
    for piece in pieces.iter().copied().chain([&LOGS]) {
        report.run(project, piece, options, |command| variables.give_to(command))?;
    }
    Ok(())
}

/// What came of all pieces.
#[derive(Default)]
struct Report {
    figures: Vec<String>,
    counts: Counts,
}

impl Report {
    fn run(
        &mut self,
        project: &Project,
        piece: &Piece,
        options: &SoakOptions,
        equip: impl FnOnce(&mut Command),
    ) -> Result<(), Failure> {
        let mut command = command(project, piece, options);
        equip(&mut command);
        let (mut counts, mut said) = (Counts::default(), Vec::new());
        let status = process::run_lines(project, piece.title, command, |_, line, progress| {
            counts += Counts::in_line(line).unwrap_or_default();
            if let Some(figure) = line.split_once(FIGURE).map(|(_, figure)| figure) {
                progress.clear();
                terminal::note(&format!("        {figure}"));
                self.figures.push(figure.to_owned());
            } else if !line.contains(PROGRESS) {
                said.push(line.to_owned());
            }
        })?;
        let counts = counts.or_one_failure(status.success());
        if counts.failed > 0 {
            said.iter().for_each(|line| terminal::note(&format!("    {line}")));
        }
        self.figures.push(format!("{}: {counts}", piece.title));
        self.counts += counts;
        Ok(())
    }

    fn print(&self) {
        terminal::say("");
        self.figures.iter().for_each(|figure| terminal::say(figure));
        terminal::say(&self.counts.to_string());
    }
}

fn command(project: &Project, piece: &Piece, options: &SoakOptions) -> Command {
    let (target, names) =
        piece.tests.split_at(piece.tests.iter().position(|part| *part == "--").unwrap_or(piece.tests.len()));
    let mut command = project.cargo();
    command
        .args(["test", "--quiet", "--workspace"])
        .args(target)
        .args(["--", "--nocapture"])
        .args(names.iter().skip(1));
    command.envs(piece.variables.iter().copied()).env("LOAM_SEED", options.seed.to_string());
    if let Some(minutes) = options.minutes {
        command.env("LOAM_SOAK_MINUTES", minutes.to_string());
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_long_test_has_a_piece() {
        for what in [Soak::Histories, Soak::Fuzz, Soak::Fleet, Soak::Invoke, Soak::Schemathesis, Soak::Storm] {
            assert!(PIECES.iter().any(|piece| piece.what == what), "{what:?}");
        }
        assert!(PIECES.iter().all(|piece| piece.what != Soak::All));
    }

    #[test]
    fn a_piece_names_its_target_and_its_tests_and_how_long_they_are() {
        let project = Project::open().unwrap();
        let options = SoakOptions { minutes: Some(3), what: Soak::All, seed: 7 };
        let command = command(&project, &PIECES[3], &options);
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
        let expected = ["test", "--quiet", "--workspace", "--lib", "--", "--nocapture", "histories"];
        assert_eq!(arguments, expected);
        let variable = |name: &str| {
            let value = command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
            value.map(|value| value.to_string_lossy().into_owned())
        };
        assert_eq!(variable("PROPTEST_CASES").as_deref(), Some("80000"));
        assert_eq!(variable("LOAM_SOAK_MINUTES").as_deref(), Some("3"));
        assert_eq!(variable("LOAM_SEED").as_deref(), Some("7"));
    }
}
