//! What tests measured, beside whether they passed: a line each in a file, because the runner keeps to itself what a test
//! prints that passes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::project::write_file;
use crate::terminal;

/// The figures of one level.
pub(crate) struct Figures(PathBuf);

impl Figures {
    /// None yet, to be kept in `folder`.
    pub(crate) fn of(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("figures.txt");
        write_file(&path, "")?;
        Ok(Self(path))
    }

    /// Tells the tests where figures go.
    pub(crate) fn ask(&self, command: &mut Command) {
        command.env("LOAM_FIGURES", &self.0);
    }

    /// Shows what there is, in the order of the alphabet: tests run side by side.
    pub(crate) fn show(&self) {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        lines.iter().for_each(|line| terminal::note(&format!("        {line}")));
    }
}
