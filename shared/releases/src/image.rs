//! An image as it comes in: no byte more than was signed, and at the end exactly those bytes.

use ring::digest::{Context, SHA256};

use crate::accept::Refuse;
use crate::manifest::Firmware;
use crate::names::Digest;

/// Looks at an image, piece by piece.
#[derive(Clone)]
pub struct Check {
    digest: Context,
    left: u64,
    expected: Digest,
}

impl Check {
    /// Looks at the image of `firmware`, from its first byte.
    #[must_use]
    pub fn new(firmware: &Firmware) -> Self {
        Self { digest: Context::new(&SHA256), left: firmware.size, expected: firmware.sha256 }
    }

    /// How many bytes are still to come; never ask for more.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// The next piece.
    ///
    /// # Errors
    /// [`Refuse::ImageSize`] as soon as there is one byte too many: data without an end is never read to its end.
    pub fn update(&mut self, piece: &[u8]) -> Result<(), Refuse> {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or(Refuse::ImageSize)?;
        self.digest.update(piece);
        Ok(())
    }

    /// Whether that was the image.
    ///
    /// # Errors
    /// [`Refuse::ImageSize`] if it ended too early, [`Refuse::ImageDigest`] if it is another one.
    pub fn finish(self) -> Result<(), Refuse> {
        if self.left > 0 {
            return Err(Refuse::ImageSize);
        }
        let found = Digest::from_bytes(self.digest.finish().as_ref());
        if found == Some(self.expected) { Ok(()) } else { Err(Refuse::ImageDigest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{firmware, image};

    #[test]
    fn an_image_in_any_pieces_is_the_image() {
        let image = image("2.1.0");
        for size in 1..=image.len() {
            let mut check = Check::new(&firmware("2.1.0"));
            image.chunks(size).for_each(|piece| check.update(piece).unwrap());
            assert_eq!(check.finish(), Ok(()));
        }
    }

    #[test]
    fn one_byte_too_few_and_an_empty_image_are_refused_at_the_end() {
        for length in [0, 10] {
            let mut check = Check::new(&firmware("2.1.0"));
            check.update(&image("2.1.0")[..length]).unwrap();
            assert_eq!((check.left(), check.finish()), (11 - length as u64, Err(Refuse::ImageSize)));
        }
    }
}
