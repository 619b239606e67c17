//! Log files that grow while they are read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Reads the whole lines that were added to a file since the last look.
pub(crate) struct Tail {
    path: PathBuf,
    position: u64,
    rest: Vec<u8>,
}

impl Tail {
    /// From the beginning of the file.
    pub(crate) fn from_start(path: PathBuf) -> Self {
        Self { path, position: 0, rest: Vec::new() }
    }

    /// From the end that the file has now.
    pub(crate) fn from_end(path: PathBuf) -> Self {
        let position = std::fs::metadata(&path).map_or(0, |about| about.len());
        Self { path, position, rest: Vec::new() }
    }

    /// A file that is not there (yet) has no lines.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        let mut fresh = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.position))?;
            file.read_to_end(&mut fresh)
        });
        self.position += read.map_or(0, |count| u64::try_from(count).unwrap_or_default());
        self.rest.append(&mut fresh);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn half_a_line_waits_for_its_other_half() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = Tail::from_start(path.clone());
        assert!(tail.lines().is_empty());
        let mut file = File::create(&path).unwrap();
        write!(file, "one\ntw").unwrap();
        assert_eq!(tail.lines(), ["one"]);
        assert!(tail.lines().is_empty());
        writeln!(file, "o").unwrap();
        assert_eq!(tail.lines(), ["two"]);
    }

    #[test]
    fn the_end_skips_what_was_said_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = File::create(&path).unwrap();
        writeln!(file, "old").unwrap();
        let mut tail = Tail::from_end(path);
        writeln!(file, "new").unwrap();
        assert_eq!(tail.lines(), ["new"]);
    }
}
