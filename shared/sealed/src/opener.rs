use std::fmt;

use ring::aead::LessSafeKey;
use zeroize::Zeroize;

use crate::body::{FINAL_MARKER, FrameCipher, FrameKind, iv};
use crate::cursor::{Cursor, Stop, fill};
use crate::{Error, Header};

/// Opens a body, piece by piece. Holds one frame, and gives nothing of it before all of it is authentic.
///
/// After an error it gives nothing more: each later call repeats the error.
pub struct Opener {
    cipher: FrameCipher,
    header: Header,
    sequence: u32,
    frame: Vec<u8>,
    needed: usize,
    state: State,
}

enum State {
    /// A frame is wanted.
    Open,
    /// The final frame was authentic.
    Complete,
    Failed(Error),
}

/// Where a frame's content lies in the buffer: from `start` to its end, with the tag.
struct FrameBounds {
    kind: FrameKind,
    start: usize,
}

impl Opener {
    pub(crate) fn new(key: LessSafeKey, header: Header) -> Self {
        let cipher = FrameCipher::new(key, *header.message_id());
        Self { cipher, header, sequence: 1, frame: Vec::new(), needed: 0, state: State::Open }
    }

    /// The message's header, which is authentic.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Goes on at frame `sequence` (counted from 1) after a cut. What is pushed next begins at
    /// [`crate::FrameLength::body_offset`] behind the header, its plaintext at
    /// [`crate::FrameLength::plaintext_offset`]. The caller vouches for what it kept of the frames before.
    ///
    /// # Errors
    /// [`Error::NoFrameZero`].
    pub fn resume_at(mut self, sequence: u32) -> Result<Self, Error> {
        if sequence == 0 {
            return Err(Error::NoFrameZero);
        }
        self.sequence = sequence;
        Ok(self)
    }

    /// The frame that must come next: what to resume at after a cut.
    #[must_use]
    pub const fn next_frame(&self) -> u32 {
        self.sequence
    }

    /// Takes bytes from the front of `input` and gives the next frame's plaintext, or `None` once `input` is used up.
    /// Call it until it gives `None`.
    ///
    /// # Errors
    /// The first thing that is wrong with the body.
    pub fn open(&mut self, input: &mut &[u8]) -> Result<Option<&[u8]>, Error> {
        match self.advance(input) {
            Ok(None) => Ok(None),
            Ok(Some(start)) => Ok(self.frame.get(start..)),
            Err(error) => {
                self.frame.zeroize();
                self.state = State::Failed(error.clone());
                Err(error)
            }
        }
    }

    /// The end of the input.
    ///
    /// # Errors
    /// [`Error::TruncatedBody`] if the final frame has not been opened; an earlier error, again.
    pub fn finish(self) -> Result<(), Error> {
        match self.state {
            State::Complete => Ok(()),
            State::Open => Err(Error::TruncatedBody(self.sequence)),
            State::Failed(error) => Err(error),
        }
    }

    /// Gives the place in the buffer where an opened frame's plaintext begins.
    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<usize>, Error> {
        match &self.state {
            State::Failed(error) => return Err(error.clone()),
            State::Complete if input.is_empty() => return Ok(None),
            State::Complete => return Err(Error::TrailingData),
            State::Open => {}
        }
        if self.needed == 0 {
            self.frame.clear();
        }
        while fill(&mut self.frame, self.needed, input) {
            match self.bounds() {
                Ok(bounds) => return self.open_frame(&bounds).map(Some),
                Err(Stop::Needs(bytes)) => self.await_bytes(bytes),
                Err(Stop::Refused(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    /// One exact reservation: growth by doubling would hold two frames.
    fn await_bytes(&mut self, bytes: usize) {
        self.needed = bytes;
        self.frame.reserve_exact(bytes.saturating_sub(self.frame.len()));
    }

    fn open_frame(&mut self, bounds: &FrameBounds) -> Result<usize, Error> {
        let (_, sealed) = self.frame.split_at_mut(bounds.start);
        let content = self.cipher.open(bounds.kind, self.sequence, sealed)?.len();
        self.frame.truncate(bounds.start + content);
        self.needed = 0;
        match bounds.kind {
            FrameKind::Final => self.state = State::Complete,
            FrameKind::Regular => self.sequence = self.sequence.checked_add(1).ok_or(Error::MessageTooLong)?,
        }
        Ok(bounds.start)
    }

    fn bounds(&self) -> Result<FrameBounds, Stop> {
        let mut cursor = Cursor::new(&self.frame);
        let first = cursor.u32()?;
        let kind = if first == FINAL_MARKER { FrameKind::Final } else { FrameKind::Regular };
        let found = if kind == FrameKind::Final { cursor.u32()? } else { first };
        if found != self.sequence {
            return Err(Error::FrameOutOfOrder { expected: self.sequence, found }.into());
        }
        if cursor.array()? != iv(found) {
            return Err(Error::UnexpectedIv(found).into());
        }
        let length = self.content_length(kind, &mut cursor)?;
        let start = cursor.position();
        cursor.take(length + 16)?;
        Ok(FrameBounds { kind, start })
    }

    fn content_length(&self, kind: FrameKind, cursor: &mut Cursor<'_>) -> Result<usize, Stop> {
        let full = self.header.frame_length();
        match kind {
            FrameKind::Regular => Ok(full.size()),
            FrameKind::Final => match cursor.u32()? {
                declared if declared > full.get() => Err(Error::FinalFrameTooLong(declared).into()),
                declared => Ok(declared as usize),
            },
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Opener").field("next_frame", &self.sequence).finish_non_exhaustive()
    }
}
