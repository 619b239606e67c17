//! Verbs that the Python package does on the local AWS or in an account: `destroy` and `replay` of a stack, `register-ca`.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::cli::{RegisterCaOptions, ReplayOptions, StackOptions};
use crate::emulator::LocalAws;
use crate::failure::Failure;
use crate::process;
use crate::project::Project;
use crate::python;
use crate::state::Running;
use crate::terminal;
use crate::up;
use crate::venv::Venv;

/// Replay's exit code when letters stay that could not be handed over.
const STUCK: u8 = 3;

/// Deletes the stack.
pub(crate) fn destroy(project: &Project, options: &StackOptions) -> Result<ExitCode, Failure> {
    run(project, "destroy", options, &[])
}

/// Drains the stack's dead-letter queues; the exit code is [`STUCK`] when something could not be handed over.
pub(crate) fn replay(project: &Project, options: &ReplayOptions) -> Result<ExitCode, Failure> {
    let flags = [("--refused", options.refused), ("--dry-run", options.dry_run)];
    let given: Vec<&str> = flags.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag).collect();
    run(project, "replay", &options.stack, &given)
}

/// Lets the devices of a CA join by themselves. Without files it is the local AWS's development CA.
pub(crate) fn register_ca(project: &Project, options: &RegisterCaOptions) -> Result<ExitCode, Failure> {
    let running = running(project, options.aws, "register-ca --ca <file> --key <file>")?;
    Venv::Emulator.ensure(project)?;
    let mut command = python::verb(project, "register-ca");
    let things = project.instance(up::INSTANCE).join("things");
    let file = |given: &Option<PathBuf>, own: &str| given.clone().unwrap_or_else(|| things.join(own));
    command.arg("--ca").arg(file(&options.ca, "ca.pem")).arg("--key").arg(file(&options.key, "ca.key"));
    if let Some(running) = running {
        let local = local(project, &running, "");
        command.args(["--endpoint", &local.endpoint()]);
        local.admin(project)?.give_to(&mut command, &local.endpoint());
    }
    follow(project, "register a CA", command)
}

fn run(project: &Project, verb: &str, options: &StackOptions, flags: &[&str]) -> Result<ExitCode, Failure> {
    let running = running(project, options.aws, &format!("{verb} --stack <name>"))?;
    Venv::Emulator.ensure(project)?;
    let mut command = python::verb(project, verb);
    command.args(["--stack", &options.stack]).args(flags);
    if let Some(mut running) = running {
        let local = local(project, &running, &options.stack);
        command.args(["--endpoint", &local.endpoint()]);
        local.admin(project)?.give_to(&mut command, &local.endpoint());
        if verb == "destroy" && options.stack == running.stack {
            // Whatever becomes of it, the next `up` looks anew.
            running.deployed.clear();
            running.save(&local.folder)?;
        }
    }
    follow(project, &format!("{verb} stack {}", options.stack), command)
}

/// What runs here, or nothing if the account was asked for.
fn running(project: &Project, aws: bool, verb: &str) -> Result<Option<Running>, Failure> {
    if aws {
        return Ok(None);
    }
    Running::find(&project.instance(up::INSTANCE)).map(Some).ok_or_else(|| none_runs(verb))
}

fn local(project: &Project, running: &Running, stack: &str) -> LocalAws {
    LocalAws {
        folder: project.instance(up::INSTANCE),
        port: running.port,
        mqtt_port: running.mqtt_port,
        stack: stack.to_owned(),
        email: String::new(),
    }
}

fn follow(project: &Project, title: &str, command: Command) -> Result<ExitCode, Failure> {
    let status = process::run_lines(project, title, command, |_, line, progress| {
        progress.clear();
        terminal::say(line);
    })?;
    if status.success() {
        return Ok(ExitCode::SUCCESS);
    }
    if status.code() == Some(i32::from(STUCK)) {
        return Ok(ExitCode::from(STUCK));
    }
    Err(Failure::new("step-failed", format!("{title}: failed ({status}); it says above why.")))
}

fn none_runs(verb: &str) -> Failure {
    Failure::new(
        "no-local-aws",
        format!(
            "no local AWS runs here (cargo xtask up --detach). For your AWS account add --aws: cargo xtask {verb} --aws."
        ),
    )
}
