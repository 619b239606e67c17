//! What is deployed here: a byte-identical copy of the template with this machine's programs beside it, in a folder of
//! its own, so that they never lie where the programs for AWS are looked for.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::Metadata;
use crate::elf::{self, Machine};
use crate::failure::Failure;
use crate::process;
use crate::project::{Project, make_folder, write_if_different};
use crate::template;

/// The folder that `sam deploy` runs in.
pub(crate) struct Staging {
    pub(crate) folder: PathBuf,
    files: Vec<PathBuf>,
}

impl Staging {
    /// Copies the template, SAM's configuration and the programs into `folder`, leaving what is there already.
    pub(crate) fn fill(project: &Project, metadata: &Metadata, folder: &Path) -> Result<Self, Failure> {
        let host = Machine::host().ok_or_else(|| {
            Failure::new("unknown-machine", "Loam runs on x86_64 and arm64 (Linux or macOS); this machine is neither.")
        })?;
        let mut files = Vec::new();
        for name in ["template.yaml", "samconfig.toml"] {
            let from = project.file(name);
            let content = fs::read(&from).map_err(|error| Failure::io("read", &from, &error))?;
            let to = folder.join(name);
            write_if_different(&to, &content)?;
            files.push(to);
        }
        for program in template::programs(project)? {
            let bootstrap = folder.join("target/lambda").join(&program).join("bootstrap");
            stage(&metadata.built(&program), &bootstrap)?;
            elf::check(&bootstrap, host)?;
            files.push(bootstrap);
        }
        Ok(Self { folder: folder.to_path_buf(), files })
    }

    /// Changes when, and only when, something else would be deployed: names, sizes and times of files that are only
    /// written when their content changes, and what is said beside them.
    pub(crate) fn fingerprint(&self, parameters: &[String]) -> Result<Vec<String>, Failure> {
        let mut lines = parameters.to_vec();
        for path in &self.files {
            let failed = |error| Failure::io("look at", path, &error);
            let about = fs::metadata(path).map_err(failed)?;
            let age = about.modified().map_err(failed)?;
            let age = age.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
            let name = path.strip_prefix(&self.folder).unwrap_or(path).display();
            lines.push(format!("{name} {} {age}", about.len()));
        }
        Ok(lines)
    }
}

/// Copies a program without its debugging information, if the tool for that is here: the upload is a fraction then.
fn stage(built: &Path, bootstrap: &Path) -> Result<(), Failure> {
    if !built.exists() {
        return Err(Failure::new(
            "no-such-program",
            format!("template.yaml names {}, which no package of the workspace builds.", built.display()),
        ));
    }
    let folder = bootstrap.parent().unwrap_or(bootstrap);
    make_folder(folder)?;
    // Beside the folder that is deployed, which must hold the bootstrap alone.
    let fresh = folder.with_extension("fresh");
    let stripped = process::answers(Command::new("strip").arg("-g").arg("-o").arg(&fresh).arg(built));
    if !stripped {
        fs::copy(built, &fresh).map_err(|error| Failure::io("copy", built, &error))?;
    }
    let content = fs::read(&fresh).map_err(|error| Failure::io("read", &fresh, &error))?;
    fs::remove_file(&fresh).map_err(|error| Failure::io("remove", &fresh, &error))?;
    if fs::read(bootstrap).is_ok_and(|there| there == content) {
        return Ok(());
    }
    write_program(bootstrap, &content).map_err(|error| Failure::io("write", bootstrap, &error))
}

fn write_program(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.set_permissions(fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_program_keeps_the_fingerprint_and_a_changed_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let built = folder.path().join("built");
        let bootstrap = folder.path().join("staged/bootstrap");
        let staging = Staging { folder: folder.path().to_path_buf(), files: vec![bootstrap.clone()] };
        fs::write(&built, "one").unwrap();
        stage(&built, &bootstrap).unwrap();
        let first = staging.fingerprint(&[]).unwrap();
        stage(&built, &bootstrap).unwrap();
        assert_eq!(staging.fingerprint(&[]).unwrap(), first);
        fs::write(&built, "other").unwrap();
        stage(&built, &bootstrap).unwrap();
        assert_ne!(staging.fingerprint(&[]).unwrap(), first);
    }

    #[test]
    fn other_parameters_are_another_deployment() {
        let staging = Staging { folder: PathBuf::new(), files: Vec::new() };
        let one = staging.fingerprint(&["SNSEmail=a@example.com".to_owned()]).unwrap();
        let other = staging.fingerprint(&["SNSEmail=b@example.com".to_owned()]).unwrap();
        assert_ne!(one, other);
    }

    #[test]
    fn the_deployed_folder_holds_the_bootstrap_alone_and_it_can_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let built = folder.path().join("built");
        let bootstrap = folder.path().join("staged/bootstrap");
        fs::write(&built, "x").unwrap();
        stage(&built, &bootstrap).unwrap();
        let names: Vec<_> =
            fs::read_dir(folder.path().join("staged")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["bootstrap"]);
        assert_eq!(fs::metadata(&bootstrap).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_program_that_nobody_builds_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let failure = stage(&folder.path().join("soil-alarm"), &folder.path().join("bootstrap")).unwrap_err();
        assert_eq!(failure.code(), "no-such-program");
        assert!(failure.to_string().contains("soil-alarm"), "{failure}");
    }
}
