use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The sample events of a function: `events/<function>/*.json`.
#[derive(Debug)]
pub struct SampleEvents(PathBuf);

impl SampleEvents {
    /// Those of this function.
    #[must_use]
    pub fn of(function: &str) -> Self {
        Self(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(function))
    }

    /// The event of this name.
    ///
    /// # Panics
    /// When there is none, or it is no JSON.
    #[must_use]
    pub fn event(&self, name: &str) -> Value {
        let text =
            fs::read_to_string(self.0.join(format!("{name}.json"))).unwrap_or_else(|why| panic!("{name}: {why}"));
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    /// The bodies of a queue's event.
    ///
    /// # Panics
    /// As [`Self::event`]; or when it is no event of SQS.
    #[must_use]
    pub fn bodies(&self, name: &str) -> Vec<String> {
        let event = self.event(name);
        let records = event.get("Records").and_then(Value::as_array).unwrap_or_else(|| panic!("{name}: no records"));
        let body = |record: &Value| record.get("body").and_then(Value::as_str).map(str::to_owned);
        records.iter().map(|record| body(record).unwrap_or_else(|| panic!("{name}: a record without body"))).collect()
    }

    /// Fails unless the folder holds these and no others.
    ///
    /// # Panics
    /// When it does not.
    pub fn are<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let files = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let files: BTreeSet<_> = files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(files, names.into_iter().map(str::to_owned).collect(), "the files, and those that the test names");
    }
}
