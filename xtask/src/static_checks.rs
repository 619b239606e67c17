//! The checks that are no Rust test: formatting, lints, static analysis of the template, probes of the local AWS.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::keys::Keys;
use crate::project::Project;
use crate::python;
use crate::venv::Venv;

/// A program whose success is the check, and the environment it needs.
pub(crate) struct Check {
    pub(crate) title: &'static str,
    pub(crate) command: Command,
}

/// Nothing listens there: static analysis asks nobody.
const NOWHERE: &str = "http://127.0.0.1:9";

pub(crate) fn of_rust(project: &Project) -> [Check; 2] {
    let mut format = project.cargo();
    format.args(["fmt", "--all", "--check"]);
    let mut lints = project.cargo();
    lints.args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]);
    [Check { title: "lint: cargo fmt", command: format }, Check { title: "lint: cargo clippy", command: lints }]
}

pub(crate) fn documentation(project: &Project) -> Check {
    let mut command = project.cargo();
    command.args(["test", "--workspace", "--doc", "--quiet"]);
    Check { title: "pure: examples in the documentation", command }
}

pub(crate) fn of_template(project: &Project) -> Result<[Check; 3], Failure> {
    Venv::Sam.ensure(project)?;
    Venv::Lint.ensure(project)?;
    let mut validate = from(project, Venv::Sam.program(project, "sam"));
    validate.args(["validate", "--lint", "--template-file", "template.yaml"]).env("SAM_CLI_TELEMETRY", "0");
    validate.env("__SAM_CLI_APP_DIR", project.instance("test").join("sam"));
    let mut cfn_lint = from(project, Venv::Sam.program(project, "cfn-lint"));
    cfn_lint.args(["--non-zero-exit-code", "warning", "template.yaml"]);
    let mut checkov = from(project, Venv::Lint.program(project, "checkov"));
    checkov.args(["--config-file", ".checkov.yaml", "--file", "template.yaml"]);
    Ok([
        Check { title: "template: sam validate --lint", command: validate },
        Check { title: "template: cfn-lint", command: cfn_lint },
        Check { title: "template: checkov", command: checkov },
    ])
}

fn from(project: &Project, program: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.current_dir(project.root());
    Keys::root().give_to(&mut command, NOWHERE);
    command
}

/// The Python tests: each states what AWS documents and asks the local AWS for it.
pub(crate) fn probes(project: &Project) -> Check {
    let mut command = Command::new(Venv::Emulator.program(project, "python"));
    command.current_dir(project.root()).env("PYTHONPATH", project.file("local"));
    command.args(["-m", "pytest", "-p", "no:cacheprovider", "local/probes"]);
    Check { title: "probes of the local AWS", command }
}

/// The template as tests read it: parsed, and transformed as AWS does.
pub(crate) fn expand(project: &Project, to: &std::path::Path) -> Command {
    let mut command = python::verb(project, "expand");
    command.arg("template.yaml").arg("--out").arg(to);
    Keys::root().give_to(&mut command, NOWHERE);
    command
}
