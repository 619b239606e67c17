use std::fmt;

use crate::body::{FINAL_MARKER, FrameCipher, FrameKind, iv};
use crate::cursor::fill;
use crate::key::DerivedKeys;
use crate::{DataKey, Error, FrameLength, Header};

/// Seals a body, piece by piece; the header comes from [`Header::seal`]. Holds less than one frame of plaintext.
///
/// The final frame is always shorter than a frame, so each full frame leaves at once; a file that fills its last frame
/// is followed by an empty one. The official Python client does the same.
pub struct Sealer {
    cipher: FrameCipher,
    frame_length: FrameLength,
    sequence: u32,
    pending: Vec<u8>,
}

impl Sealer {
    /// A sealer for the body behind this header, with the header's own data key.
    ///
    /// # Errors
    /// [`Error::CryptographyFailed`], which does not happen.
    pub fn new(data_key: &DataKey, header: &Header) -> Result<Self, Error> {
        let keys = DerivedKeys::derive(data_key, header.message_id())?;
        Ok(Self {
            cipher: FrameCipher::new(keys.encryption, *header.message_id()),
            frame_length: header.frame_length(),
            sequence: 1,
            pending: Vec::new(),
        })
    }

    /// Goes on at frame `sequence` (counted from 1) of a body whose earlier frames exist. What is pushed next begins at
    /// [`FrameLength::plaintext_offset`] of the plaintext; its output at [`FrameLength::body_offset`] of the body.
    ///
    /// **Danger**: key and sequence number give the nonce. Sealing *other* plaintext under the same data key, message
    /// id and sequence number breaks both secrecy and authenticity of the message. Resume only where the source is
    /// pinned (an object's version id) and cannot have changed; else begin again with a new data key.
    ///
    /// # Errors
    /// [`Error::NoFrameZero`].
    pub fn resume_at(mut self, sequence: u32) -> Result<Self, Error> {
        if sequence == 0 {
            return Err(Error::NoFrameZero);
        }
        self.sequence = sequence;
        self.pending.clear();
        Ok(self)
    }

    /// The frame that the next plaintext byte goes to, or that [`Sealer::finish`] would end with.
    #[must_use]
    pub const fn next_frame(&self) -> u32 {
        self.sequence
    }

    /// Appends to `output` all frames that `plaintext` fills; keeps the rest for the next call.
    ///
    /// # Errors
    /// [`Error::MessageTooLong`] when the sequence numbers are used up.
    pub fn update(&mut self, mut plaintext: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        if !self.pending.is_empty() {
            if !fill(&mut self.pending, self.frame_length.size(), &mut plaintext) {
                return Ok(());
            }
            let mut frame = std::mem::take(&mut self.pending);
            self.seal_regular(&frame, output)?;
            frame.clear();
            self.pending = frame;
        }
        let frames = plaintext.chunks_exact(self.frame_length.size());
        self.keep(frames.remainder());
        for frame in frames {
            self.seal_regular(frame, output)?;
        }
        Ok(())
    }

    /// One exact reservation: growth by doubling would hold two frames.
    fn keep(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.pending.reserve_exact(self.frame_length.size());
            self.pending.extend_from_slice(rest);
        }
    }

    /// Appends the final frame with what is left. Without this the message counts as cut off.
    ///
    /// # Errors
    /// [`Error::CryptographyFailed`], which does not happen.
    pub fn finish(mut self, output: &mut Vec<u8>) -> Result<(), Error> {
        let frame = std::mem::take(&mut self.pending);
        output.extend(FINAL_MARKER.to_be_bytes());
        output.extend(self.sequence.to_be_bytes());
        output.extend(iv(self.sequence));
        let length = u32::try_from(frame.len()).map_err(|_| Error::CryptographyFailed)?;
        output.extend(length.to_be_bytes());
        self.seal_content(FrameKind::Final, &frame, output)
    }

    fn seal_regular(&mut self, frame: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        // The last number is the marker of the final frame, and the final frame needs one too.
        let next = self.sequence.checked_add(1).ok_or(Error::MessageTooLong)?;
        output.reserve(frame.len() + 32);
        output.extend(self.sequence.to_be_bytes());
        output.extend(iv(self.sequence));
        self.seal_content(FrameKind::Regular, frame, output)?;
        self.sequence = next;
        Ok(())
    }

    fn seal_content(&self, kind: FrameKind, frame: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        let start = output.len();
        output.extend_from_slice(frame);
        let (_, content) = output.split_at_mut(start);
        match self.cipher.seal(kind, self.sequence, content) {
            Ok(tag) => output.extend_from_slice(tag.as_ref()),
            Err(error) => {
                output.truncate(start);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sealer").field("next_frame", &self.sequence).finish_non_exhaustive()
    }
}
