//! A file's bytes without the file: any stretch of an endless sequence.

/// The sequence's period, a prime: no frame of a length in use has the bytes of another, so that one taken for the other
/// shows.
const PERIOD: usize = 1_000_003;
/// No multiple of a frame: pieces begin and end anywhere in frames.
const PIECE: usize = 60_000;

pub(crate) struct Plaintext {
    /// One period, and a piece behind it so that each piece is one slice.
    bytes: Vec<u8>,
}

impl Plaintext {
    pub(crate) fn new() -> Self {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let words = std::iter::repeat_with(|| {
            // Xorshift, by Marsaglia: any bytes would do.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        let mut bytes: Vec<u8> = words.flatten().take(PERIOD).collect();
        bytes.extend_from_within(..PIECE);
        Self { bytes }
    }

    /// At most [`PIECE`] bytes from `offset` on.
    fn from(&self, offset: usize, most: usize) -> &[u8] {
        &self.bytes[offset % PERIOD..][..most.min(PIECE)]
    }

    /// The file of this length.
    pub(crate) fn pieces(&self, length: usize) -> impl Iterator<Item = &[u8]> {
        (0..length).step_by(PIECE).map(move |offset| self.from(offset, length - offset))
    }

    /// What is compared with the file from its beginning.
    pub(crate) fn expected(&self) -> Expected<'_> {
        Expected { plaintext: self, seen: 0 }
    }
}

pub(crate) struct Expected<'a> {
    plaintext: &'a Plaintext,
    seen: usize,
}

impl Expected<'_> {
    /// The next bytes of the file must be these.
    pub(crate) fn compare(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let expected = self.plaintext.from(self.seen, bytes.len());
            let (now, later) = bytes.split_at(expected.len());
            assert!(now == expected, "other bytes than those of the file from byte {} on", self.seen);
            self.seen += now.len();
            bytes = later;
        }
    }

    /// How many bytes were compared.
    pub(crate) fn seen(&self) -> usize {
        self.seen
    }
}
