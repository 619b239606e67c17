//! Where things lie.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// The repository this program was built from, and the wish to stop.
pub(crate) struct Project {
    root: PathBuf,
    pub(crate) interrupt: Interrupt,
}

impl Project {
    pub(crate) fn open() -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default();
        let interrupt = Interrupt::listen()
            .map_err(|error| Failure::new("signals", format!("cannot listen for Ctrl-C: {error}")))?;
        Ok(Self { root, interrupt })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn file(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// `target/local` of `up`, `target/test` of `test`: everything that one instance writes.
    pub(crate) fn instance(&self, name: &str) -> PathBuf {
        self.root.join("target").join(name)
    }

    /// A cargo that runs as if typed by hand. Variables that `cargo run` gave to this program are taken away, because
    /// build scripts watch some of them and would compile anew.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if given_by_cargo_run(&name) {
                command.env_remove(name.as_ref());
            }
        }
        command
    }
}

fn given_by_cargo_run(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_")
        || variable.starts_with("CARGO_MANIFEST_")
        || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&variable)
}

pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| Failure::io("make the folder", path, &error))
}

pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))
}

pub(crate) fn write_file(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    fs::write(path, content).map_err(|error| Failure::io("write", path, &error))
}

/// Writes a file that holds keys: nobody else may read it, from its first byte on.
pub(crate) fn write_private(path: &Path, content: &str) -> Result<(), Failure> {
    drop(fs::remove_file(path));
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(content.as_bytes())).map_err(|error| Failure::io("write", path, &error))
}

/// Writes `content` unless it is there already; so the time of the file says when its content last changed.
pub(crate) fn write_if_different(path: &Path, content: &[u8]) -> Result<(), Failure> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    write_file(path, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_own_cargo_settings_stay() {
        assert!(!given_by_cargo_run("CARGO_HOME"));
        assert!(!given_by_cargo_run("CARGO_TARGET_DIR"));
        assert!(given_by_cargo_run("CARGO_MANIFEST_DIR"));
        assert!(given_by_cargo_run("CARGO_PKG_VERSION"));
    }

    #[test]
    fn a_file_of_keys_is_for_its_owner_alone_also_when_it_was_open_to_all() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, "old").unwrap();
        write_private(&path, "new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn the_same_content_keeps_the_time_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/file");
        write_if_different(&path, b"one").unwrap();
        let first = fs::metadata(&path).unwrap().modified().unwrap();
        write_if_different(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), first);
        write_if_different(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }
}
