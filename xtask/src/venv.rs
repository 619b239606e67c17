//! Python environments under `target/venv`, each from one file of pinned and hashed requirements.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::project::{Project, make_folder, read_text, write_file};

/// One environment per set of pins: they do not fit together in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Venv {
    /// The emulator, the AWS library and the tests of the emulator's extension.
    Emulator,
    /// The SAM command line and cfn-lint.
    Sam,
    /// checkov.
    Lint,
    /// cargo-lambda with the linker for other machines.
    Lambda,
    /// schemathesis, which asks the HTTP API what openapi.json says it answers.
    Schemathesis,
    /// The example app, which a probe runs.
    App,
    /// The official client of the encrypted format, which opens what Loam seals, and seals what Loam opens.
    Official,
}

/// The interpreters that are tried, newest first; the last is for systems that only have that name.
const PYTHONS: [&str; 4] = ["python3.13", "python3.12", "python3.11", "python3"];

/// Ends with success in a Python that can be used: new enough, and with what makes environments.
const FIT: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";

const STAMP: &str = "made-from.txt";

impl Venv {
    fn name(self) -> &'static str {
        match self {
            Self::Emulator => "emulator",
            Self::Sam => "sam",
            Self::Lint => "lint",
            Self::Lambda => "lambda",
            Self::Schemathesis => "schemathesis",
            Self::App => "app",
            Self::Official => "official",
        }
    }

    fn requirements(self) -> &'static str {
        match self {
            Self::Emulator => "local/requirements.txt",
            Self::Sam => "local/requirements-sam.txt",
            Self::Lint => "local/requirements-lint.txt",
            Self::Lambda => "local/requirements-lambda.txt",
            Self::Schemathesis => "local/requirements-schemathesis.txt",
            Self::App => "examples/app/requirements.txt",
            Self::Official => "shared/sealed/vectors/requirements.txt",
        }
    }

    pub(crate) fn folder(self, project: &Project) -> PathBuf {
        project.instance("venv").join(self.name())
    }

    /// A program of the environment.
    pub(crate) fn program(self, project: &Project, name: &str) -> PathBuf {
        self.folder(project).join("bin").join(name)
    }

    /// Makes the environment, or makes it again if its requirements changed; else nothing.
    pub(crate) fn ensure(self, project: &Project) -> Result<(), Failure> {
        let requirements = project.file(self.requirements());
        let wanted = read_text(&requirements)?;
        let folder = self.folder(project);
        if is_current(&folder, &wanted) {
            return Ok(());
        }
        let python = find_python()?;
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| Failure::io("remove", &folder, &error))?;
        }
        let logs = project.instance("venv");
        make_folder(&logs)?;
        let name = self.name();
        let log = logs.join(format!("{name}.log"));
        let mut make = Command::new(python);
        make.args(["-m", "venv"]).arg(&folder);
        process::run(project, &format!("Python environment `{name}`: make"), make, &log)?;
        let mut install = Command::new(self.program(project, "python"));
        install.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-color"]);
        install.args(["--progress-bar", "off", "--require-hashes", "-r"]).arg(&requirements);
        process::run(project, &format!("Python environment `{name}`: install"), install, &log)?;
        // Last, so that an installation that was cut short is not taken for a whole one.
        write_file(&folder.join(STAMP), wanted)
    }
}

/// Whether `folder` was made from exactly these requirements and its Python is still there.
fn is_current(folder: &Path, wanted: &str) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|made_from| made_from == wanted)
        && folder.join("bin/python").exists()
}

fn find_python() -> Result<&'static str, Failure> {
    first_fit(&PYTHONS).ok_or_else(|| {
        Failure::new(
            "no-python",
            "no Python 3.11 or newer with the modules venv and ensurepip was found; install it (Debian and Ubuntu: \
             apt install python3 python3-venv; macOS: brew install python) and run this again.",
        )
    })
}

fn first_fit(pythons: &[&'static str]) -> Option<&'static str> {
    pythons.iter().copied().find(|python| process::answers(Command::new(python).args(["-c", FIT])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_from(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join("bin/python"), "").unwrap();
        fs::write(folder.path().join(STAMP), text).unwrap();
        folder
    }

    #[test]
    fn a_python_that_is_missing_or_says_no_is_passed_over() {
        assert_eq!(first_fit(&["no-such-python", "false", "true", "echo"]), Some("true"));
        assert_eq!(first_fit(&["no-such-python", "false"]), None);
    }

    #[test]
    fn an_environment_is_kept_while_its_requirements_are_the_same() {
        assert!(is_current(made_from("a==1\n").path(), "a==1\n"));
    }

    #[test]
    fn an_environment_is_made_again_when_one_pin_changes() {
        assert!(!is_current(made_from("a==1\n").path(), "a==2\n"));
    }

    #[test]
    fn an_installation_that_was_cut_short_is_made_again() {
        let folder = made_from("a==1\n");
        fs::remove_file(folder.path().join(STAMP)).unwrap();
        assert!(!is_current(folder.path(), "a==1\n"));
    }

    #[test]
    fn an_environment_whose_python_is_gone_is_made_again() {
        let folder = made_from("a==1\n");
        fs::remove_file(folder.path().join("bin/python")).unwrap();
        assert!(!is_current(folder.path(), "a==1\n"));
    }
}
