//! `down`: ends what `up --detach` left running, and nothing else.

use std::process::ExitCode;

use crate::failure::Failure;
use crate::group::Member;
use crate::project::Project;
use crate::state::Running;
use crate::terminal::{self, Progress};
use crate::up;

pub(crate) fn run(project: &Project) -> Result<ExitCode, Failure> {
    let folder = project.instance(up::INSTANCE);
    let members = Running::last(&folder).unwrap_or_default().members;
    let mut ended = 0;
    for member in members.iter().rev().filter(|member| member.runs()) {
        let progress = Progress::start(&format!("end {} (process {})", member.name, member.pid));
        Member::end(member);
        progress.done(!member.runs());
        ended += 1;
    }
    Running::forget(&folder);
    if ended == 0 {
        terminal::note("  Loam does not run here: nothing to end.");
    }
    Ok(ExitCode::SUCCESS)
}
