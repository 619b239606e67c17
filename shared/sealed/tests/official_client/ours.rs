//! This crate's side: a message sealed and opened piece by piece.

use std::collections::BTreeMap;

use loam_sealed::{
    DataKey, EncryptedDataKey, EncryptionContext, Error, FrameLength, Header, HeaderReader, MessageId, Opener, Sealer,
    WrappingKey,
};

pub(crate) const KEY_NAME: &str = "transfer-1";
pub(crate) const WRAPPING_KEY: [u8; 32] = [0x5C; 32];

/// The context's pairs, not all of them ASCII: both sides must sort and encode them alike.
pub(crate) fn pairs() -> BTreeMap<String, String> {
    let pairs =
        [("thing", "sensor-1"), ("transferId", "0190-7b3a"), ("direction", "device-to-cloud"), ("Ümläut", "木")];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn context() -> EncryptionContext {
    EncryptionContext::new(pairs()).unwrap()
}

fn wrapping_key() -> WrappingKey {
    WrappingKey::new("loam", KEY_NAME, &WRAPPING_KEY).unwrap()
}

/// The header names a key of KMS too, which other readers must step over.
fn header(data_key: &DataKey, frame: usize) -> Header {
    let arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let kms = EncryptedDataKey::aws_kms(arn, vec![0; 184]).unwrap();
    let raw = wrapping_key().wrap(data_key, &context(), [3; 12]).unwrap();
    let frame = FrameLength::new(frame.try_into().unwrap()).unwrap();
    Header::new(MessageId::new([9; 32]), context(), vec![kms, raw], frame).unwrap()
}

/// Gives the message's pieces as they come to be.
pub(crate) fn seal<'a>(plaintext: impl Iterator<Item = &'a [u8]>, frame: usize, mut give: impl FnMut(&[u8])) {
    let data_key = DataKey::new([7; 32]);
    let header = header(&data_key, frame);
    give(&header.seal(&data_key).unwrap());
    let (mut sealer, mut sealed) = (Sealer::new(&data_key, &header).unwrap(), Vec::new());
    for piece in plaintext {
        sealer.update(piece, &mut sealed).unwrap();
        give(&sealed);
        sealed.clear();
    }
    sealer.finish(&mut sealed).unwrap();
    give(&sealed);
}

/// Opens a message that comes in pieces.
#[derive(Default)]
pub(crate) struct Reader {
    header: HeaderReader,
    opener: Option<Opener>,
}

impl Reader {
    pub(crate) fn read(&mut self, mut piece: &[u8], mut release: impl FnMut(&[u8])) -> Result<(), Error> {
        if self.opener.is_none() {
            let Some(header) = self.header.read(&mut piece)? else { return Ok(()) };
            let data_key = header.unwrap_key(&wrapping_key())?;
            self.opener = Some(header.open(&data_key, &context())?);
        }
        let opener = self.opener.as_mut().unwrap();
        while let Some(plaintext) = opener.open(&mut piece)? {
            release(plaintext);
        }
        Ok(())
    }

    /// The message's frame length, once all of it was there.
    pub(crate) fn finish(self) -> Result<usize, Error> {
        let opener = self.opener.ok_or(Error::TruncatedHeader)?;
        let frame = opener.header().frame_length().get();
        opener.finish().map(|()| usize::try_from(frame).unwrap())
    }
}
