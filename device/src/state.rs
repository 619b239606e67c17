//! What a device remembers when its power is cut: small JSON files in one directory.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A device's directory. A file in it is always whole: it is written beside its place and then moved there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    directory: PathBuf,
}

/// Why the device's memory cannot be used. Each has a stable [code](Self::code).
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file or the directory cannot be read or written.
    #[error("cannot use {}: {source}; check the path of --state and its permissions", path.display())]
    Unusable {
        /// Which one.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file holds something else than this program writes.
    #[error("{} holds no memory of a device: {source}; move it away to begin anew", path.display())]
    Foreign {
        /// Which one.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
}

impl StateError {
    /// The stable name of this failure.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => "state-unusable",
            Self::Foreign { .. } => "state-foreign",
        }
    }
}

impl State {
    /// The memory in this directory, which is made if it is not there.
    ///
    /// # Errors
    /// [`StateError::Unusable`].
    pub fn open(directory: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(directory).map_err(unusable(directory))?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// What is kept under `name`; `None` if nothing is.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let path = self.directory.join(name);
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|source| StateError::Foreign { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unusable(&path)(error)),
        }
    }

    /// Keeps `value` under `name`, in place of what was there. When this returns, a power cut does not undo it.
    ///
    /// # Errors
    /// [`StateError::Unusable`].
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StateError> {
        let path = self.directory.join(name);
        let beside = self.directory.join(format!(".{name}.{}", std::process::id()));
        let written = || {
            let mut file = File::create(&beside)?;
            file.write_all(&serde_json::to_vec(value)?)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        written().map_err(unusable(&path))
    }

    /// Forgets what is kept under `name`.
    ///
    /// # Errors
    /// [`StateError::Unusable`].
    pub fn forget(&self, name: &str) -> Result<(), StateError> {
        let path = self.directory.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(&path)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Waits until no other process changes the memory; it is this one's until the answer is dropped.
    ///
    /// # Errors
    /// [`StateError::Unusable`].
    pub fn lock(&self) -> Result<Locked, StateError> {
        let path = self.directory.join(".lock");
        let file = File::create(&path).map_err(unusable(&path))?;
        file.lock().map_err(unusable(&path))?;
        Ok(Locked { _file: file })
    }
}

/// The memory is this process's own.
#[derive(Debug)]
pub struct Locked {
    _file: File,
}

pub(crate) fn unusable(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Unusable { path, source }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A directory of its own that goes with the test.
    pub(crate) struct Place(pub(crate) PathBuf);

    impl Place {
        pub(crate) fn new(name: &str) -> Self {
            let place = std::env::temp_dir().join(format!("loam-device-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&place);
            Self(place)
        }

        pub(crate) fn state(&self) -> State {
            State::open(&self.0).unwrap()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_written_is_read_by_the_next_process_and_forgotten_once() {
        let place = Place::new("written");
        place.state().write("a.json", &vec![1, 2]).unwrap();
        assert_eq!(place.state().read::<Vec<u8>>("a.json").unwrap(), Some(vec![1, 2]));
        place.state().forget("a.json").unwrap();
        place.state().forget("a.json").unwrap();
        assert_eq!(place.state().read::<Vec<u8>>("a.json").unwrap(), None);
    }

    #[test]
    fn a_file_of_somebody_else_is_named_and_not_overwritten() {
        let place = Place::new("foreign");
        let state = place.state();
        fs::write(place.0.join("a.json"), "x").unwrap();
        let error = state.read::<Vec<u8>>("a.json").unwrap_err();
        assert_eq!(error.code(), "state-foreign");
        assert!(error.to_string().contains("a.json"), "{error}");
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        assert_eq!(State::open(Path::new("/proc/no/such")).unwrap_err().code(), "state-unusable");
    }
}
