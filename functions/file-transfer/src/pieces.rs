//! One part of a file, sealed or verified.

use loam_sealed::{DataKey, EncryptionContext, Error, Header, Opener, Sealer, UnverifiedHeader};

use crate::plan::Part;

/// Why a part is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPart {
    /// It is not authentic, or its header is not.
    #[error("it is not authentic")]
    Sealed(#[from] Error),
    /// There are more or fewer bytes than its plan says.
    #[error("the part has {found} bytes and must have {expected}")]
    Length {
        /// What the plan says.
        expected: u64,
        /// What there is.
        found: u64,
    },
}

/// Seals and verifies the parts of one attempt. Holds no byte of the file between two parts.
#[derive(Debug)]
pub struct Pieces<'a> {
    data_key: &'a DataKey,
    header: Vec<u8>,
    context: EncryptionContext,
}

impl<'a> Pieces<'a> {
    /// For the header that was stored for this attempt, which is proved with its data key and must have this context.
    ///
    /// # Errors
    /// [`BadPart::Sealed`] if the header is not authentic.
    pub fn new(data_key: &'a DataKey, header: Vec<u8>, context: EncryptionContext) -> Result<Self, BadPart> {
        let pieces = Self { data_key, header, context };
        pieces.opener()?;
        Ok(pieces)
    }

    fn opener(&self) -> Result<Opener, BadPart> {
        let (header, rest) = UnverifiedHeader::parse(&self.header)?;
        if !rest.is_empty() {
            return Err(Error::TrailingData.into());
        }
        Ok(header.open(self.data_key, &self.context)?)
    }

    fn authentic_header(&self) -> Result<Header, BadPart> {
        Ok(self.opener()?.header().clone())
    }

    /// The part as it stands in the body. The same bytes give the same part, whoever asks and however often; **other bytes
    /// must never be sealed with these keys**, which is why the source is pinned.
    ///
    /// # Errors
    /// [`BadPart::Length`] unless these are exactly the part's bytes.
    pub fn seal(&self, part: &Part, plaintext: &[u8]) -> Result<Vec<u8>, BadPart> {
        exactly(&part.plaintext, plaintext.len() as u64)?;
        let mut sealed = Vec::with_capacity(usize::try_from(part.sealed.end - part.sealed.start).unwrap_or(0));
        let mut sealer = Sealer::new(self.data_key, &self.authentic_header()?)?.resume_at(part.first_frame)?;
        sealer.update(plaintext, &mut sealed)?;
        if part.is_last {
            sealer.finish(&mut sealed)?;
        }
        exactly(&part.sealed, sealed.len() as u64)?;
        Ok(sealed)
    }

    /// A reader of a part of the body.
    ///
    /// # Errors
    /// None for a part of a plan.
    pub fn verify(&self, part: &Part) -> Result<Verified, BadPart> {
        let opener = self.opener()?.resume_at(part.first_frame)?;
        Ok(Verified { opener, part: part.clone(), plaintext: 0 })
    }
}

/// A part that is being verified, chunk by chunk; it holds one frame.
#[derive(Debug)]
pub struct Verified {
    opener: Opener,
    part: Part,
    plaintext: u64,
}

impl Verified {
    /// Takes the next bytes of the body and hands on what is authentic of them.
    ///
    /// # Errors
    /// The first thing that is wrong; then all of the part is.
    pub fn update(&mut self, mut sealed: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), BadPart> {
        while let Some(plaintext) = self.opener.open(&mut sealed)? {
            self.plaintext += plaintext.len() as u64;
            take(plaintext);
        }
        Ok(())
    }

    /// The end of the part.
    ///
    /// # Errors
    /// [`BadPart`] unless the part was whole.
    pub fn finish(self) -> Result<(), BadPart> {
        exactly(&self.part.plaintext, self.plaintext)?;
        if self.part.is_last {
            return Ok(self.opener.finish()?);
        }
        match self.opener.next_frame() {
            frame if frame == self.part.end_frame => Ok(()),
            frame => Err(Error::TruncatedBody(frame).into()),
        }
    }
}

fn exactly(range: &std::ops::Range<u64>, found: u64) -> Result<(), BadPart> {
    let expected = range.end - range.start;
    if expected == found { Ok(()) } else { Err(BadPart::Length { expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::tests::{head, subject};
    use crate::plan::{Layout, PART_BYTES, Plan};

    const KEY: [u8; 32] = [1; 32];

    fn bytes(count: u64) -> Vec<u8> {
        (0..count).map(|index| u8::try_from(index % 251).unwrap()).collect()
    }

    /// A plan, what seals and verifies by it, and the file.
    struct World {
        key: DataKey,
        plan: Plan,
        header: Vec<u8>,
        file: Vec<u8>,
    }

    impl World {
        fn new(size: u64, frame_length: u32) -> Self {
            let plan = Plan::new(Layout::new(size, frame_length).unwrap()).unwrap();
            let header = head(size, frame_length).header().unwrap();
            Self { key: DataKey::new(KEY), plan, header, file: bytes(size) }
        }

        fn pieces(&self) -> Pieces<'_> {
            Pieces::new(&self.key, self.header.clone(), subject().context().unwrap()).unwrap()
        }

        fn seal(&self, number: u32) -> Vec<u8> {
            let part = self.plan.part(number).unwrap();
            let range = usize::try_from(part.plaintext.start).unwrap()..usize::try_from(part.plaintext.end).unwrap();
            self.pieces().seal(&part, &self.file[range]).unwrap()
        }

        fn verify(&self, number: u32, sealed: &[u8]) -> Result<Vec<u8>, BadPart> {
            let mut plaintext = vec![];
            let mut verified = self.pieces().verify(&self.plan.part(number).unwrap())?;
            for chunk in sealed.chunks(10_007) {
                verified.update(chunk, |bytes| plaintext.extend_from_slice(bytes))?;
            }
            verified.finish()?;
            Ok(plaintext)
        }
    }

    #[test]
    fn parts_sealed_in_any_order_and_twice_are_the_message_of_one_pass() {
        for size in [0, 1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 77] {
            let world = World::new(size, 65_536);
            let header = world.pieces().authentic_header().unwrap();
            let (mut whole, mut sealer) = (vec![], Sealer::new(&world.key, &header).unwrap());
            sealer.update(&world.file, &mut whole).unwrap();
            sealer.finish(&mut whole).unwrap();
            let mut parts: Vec<_> = (1..=world.plan.parts()).rev().map(|number| world.seal(number)).collect();
            parts.reverse();
            assert!(parts.concat() == whole, "{size}");
            assert!(world.seal(1) == parts[0], "{size}");
        }
    }

    #[test]
    fn every_part_is_verified_by_itself_and_only_in_its_own_place() {
        let world = World::new(2 * PART_BYTES + 77, 1_048_576);
        let parts: Vec<_> = (1..=3).map(|number| world.seal(number)).collect();
        let opened: Vec<u8> =
            (1..=3).flat_map(|number| world.verify(number, &parts[number as usize - 1]).unwrap()).collect();
        assert!(opened == world.file);
        let swapped = world.verify(1, &parts[1]).unwrap_err();
        assert_eq!(swapped, BadPart::Sealed(Error::FrameOutOfOrder { expected: 1, found: 9 }));
    }

    #[test]
    fn a_part_with_a_frame_less_or_more_or_a_flipped_bit_is_none() {
        let world = World::new(PART_BYTES + 5, 1_048_576);
        let part = world.seal(1);
        let short = world.verify(1, &part[..part.len() - 1_048_608]).unwrap_err();
        assert_eq!(short, BadPart::Length { expected: PART_BYTES, found: PART_BYTES - 1_048_576 });
        let long = [part.as_slice(), &world.seal(2)].concat();
        assert!(matches!(world.verify(1, &long), Err(BadPart::Length { .. })));
        let last = world.seal(2);
        assert_eq!(world.verify(2, &last[..last.len() - 1]).unwrap_err(), BadPart::Length { expected: 5, found: 0 });
        let mut flipped = part.clone();
        flipped[part.len() - 1] ^= 1;
        assert_eq!(world.verify(1, &flipped).unwrap_err(), BadPart::Sealed(Error::FrameNotAuthentic(8)));
    }

    #[test]
    fn other_bytes_than_the_parts_own_are_not_sealed() {
        let world = World::new(10, 512);
        let part = world.plan.part(1).unwrap();
        for count in [9, 11] {
            let found = world.pieces().seal(&part, &bytes(count)).unwrap_err();
            assert_eq!(found, BadPart::Length { expected: 10, found: count });
        }
    }

    #[test]
    fn a_header_of_another_transfer_or_key_is_refused() {
        let world = World::new(10, 512);
        let mut other = subject();
        other.direction = crate::order::Direction::Upload;
        let found = Pieces::new(&world.key, world.header.clone(), other.context().unwrap()).unwrap_err();
        assert_eq!(found, BadPart::Sealed(Error::ContextMismatch));
        let key = DataKey::new([9; 32]);
        let found = Pieces::new(&key, world.header.clone(), subject().context().unwrap()).unwrap_err();
        assert_eq!(found, BadPart::Sealed(Error::CommitmentMismatch));
    }
}
