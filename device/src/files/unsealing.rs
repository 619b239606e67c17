use super::NoFile;
use loam_sealed::Opener;
use ring::digest::{Context, SHA256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// How much of a file is read at once for its digest, in bytes.
const PIECE: usize = 64 * 1024;

/// A sealed body on its way into a file: only what is authentic is written. Holds one frame.
pub struct Unsealing {
    opener: Opener,
    file: File,
    digest: Context,
    written: u64,
    most: u64,
    taken: u64,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Unsealing {
    /// Writes to the file at `path`, at most `most` bytes. What an earlier run left there stays as far as its whole frames go:
    /// the digest at the end vouches for them.
    ///
    /// # Errors
    /// [`NoFile::Disk`]; [`NoFile::Sealed`] for more frames than can be counted.
    pub fn begin(opener: Opener, path: &Path, most: u64) -> Result<Self, NoFile> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let frame = opener.header().frame_length();
        let first = frame.frame_at(file.metadata()?.len().min(most))?;
        let kept = frame.plaintext_offset(first);
        file.set_len(kept)?;
        let digest = digest_of(&mut file)?;
        file.seek(SeekFrom::Start(kept))?;
        let opener = opener.resume_at(first)?;
        Ok(Self { opener, file, digest, written: kept, most, taken: frame.body_offset(first) })
    }

    /// Where the body goes on, in bytes from its beginning.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.taken
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// [`NoFile`]: the first thing that is wrong; nothing is written after it.
    pub fn take(&mut self, mut sealed: &[u8]) -> Result<(), NoFile> {
        self.taken += sealed.len() as u64;
        while let Some(plaintext) = self.opener.open(&mut sealed)? {
            let written = self.written + plaintext.len() as u64;
            if written > self.most {
                return Err(NoFile::Size { expected: self.most, found: written });
            }
            self.file.write_all(plaintext)?;
            self.digest.update(plaintext);
            self.written = written;
        }
        Ok(())
    }

    /// The end of the body. When this returns, a power cut does not undo the file.
    ///
    /// # Errors
    /// [`NoFile::Sealed`] if the body was cut, [`NoFile::Disk`].
    pub fn finish(self) -> Result<Read, NoFile> {
        self.opener.finish()?;
        self.file.sync_all()?;
        Ok(Read { size: self.written, sha256: hexadecimal(self.digest.finish().as_ref()) })
    }
}

impl Read {
    /// What a file holds.
    ///
    /// # Errors
    /// The disk's.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let sha256 = hexadecimal(digest_of(&mut file)?.finish().as_ref());
        Ok(Self { size: file.stream_position()?, sha256 })
    }

    /// Whether it is the file that was announced.
    ///
    /// # Errors
    /// [`NoFile::Size`], [`NoFile::Digest`].
    pub fn check(&self, size: u64, sha256: &str) -> Result<(), NoFile> {
        if self.size != size {
            return Err(NoFile::Size { expected: size, found: self.size });
        }
        if self.sha256 == sha256 { Ok(()) } else { Err(NoFile::Digest) }
    }
}

impl std::fmt::Debug for Unsealing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Unsealing").field("written", &self.written).finish_non_exhaustive()
    }
}

/// The digest of all that is still to be read.
fn digest_of(file: &mut File) -> io::Result<Context> {
    let (mut digest, mut piece) = (Context::new(&SHA256), vec![0; PIECE]);
    loop {
        let count = file.read(&mut piece)?;
        match piece.get(..count) {
            Some(bytes) if count > 0 => digest.update(bytes),
            _ => return Ok(digest),
        }
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "unsealing_tests.rs"]
mod tests;
