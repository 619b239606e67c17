//! One message's ingredients, with fixed "random" values: every run seals the same bytes.

use loam_sealed::{
    DataKey, EncryptedDataKey, EncryptionContext, Error, FrameLength, Header, MessageId, Sealer, UnverifiedHeader,
    WrappingKey,
};

pub(crate) const FRAME: usize = 64;
pub(crate) const CONTEXT: [(&str, &str); 3] =
    [("thing", "sensor-1"), ("transferId", "0190-7b3a"), ("direction", "cloud-to-device")];

pub(crate) fn data_key() -> DataKey {
    DataKey::new([7; 32])
}

pub(crate) fn wrapping_key() -> WrappingKey {
    WrappingKey::new("loam", "transfer-1", &[9; 32]).unwrap()
}

pub(crate) fn context() -> EncryptionContext {
    EncryptionContext::new(CONTEXT).unwrap()
}

pub(crate) fn frame(bytes: usize) -> FrameLength {
    FrameLength::new(bytes.try_into().unwrap()).unwrap()
}

/// The same rule as in `vectors/make.py`.
pub(crate) fn plaintext(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from((i * 7 + i / 256) % 251).unwrap()).collect()
}

pub(crate) fn header(message_id: u8, frame_length: usize) -> Header {
    let arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let kms = EncryptedDataKey::aws_kms(arn, vec![1; 184]).unwrap();
    let raw = wrapping_key().wrap(&data_key(), &context(), [3; 12]).unwrap();
    Header::new(MessageId::new([message_id; 32]), context(), vec![kms, raw], frame(frame_length)).unwrap()
}

/// Header and body, apart.
pub(crate) fn seal(header: &Header, plaintext: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut sealer = Sealer::new(&data_key(), header).unwrap();
    let mut body = Vec::new();
    sealer.update(plaintext, &mut body).unwrap();
    sealer.finish(&mut body).unwrap();
    (header.seal(&data_key()).unwrap(), body)
}

/// A message of `length` bytes in frames of [`FRAME`].
pub(crate) fn message(length: usize) -> Vec<u8> {
    let (header, body) = seal(&header(5, FRAME), &plaintext(length));
    [header, body].concat()
}

/// What a reader has got of a message, and how it ended.
pub(crate) struct Outcome {
    pub(crate) released: Vec<u8>,
    pub(crate) result: Result<(), Error>,
}

impl Outcome {
    pub(crate) fn code(&self) -> &'static str {
        self.result.as_ref().unwrap_err().code()
    }
}

/// Opens with the right key and context, in pieces of `piece` bytes.
pub(crate) fn open_in_pieces(message: &[u8], piece: usize) -> Outcome {
    let mut released = Vec::new();
    let result = read(message, piece, &mut released);
    Outcome { released, result }
}

pub(crate) fn open(message: &[u8]) -> Outcome {
    open_in_pieces(message, usize::MAX)
}

fn read(message: &[u8], piece: usize, released: &mut Vec<u8>) -> Result<(), Error> {
    let (header, body) = UnverifiedHeader::parse(message)?;
    let key = header.unwrap_key(&wrapping_key())?;
    let mut opener = header.open(&key, &context())?;
    for mut input in body.chunks(piece) {
        while let Some(plaintext) = opener.open(&mut input)? {
            released.extend_from_slice(plaintext);
        }
    }
    opener.finish()
}
