use super::{FileFacts, NoFile};
use loam_sealed::{DataKey, Error, FrameLength, Header, Sealer};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// The longest frame that is taken, in bytes: a device holds one.
const LONGEST_FRAME: u32 = 1024 * 1024;

/// How a file is cut into parts of whole frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    frame: FrameLength,
    size: u64,
    part_bytes: u64,
    number: u32,
    body_bytes: u64,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its first frame, from 1.
    pub first_frame: u32,
    /// Which bytes of the file it holds.
    pub plaintext: Range<u64>,
    /// How many sealed bytes it has.
    pub bytes: u64,
    /// Whether the body ends with it.
    pub is_last: bool,
}

impl Parts {
    /// The parts of a grant's file.
    ///
    /// # Errors
    /// [`NoFile::BadGrant`] if its numbers do not agree; they decide what is read, written and held in memory.
    pub fn of(file: &FileFacts) -> Result<Self, NoFile> {
        let frame = FrameLength::new(file.frame_length)?;
        let whole_frames = file.part_bytes > 0 && file.part_bytes.is_multiple_of(u64::from(frame.get()));
        if frame.get() > LONGEST_FRAME || !whole_frames {
            return Err(NoFile::BadGrant("its frames or parts have lengths that are not taken"));
        }
        let frames_a_part = file.part_bytes / u64::from(frame.get());
        let number = u64::from(frame.frame_at(file.size)?).div_ceil(frames_a_part);
        let body_bytes = frame.body_length(file.size)?;
        if number != u64::from(file.parts) || body_bytes != file.body_bytes {
            return Err(NoFile::BadGrant("its body has another length than its file gives"));
        }
        Ok(Self { frame, size: file.size, part_bytes: file.part_bytes, number: file.parts, body_bytes })
    }

    /// The part of this number, from 1; `None` beyond the last.
    #[must_use]
    pub fn part(&self, number: u32) -> Option<Part> {
        if number == 0 || number > self.number {
            return None;
        }
        let start = u64::from(number - 1) * self.part_bytes;
        let is_last = number == self.number;
        let end = if is_last { self.size } else { start + self.part_bytes };
        let first_frame = self.frame.frame_at(start).ok()?;
        let sealed_end = if is_last { self.body_bytes } else { self.frame.body_offset(self.frame.frame_at(end).ok()?) };
        let bytes = sealed_end - self.frame.body_offset(first_frame);
        Some(Part { first_frame, plaintext: start..end, bytes, is_last })
    }
}

/// The sealed bytes of a part, frame by frame, as they are read from the file.
#[derive(Debug)]
pub(crate) struct Sealing {
    sealer: Option<Sealer>,
    file: io::Take<std::fs::File>,
    frame: usize,
    is_last: bool,
}

impl Sealing {
    /// The part of the file at `path`, which must be the one that was announced: one key never seals two plaintexts.
    pub(crate) fn begin(path: &Path, part: &Part, key: &DataKey, header: &Header) -> Result<Self, NoFile> {
        let mut file = std::fs::File::open(path)?;
        file.seek(SeekFrom::Start(part.plaintext.start))?;
        let sealer = Some(Sealer::new(key, header)?.resume_at(part.first_frame)?);
        let file = file.take(part.plaintext.end - part.plaintext.start);
        let frame = usize::try_from(header.frame_length().get()).unwrap_or(usize::MAX);
        Ok(Self { sealer, file, frame, is_last: part.is_last })
    }

    fn advance(&mut self) -> Result<Option<Vec<u8>>, NoFile> {
        let Some(mut sealer) = self.sealer.take() else { return Ok(None) };
        let mut plaintext = Vec::with_capacity(self.frame);
        (&mut self.file).take(self.frame as u64).read_to_end(&mut plaintext)?;
        let mut sealed = Vec::with_capacity(plaintext.len() + 64);
        sealer.update(&plaintext, &mut sealed)?;
        if plaintext.len() == self.frame {
            self.sealer = Some(sealer);
        } else if self.is_last {
            sealer.finish(&mut sealed)?;
        } else if !plaintext.is_empty() {
            return Err(Error::TruncatedBody(sealer.next_frame()).into());
        }
        Ok(Some(sealed).filter(|sealed| !sealed.is_empty()))
    }
}

impl Iterator for Sealing {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().map_err(io::Error::other).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::notice::tests::{grant_of, thing};
    use crate::state::tests::Place;

    #[test]
    fn a_grant_whose_numbers_do_not_agree_is_none() {
        let good = grant_of(b"abc", 512, 1_024).file;
        assert!(Parts::of(&good).is_ok());
        for bad in [
            FileFacts { body_bytes: good.body_bytes + 1, ..good.clone() },
            FileFacts { size: 4, ..good.clone() },
            FileFacts { parts: 2, ..good.clone() },
            FileFacts { part_bytes: 1_000, ..good.clone() },
            FileFacts { part_bytes: 0, ..good.clone() },
            FileFacts { frame_length: LONGEST_FRAME + 1, ..good.clone() },
            FileFacts { frame_length: 0, ..good.clone() },
            FileFacts { size: u64::MAX, ..good.clone() },
        ] {
            assert!(Parts::of(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn parts_sealed_one_by_one_are_the_body_of_one_pass() {
        let place = Place::new("parts");
        std::fs::create_dir_all(&place.0).unwrap();
        let path = place.0.join("f");
        for size in [0_usize, 1, 511, 512, 1_023, 1_024, 1_025, 5_000] {
            let file: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            std::fs::write(&path, &file).unwrap();
            let grant = grant_of(&file, 512, 1_024);
            let (key, opener, parts) = grant.open(&thing()).unwrap();
            let mut whole = vec![];
            let mut sealer = Sealer::new(&key, opener.header()).unwrap();
            sealer.update(&file, &mut whole).unwrap();
            sealer.finish(&mut whole).unwrap();
            let mut body = vec![];
            for number in 1..=grant.file.parts {
                let part = parts.part(number).unwrap();
                let sealed: Vec<u8> =
                    Sealing::begin(&path, &part, &key, opener.header()).unwrap().flat_map(Result::unwrap).collect();
                assert_eq!(sealed.len() as u64, part.bytes, "{size}, part {number}");
                body.extend(sealed);
            }
            assert!(body == whole, "{size}");
            assert_eq!(parts.part(grant.file.parts + 1), None);
        }
    }
}
