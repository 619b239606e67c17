//! The size of what is deployed.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::failure::Failure;

/// What a zip file adds to one compressed member `bootstrap`: local header, central directory and its end. Source:
/// PKWARE's APPNOTE, 4.3.
const ZIP_FRAME: u64 = 30 + 9 + 46 + 9 + 22;

/// A stripped program's size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) program: u64,
    /// In a zip file at the strongest setting.
    pub(crate) zip: u64,
}

pub(crate) fn of(path: &Path) -> Result<Size, Failure> {
    let failed = |error| Failure::file("read", path, error);
    let program = fs::read(path).map_err(failed)?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(&program).and_then(|()| encoder.finish()).map_err(failed)?;
    Ok(Size { program: program.len() as u64, zip: packed.len() as u64 + ZIP_FRAME })
}
