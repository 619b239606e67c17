//! How a file becomes frames and parts.
//!
//! A part of the multipart upload holds whole frames, so that it can be sealed, verified and tried again without any other:
//! part n of the body is made of the same bytes of the file whoever makes it, and however often.

use std::ops::{Range, RangeInclusive};

use loam_sealed::{Error, FrameLength};
use serde::{Deserialize, Serialize};

use crate::order::BadOrder;

/// The largest file, in bytes: what S3 takes in one PUT, by which people bring a file.
pub const MOST_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// What a part holds of the file at most, in bytes; its memory is twice that.
pub const PART_BYTES: u64 = 8 * 1024 * 1024;
/// S3's least part, the last one excepted, in bytes.
pub const LEAST_PART_BYTES: u64 = 5 * 1024 * 1024;
/// S3's most parts.
pub const MOST_PARTS: u32 = 10_000;
/// The lengths of frames that are taken, in bytes.
pub const FRAME_BYTES: RangeInclusive<u32> = 512..=1024 * 1024;
/// The length of a frame where nobody asks for another, in bytes.
pub const FRAME_LENGTH: u32 = 64 * 1024;

/// The official client for Python writes no other frames.
const FRAME_STEP: u32 = 128;

/// What of a file decides how it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    /// The file's length in bytes.
    pub size: u64,
    /// The file's bytes in each frame but the last.
    pub frame_length: u32,
}

/// A cut file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    size: u64,
    frame: FrameLength,
    /// Whole frames in each part but the last.
    frames_a_part: u32,
    /// All frames; the last one is shorter than the others, perhaps empty.
    frames: u32,
    sealed: u64,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// Its first frame, from 1.
    pub first_frame: u32,
    /// The frame after its last.
    pub end_frame: u32,
    /// Which bytes of the file it holds.
    pub plaintext: Range<u64>,
    /// Which bytes of the body it is.
    pub sealed: Range<u64>,
    /// Whether the body ends with it.
    pub is_last: bool,
}

impl Layout {
    /// A layout within the limits.
    ///
    /// # Errors
    /// [`BadOrder::TooLarge`], [`BadOrder::Frame`].
    pub fn new(size: u64, frame_length: u32) -> Result<Self, BadOrder> {
        if size > MOST_BYTES {
            return Err(BadOrder::TooLarge);
        }
        if !FRAME_BYTES.contains(&frame_length) || !frame_length.is_multiple_of(FRAME_STEP) {
            return Err(BadOrder::Frame);
        }
        Ok(Self { size, frame_length })
    }
}

impl Plan {
    /// The plan of a layout.
    ///
    /// # Errors
    /// What the format refuses; a [`Layout`] that was checked is always within it.
    pub fn new(layout: Layout) -> Result<Self, Error> {
        let frame = FrameLength::new(layout.frame_length)?;
        let frames_a_part = u32::try_from(PART_BYTES / u64::from(layout.frame_length)).unwrap_or(1).max(1);
        let frames = frame.frame_at(layout.size)?;
        Ok(Self { size: layout.size, frame, frames_a_part, frames, sealed: frame.body_length(layout.size)? })
    }

    /// How many parts there are: at least one.
    #[must_use]
    pub const fn parts(&self) -> u32 {
        self.frames.div_ceil(self.frames_a_part)
    }

    /// The length of the body in bytes.
    #[must_use]
    pub const fn sealed_bytes(&self) -> u64 {
        self.sealed
    }

    /// The bytes of the file in each part but the last.
    #[must_use]
    pub fn part_bytes(&self) -> u64 {
        self.frame.plaintext_offset(self.frames_a_part.saturating_add(1))
    }

    /// The length of a frame.
    #[must_use]
    pub const fn frame(&self) -> FrameLength {
        self.frame
    }

    /// The part of this number, from 1; `None` beyond the last.
    #[must_use]
    pub fn part(&self, number: u32) -> Option<Part> {
        if number == 0 || number > self.parts() {
            return None;
        }
        let first_frame = (number - 1) * self.frames_a_part + 1;
        let is_last = number == self.parts();
        let end_frame = if is_last { self.frames + 1 } else { first_frame + self.frames_a_part };
        let (plaintext_end, sealed_end) = if is_last {
            (self.size, self.sealed)
        } else {
            (self.frame.plaintext_offset(end_frame), self.frame.body_offset(end_frame))
        };
        Some(Part {
            number,
            first_frame,
            end_frame,
            plaintext: self.frame.plaintext_offset(first_frame)..plaintext_end,
            sealed: self.frame.body_offset(first_frame)..sealed_end,
            is_last,
        })
    }

    /// The parts that are not there as they must be, in their order. `have` gives number and bytes of those that S3 holds;
    /// one of another length counts as missing.
    #[must_use]
    pub fn missing(&self, have: &[(u32, u64)]) -> Vec<u32> {
        let is_there = |part: &Part| have.contains(&(part.number, part.sealed.end - part.sealed.start));
        let parts = (1..=self.parts()).filter_map(|number| self.part(number));
        parts.filter(|part| !is_there(part)).map(|part| part.number).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan(size: u64, frame_length: u32) -> Plan {
        Plan::new(Layout::new(size, frame_length).unwrap()).unwrap()
    }

    #[test]
    fn an_empty_file_is_one_part_with_the_empty_final_frame() {
        let plan = plan(0, FRAME_LENGTH);
        assert_eq!((plan.parts(), plan.sealed_bytes()), (1, 40));
        let part = plan.part(1).unwrap();
        assert_eq!((part.plaintext, part.sealed, part.is_last, part.end_frame), (0..0, 0..40, true, 2));
        assert_eq!((plan.part(0), plan.part(2)), (None, None));
    }

    #[test]
    fn a_file_of_exactly_one_part_has_a_second_one_with_the_empty_final_frame() {
        assert_eq!(plan(PART_BYTES - 1, FRAME_LENGTH).parts(), 1);
        let two = plan(PART_BYTES, FRAME_LENGTH);
        assert_eq!(two.parts(), 2);
        assert_eq!(two.part(2).unwrap().sealed, 128 * 65_568..128 * 65_568 + 40);
    }

    #[test]
    fn frames_are_multiples_of_128_from_512_bytes_to_a_mebibyte() {
        for good in [512, 640, 65_536, 1_048_576] {
            assert!(Layout::new(1, good).is_ok());
        }
        for bad in [0, 1, 384, 511, 513, 1_048_577, 1_048_704, u32::MAX] {
            assert_eq!(Layout::new(1, bad), Err(BadOrder::Frame), "{bad}");
        }
        assert_eq!(Layout::new(MOST_BYTES + 1, 512), Err(BadOrder::TooLarge));
    }

    #[test]
    fn a_part_of_another_length_is_missing() {
        let plan = plan(2 * PART_BYTES + 5, FRAME_LENGTH);
        let full = 128 * 65_568;
        assert_eq!(plan.missing(&[]), [1, 2, 3]);
        assert_eq!(plan.missing(&[(1, full), (2, full - 1), (3, 45)]), [2]);
        assert_eq!(plan.missing(&[(3, 45), (2, full), (1, full), (4, 1)]), [0_u32; 0]);
    }

    proptest! {
        #[test]
        fn parts_cover_file_and_body_without_gaps_and_keep_what_s3_demands(
            size in prop_oneof![0..=MOST_BYTES, (0..640_u64).prop_map(|parts| parts * PART_BYTES)],
            steps in 4_u32..=8_192,
        ) {
            let plan = plan(size, steps * 128);
            prop_assert!(plan.parts() <= MOST_PARTS);
            let (mut read, mut written, mut frame) = (0, 0, 1);
            for number in 1..=plan.parts() {
                let part = plan.part(number).unwrap();
                prop_assert_eq!((part.plaintext.start, part.sealed.start, part.first_frame), (read, written, frame));
                (read, written, frame) = (part.plaintext.end, part.sealed.end, part.end_frame);
                let bytes = part.plaintext.end - part.plaintext.start;
                // The digest of the file can be kept between two parts because they end with its blocks.
                prop_assert!(part.is_last || ((LEAST_PART_BYTES..=PART_BYTES).contains(&bytes) && bytes.is_multiple_of(64)));
                prop_assert_eq!(part.is_last, number == plan.parts());
            }
            prop_assert_eq!((read, written), (size, plan.sealed_bytes()));
        }
    }
}
