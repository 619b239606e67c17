//! The workspace's programs for this machine.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use crate::failure::Failure;
use crate::process;
use crate::project::Project;

/// What cargo knows of the workspace.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) targets: Vec<Target>,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

impl Metadata {
    pub(crate) fn read(project: &Project) -> Result<Self, Failure> {
        let failed = |why: String| Failure::new("cargo-metadata", format!("cargo metadata: {why}"));
        let mut command = project.cargo();
        command.args(["metadata", "--format-version", "1", "--no-deps"]);
        let output = command.output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))
    }

    /// Where a build in the development profile leaves `program`.
    pub(crate) fn built(&self, program: &str) -> PathBuf {
        self.target_directory.join("debug").join(program)
    }
}

/// Builds all programs in the development profile; cargo shows its own progress and its own errors.
pub(crate) fn programs(project: &Project) -> Result<(), Failure> {
    let mut command = project.cargo();
    command.args(["build", "--workspace", "--bins"]);
    cargo(project, "build the programs", command)
}

/// Builds programs and tests at once: with the features that the tests add, nothing is compiled twice.
pub(crate) fn everything(project: &Project) -> Result<(), Failure> {
    let mut command = project.cargo();
    command.args(["build", "--workspace", "--all-targets"]);
    cargo(project, "build programs and tests", command)
}

fn cargo(project: &Project, title: &str, command: Command) -> Result<(), Failure> {
    if process::inherit(project, title, command)?.success() {
        return Ok(());
    }
    Err(Failure::new("build-failed", "the build failed; the compiler says above why. Nothing was started or deployed."))
}
