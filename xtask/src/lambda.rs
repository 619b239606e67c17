//! `build`: the functions for AWS, where the template looks for them.

use std::env;
use std::fs;
use std::process::{Command, ExitCode};

use crate::build::Metadata;
use crate::cli::LambdaArchitecture;
use crate::elf::{self, Machine, System};
use crate::failure::Failure;
use crate::process;
use crate::project::Project;
use crate::template;
use crate::terminal;
use crate::venv::Venv;

pub(crate) fn run(project: &Project, architecture: LambdaArchitecture) -> Result<ExitCode, Failure> {
    let programs = template::programs(project)?;
    check_rust_target(architecture)?;
    Venv::Lambda.ensure(project)?;
    let status = process::inherit(project, "build for AWS Lambda", command(project, architecture, &programs)?)?;
    if !status.success() {
        return Err(Failure::new("build-failed", "the build failed; the compiler says above why."));
    }
    let expected = Machine { system: System::Linux, architecture: architecture.machine() };
    let folder = Metadata::read(project)?.target_directory.join("lambda");
    for program in &programs {
        let bootstrap = folder.join(program).join("bootstrap");
        elf::check(&bootstrap, expected)?;
        let size = fs::metadata(&bootstrap).map_err(|error| Failure::io("look at", &bootstrap, &error))?.len();
        let shown = bootstrap.strip_prefix(project.root()).unwrap_or(&bootstrap).display();
        terminal::say(&format!("{size:>9} bytes  {shown}"));
    }
    let name = architecture.name();
    terminal::say(&format!("Next: sam deploy --guided   (Architecture: {name})"));
    Ok(ExitCode::SUCCESS)
}

/// One build of the whole workspace: crate by crate, other features would compile the AWS libraries again and again.
fn command(project: &Project, architecture: LambdaArchitecture, programs: &[String]) -> Result<Command, Failure> {
    let mut command = project.cargo();
    command.args(["lambda", "build", "--release", "--workspace", "--locked"]);
    command.arg(match architecture {
        LambdaArchitecture::Arm64 => "--arm64",
        LambdaArchitecture::X86_64 => "--x86-64",
    });
    for program in programs {
        command.args(["--bin", program]);
    }
    // First on the path: cargo-lambda finds the linker through the `python3` it sees first.
    let mut path = vec![Venv::Lambda.folder(project).join("bin")];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let path =
        env::join_paths(path).map_err(|error| Failure::new("path", format!("PATH cannot be extended: {error}")))?;
    command.env("PATH", path);
    Ok(command)
}

fn check_rust_target(architecture: LambdaArchitecture) -> Result<(), Failure> {
    let triple = match architecture {
        LambdaArchitecture::Arm64 => "aarch64-unknown-linux-gnu",
        LambdaArchitecture::X86_64 => "x86_64-unknown-linux-gnu",
    };
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", triple]).output();
    let folder = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if !folder.is_empty() && fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()) {
        return Ok(());
    }
    let instead = match architecture {
        LambdaArchitecture::Arm64 => " Or build for the other processor: cargo xtask build --arch x86_64.",
        LambdaArchitecture::X86_64 => "",
    };
    Err(Failure::new(
        "no-rust-target",
        format!("Rust's standard library for {triple} is not installed: rustup target add {triple}.{instead}"),
    ))
}
