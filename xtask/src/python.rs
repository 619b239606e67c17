//! The verbs of the Python package in `local/`: the part that knows AWS.

use std::process::Command;

use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::process;
use crate::project::Project;
use crate::venv::Venv;

/// `python -m loam_local <verb>`; the environment still is this program's own.
pub(crate) fn verb(project: &Project, verb: &str) -> Command {
    let mut command = Command::new(Venv::Emulator.program(project, "python"));
    command.env("PYTHONPATH", project.file("local")).env("PYTHONUNBUFFERED", "1");
    command.current_dir(project.root()).args(["-m", "loam_local", verb]);
    command
}

/// Runs a verb that answers with one JSON document.
pub(crate) fn ask<T: DeserializeOwned>(project: &Project, title: &str, command: Command) -> Result<T, Failure> {
    let answer = process::capture(project, title, command)?;
    // serde_json's own message would quote the text, which may hold a key.
    serde_json::from_str(&answer).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::new(
            "unexpected-answer",
            format!("{title}: the answer is not what was expected (line {line}, column {column})."),
        )
    })
}
