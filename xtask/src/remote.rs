//! Verbs about a stack that the Python package does: `destroy`, `replay` and `member`, on the local AWS or in an account.

use std::process::ExitCode;

use crate::cli::{MemberOptions, ReplayOptions, StackOptions};
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

/// Writes or removes a membership.
pub(crate) fn member(project: &Project, options: &MemberOptions) -> Result<ExitCode, Failure> {
    let role: Vec<&str> = options.role.as_deref().map_or_else(|| vec!["--remove"], |role| vec!["--role", role]);
    let given = [&["--user", &options.user, "--thing", &options.thing][..], &role].concat();
    run(project, "member", &options.stack, &given)
}

fn run(project: &Project, verb: &str, options: &StackOptions, flags: &[&str]) -> Result<ExitCode, Failure> {
    let folder = project.instance(up::INSTANCE);
    let running = if options.aws { None } else { Some(Running::find(&folder).ok_or_else(|| none_runs(verb))?) };
    Venv::Emulator.ensure(project)?;
    let mut command = python::verb(project, verb);
    command.args(["--stack", &options.stack]).args(flags);
    if let Some(mut running) = running {
        let local = LocalAws {
            folder: folder.clone(),
            port: running.port,
            mqtt_port: running.mqtt_port,
            stack: options.stack.clone(),
            email: String::new(),
        };
        command.args(["--endpoint", &local.endpoint()]);
        local.admin(project)?.give_to(&mut command, &local.endpoint());
        if verb == "destroy" && options.stack == running.stack {
            // Whatever becomes of it, the next `up` looks anew.
            running.deployed.clear();
            running.save(&folder)?;
        }
    }
    let title = format!("{verb} stack {}", options.stack);
    let status = process::run_lines(project, &title, command, |_, line, progress| {
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
            "no local AWS runs here (cargo xtask up --detach). For the stack in your AWS account add --aws: \
             cargo xtask {verb} --aws --stack <name>."
        ),
    )
}
