use crate::Error;

/// The plaintext bytes in each frame but the last: 1 to [`FrameLength::MAX`]. It bounds the memory of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameLength(u32);

impl FrameLength {
    /// 16 MiB. The format itself allows 2^32 - 1; a reader that believed it would set aside 4 GiB for a stranger.
    pub const MAX: u32 = 16 * 1024 * 1024;

    /// What a regular frame adds to its plaintext: sequence number, IV and tag.
    const REGULAR_OVERHEAD: u64 = 4 + 12 + 16;

    /// What the final frame adds: also its marker and its length.
    const FINAL_OVERHEAD: u64 = Self::REGULAR_OVERHEAD + 4 + 4;

    /// A frame length of so many bytes.
    ///
    /// # Errors
    /// [`Error::InvalidFrameLength`] for 0 and for more than [`FrameLength::MAX`].
    pub const fn new(bytes: u32) -> Result<Self, Error> {
        if bytes == 0 || bytes > Self::MAX { Err(Error::InvalidFrameLength(bytes)) } else { Ok(Self(bytes)) }
    }

    /// The length in bytes.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The length in bytes, as a size in memory.
    pub(crate) const fn size(self) -> usize {
        self.0 as usize
    }

    /// The frame (counted from 1) that holds the plaintext byte at `offset`, or that `offset` bytes are followed by.
    ///
    /// # Errors
    /// [`Error::MessageTooLong`] if no sequence number is left for it.
    pub fn frame_at(self, offset: u64) -> Result<u32, Error> {
        let full = offset / u64::from(self.0);
        u32::try_from(full).ok().and_then(|full| full.checked_add(1)).ok_or(Error::MessageTooLong)
    }

    /// The plaintext bytes before frame `sequence`: where its content begins in the opened file.
    #[must_use]
    pub fn plaintext_offset(self, sequence: u32) -> u64 {
        u64::from(sequence.saturating_sub(1)) * u64::from(self.0)
    }

    /// The sealed bytes between the header and frame `sequence`: where to resume a download of the body.
    #[must_use]
    pub fn body_offset(self, sequence: u32) -> u64 {
        u64::from(sequence.saturating_sub(1)) * (u64::from(self.0) + Self::REGULAR_OVERHEAD)
    }

    /// The length in bytes of the body (without the header) that [`crate::Sealer`] makes of so many plaintext bytes.
    ///
    /// # Errors
    /// [`Error::MessageTooLong`] if the plaintext needs more frames than there are sequence numbers.
    pub fn body_length(self, plaintext: u64) -> Result<u64, Error> {
        let last = self.frame_at(plaintext)?;
        Ok(self.body_offset(last) + plaintext % u64::from(self.0) + Self::FINAL_OVERHEAD)
    }
}
