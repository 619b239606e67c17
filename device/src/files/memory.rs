use crate::state::{State, StateError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

const FILE: &str = "files.json";
/// How many attempts a device remembers: many more than can be under way.
const PLACES: usize = 256;

/// What a device knows of its transfers: the attempts that it is done with, and the files that it promised.
#[derive(Debug, Default)]
pub struct Memory {
    known: Known,
    state: Option<State>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    done: VecDeque<Done>,
    uploads: BTreeMap<String, Upload>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Done {
    attempt: String,
    word: Value,
}

/// A file that is to go to the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal; its copy is called so.
    pub sha256: String,
    /// When its transfer ends, in milliseconds since the epoch.
    pub ends_at: i64,
}

impl Memory {
    /// What the device with this memory knows.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn kept_in(state: State) -> Result<Self, StateError> {
        Ok(Self { known: state.read(FILE)?.unwrap_or_default(), state: Some(state) })
    }

    /// What was said when this attempt was done; `None` if it is not.
    #[must_use]
    pub fn done(&self, attempt: &str) -> Option<&Value> {
        self.known.done.iter().find(|done| done.attempt == attempt).map(|done| &done.word)
    }

    /// This attempt is done, and this is what is said of it, now and to every repeat.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn finish(&mut self, attempt: &str, word: Value) -> Result<(), StateError> {
        self.known.done.retain(|done| done.attempt != attempt);
        while self.known.done.len() >= PLACES {
            self.known.done.pop_front();
        }
        self.known.done.push_back(Done { attempt: attempt.to_owned(), word });
        self.keep()
    }

    /// The files that are to go to the cloud, by transfer.
    pub fn uploads(&self) -> impl Iterator<Item = (&str, &Upload)> {
        self.known.uploads.iter().map(|(transfer, upload)| (transfer.as_str(), upload))
    }

    /// The file of a transfer.
    #[must_use]
    pub fn upload(&self, transfer: &str) -> Option<&Upload> {
        self.known.uploads.get(transfer)
    }

    /// This file goes to the cloud by this transfer, which keeps the file that it has.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn promise(&mut self, transfer: &str, upload: Upload) -> Result<(), StateError> {
        if self.known.uploads.contains_key(transfer) {
            return Ok(());
        }
        self.known.uploads.insert(transfer.to_owned(), upload);
        self.keep()
    }

    /// This transfer is over; the digest of a file that no other transfer needs.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn forget(&mut self, transfer: &str) -> Result<Option<String>, StateError> {
        let Some(gone) = self.known.uploads.remove(transfer) else { return Ok(None) };
        self.keep()?;
        let needed = self.known.uploads.values().any(|upload| upload.sha256 == gone.sha256);
        Ok(Some(gone.sha256).filter(|_| !needed))
    }

    fn keep(&self) -> Result<(), StateError> {
        self.state.as_ref().map_or(Ok(()), |state| state.write(FILE, &self.known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::Place;
    use serde_json::json;

    #[test]
    fn what_was_done_and_promised_outlives_a_power_cut() {
        let place = Place::new("files-memory");
        let mut memory = Memory::kept_in(place.state()).unwrap();
        memory.finish("a", json!(1)).unwrap();
        let upload = Upload { size: 3, sha256: "d".to_owned(), ends_at: 9 };
        memory.promise("t", upload.clone()).unwrap();
        let mut memory = Memory::kept_in(place.state()).unwrap();
        assert_eq!((memory.done("a"), memory.done("b")), (Some(&json!(1)), None));
        assert_eq!(memory.uploads().collect::<Vec<_>>(), [("t", &upload)]);
        memory.promise("u", upload).unwrap();
        assert_eq!(memory.forget("t").unwrap(), None, "u still needs the file");
        assert_eq!(memory.forget("u").unwrap().as_deref(), Some("d"));
        assert_eq!(memory.forget("u").unwrap(), None);
    }

    #[test]
    fn the_oldest_of_257_attempts_is_forgotten() {
        let mut memory = Memory::default();
        (0..=256).for_each(|number| memory.finish(&number.to_string(), json!(number)).unwrap());
        assert!(memory.done("0").is_none() && memory.done("1").is_some());
    }
}
