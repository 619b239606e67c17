use crate::state::{State, StateError, unusable};
use loam_releases::journal::{Journal, Slot};
use loam_releases::names::Digest;
use ring::digest::{Context, SHA256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The journal's file.
const JOURNAL: &str = "firmware.json";
/// How much is read at once, in bytes.
const READ: usize = 65_536;

/// A device's two slots and its journal, as files of one directory.
#[derive(Debug)]
pub struct Flash {
    state: State,
    directory: PathBuf,
    writes: u64,
    cut_at: Option<u64>,
}

/// A write that was not done, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum NoWrite {
    /// The power is gone, as was ordered: half of the write is done.
    #[error("the power is gone")]
    PowerGone,
    /// The disk does not take it.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Flash {
    /// The slots in `directory`, which is made if it is not there; a new device gets `factory`. At the `cut_at`-th write from now on,
    /// counted from 1, the power goes, once.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(directory: &Path, factory: &Journal, cut_at: Option<u64>) -> Result<(Self, Journal), StateError> {
        let flash = Self { state: State::open(directory)?, directory: directory.to_owned(), writes: 0, cut_at };
        if let Some(journal) = flash.state.read(JOURNAL)? {
            return Ok((flash, journal));
        }
        let path = flash.path(factory.active);
        std::fs::write(&path, format!("image {}", factory.running)).map_err(unusable(&path))?;
        flash.state.write(JOURNAL, factory)?;
        Ok((flash, factory.clone()))
    }

    /// The journal as it lies there.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn journal(&self) -> Result<Option<Journal>, StateError> {
        self.state.read(JOURNAL)
    }

    /// Replaces the journal: as a whole or not at all.
    ///
    /// # Errors
    /// [`NoWrite`].
    pub fn save(&mut self, journal: &Journal) -> Result<(), NoWrite> {
        if self.is_cut() {
            let beside = self.directory.join(".firmware.json.torn");
            std::fs::write(&beside, "{\"active\":").map_err(unusable(&beside))?;
            return Err(NoWrite::PowerGone);
        }
        Ok(self.state.write(JOURNAL, journal)?)
    }

    /// Writes a piece of an image; what was behind it is gone.
    ///
    /// # Errors
    /// [`NoWrite`].
    pub fn write(&mut self, slot: Slot, from: u64, piece: &[u8]) -> Result<(), NoWrite> {
        let cut = self.is_cut();
        let piece = if cut { piece.get(..piece.len() / 2).unwrap_or_default() } else { piece };
        let path = self.path(slot);
        let written = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
            file.set_len(from)?;
            file.seek(SeekFrom::Start(from))?;
            file.write_all(piece)?;
            file.sync_all()
        };
        written().map_err(unusable(&path))?;
        if cut { Err(NoWrite::PowerGone) } else { Ok(()) }
    }

    /// The digest of the first `size` bytes in a slot; of fewer, if there are not so many.
    ///
    /// # Errors
    /// [`StateError`]; a slot that was never written is empty.
    pub fn digest(&self, slot: Slot, size: u64) -> Result<Digest, StateError> {
        let mut digest = Context::new(&SHA256);
        let mut piece = vec![0; READ];
        let mut left = self.begin(slot, size)?;
        loop {
            let length =
                left.as_mut().map_or(Ok(0), |left| left.read(&mut piece)).map_err(unusable(&self.path(slot)))?;
            if length == 0 {
                let whole = Digest::from_bytes(digest.finish().as_ref());
                return Ok(whole.unwrap_or_else(|| Digest::of(&[])));
            }
            digest.update(piece.get(..length).unwrap_or_default());
        }
    }

    /// The first bytes in a slot, at most so many.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn first(&self, slot: Slot, bytes: u64) -> Result<Vec<u8>, StateError> {
        let mut found = vec![];
        if let Some(mut file) = self.begin(slot, bytes)? {
            file.read_to_end(&mut found).map_err(unusable(&self.path(slot)))?;
        }
        Ok(found)
    }

    /// A bit of the image changes by itself.
    pub(super) fn rot(&self, slot: Slot) -> Result<(), StateError> {
        let path = self.path(slot);
        let mut image = std::fs::read(&path).map_err(unusable(&path))?;
        if let Some(last) = image.last_mut() {
            *last ^= 1;
        }
        std::fs::write(&path, image).map_err(unusable(&path))
    }

    fn begin(&self, slot: Slot, bytes: u64) -> Result<Option<io::Take<File>>, StateError> {
        let path = self.path(slot);
        match File::open(&path) {
            Ok(file) => Ok(Some(file.take(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unusable(&path)(error)),
        }
    }

    fn is_cut(&mut self) -> bool {
        self.writes += 1;
        self.cut_at == Some(self.writes)
    }

    fn path(&self, slot: Slot) -> PathBuf {
        self.directory.join(match slot {
            Slot::A => "slot-a",
            Slot::B => "slot-b",
        })
    }
}
