//! `bench`: the figures of the release builds.

use std::process::{Command, ExitCode};

use clap::ValueEnum as _;

use crate::build::Metadata;
use crate::cli::{Bench, BenchOptions};
use crate::failure::Failure;
use crate::process;
use crate::project::Project;
use crate::venv::Venv;

pub(crate) fn run(project: &Project, options: &BenchOptions) -> Result<ExitCode, Failure> {
    // First: what is missing on the machine shows before the long build.
    if options.what != Bench::Sealed {
        Venv::Emulator.ensure(project)?;
    }
    if options.what != Bench::Functions {
        Venv::Official.ensure(project)?;
    }
    if !process::inherit(project, "build for release", build(project, options))?.success() {
        return Err(Failure::new("build-failed", "the build failed; the compiler says above why."));
    }
    if !process::inherit(project, "measure", measure(project, options)?)?.success() {
        return Err(Failure::new("step-failed", "the measurement stopped; it says above why."));
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole workspace, so that the features are those of the build for AWS. The encrypted format needs no function, and
/// what it stands on has the same features in any build.
fn build(project: &Project, options: &BenchOptions) -> Command {
    let mut command = project.cargo();
    command.args(["build", "--release", "--locked"]);
    match options.what {
        Bench::Sealed => command.args(["--package", "loam-bench", "--bin", "loam-bench", "--bin", "bench-sealed"]),
        Bench::Functions | Bench::All => command.args(["--workspace", "--bins"]),
    };
    if options.aws_lc {
        command.args(["--features", "loam-bench/aws-lc"]);
    }
    command
}

fn measure(project: &Project, options: &BenchOptions) -> Result<Command, Failure> {
    let bootstraps = Metadata::read(project)?.target_directory.join("release");
    let mut command = Command::new(bootstraps.join("loam-bench"));
    command.arg("--bootstraps").arg(&bootstraps);
    if let Some(what) = options.what.to_possible_value() {
        command.arg("--what").arg(what.get_name());
    }
    command.arg("--python").arg(Venv::Emulator.program(project, "python"));
    command.arg("--official").arg(Venv::Official.program(project, "python"));
    command.arg("--reference").arg(project.file("bench/reference"));
    command.arg("--work").arg(project.instance("bench"));
    for (name, value) in [
        ("--rounds", options.rounds),
        ("--starts", options.starts),
        ("--messages", options.messages),
        ("--growth", options.growth),
    ] {
        command.arg(name).arg(value.to_string());
    }
    Ok(command)
}
