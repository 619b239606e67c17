//! Whole messages of loam-sealed, as file-transfer makes and takes them.

use std::hint::black_box;

use loam_sealed::{
    DataKey, EncryptedDataKey, EncryptionContext, FrameLength, Header, MessageId, Opener, Sealer, UnverifiedHeader,
};
use sha2::{Digest as _, Sha256};

use crate::{Outcome, PIECE};

/// Always the same message, of any length.
pub(crate) struct Message {
    key: DataKey,
    header: Header,
    /// Whether the plaintext's SHA-256 is taken in the same pass.
    with_digest: bool,
}

impl Message {
    pub(crate) fn new(frame: usize, with_digest: bool) -> Outcome<Self> {
        let keys = vec![EncryptedDataKey::aws_kms("arn:aws:kms:eu-central-1:123456789012:key/1", vec![0; 184])?];
        let context = EncryptionContext::new([("thing", "bench"), ("transferId", "1"), ("direction", "download")])?;
        let header = Header::new(MessageId::new([1; 32]), context, keys, FrameLength::new(u32::try_from(frame)?)?)?;
        Ok(Self { key: DataKey::new([7; 32]), header, with_digest })
    }

    /// Seals so many bytes; `give` gets each piece of the body.
    pub(crate) fn seal(&self, bytes: usize, mut give: impl FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
        let (piece, mut digest) = (vec![0x5A; PIECE], Digest::new(self.with_digest));
        let (mut sealer, mut sealed) = (Sealer::new(&self.key, &self.header)?, Vec::new());
        for _ in 0..bytes / PIECE {
            digest.update(&piece);
            sealer.update(&piece, &mut sealed)?;
            give(black_box(&sealed))?;
            sealed.clear();
        }
        sealer.finish(&mut sealed)?;
        digest.finish();
        give(black_box(&sealed))
    }

    /// The body of so many bytes.
    pub(crate) fn sealed(&self, bytes: usize) -> Outcome<Vec<u8>> {
        let mut body = Vec::with_capacity(usize::try_from(self.header.frame_length().body_length(bytes as u64)?)?);
        self.seal(bytes, |piece| {
            body.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(body)
    }

    /// Opens a body piece by piece.
    pub(crate) fn open(&self, body: &[u8]) -> Outcome<()> {
        let (mut opener, mut digest) = (self.opener()?, Digest::new(self.with_digest));
        for piece in body.chunks(PIECE) {
            take(&mut opener, &mut digest, piece)?;
        }
        digest.finish();
        Ok(opener.finish()?)
    }

    /// Seals so many bytes and opens each piece as it comes: what both sides hold, together.
    pub(crate) fn pass(&self, bytes: usize) -> Outcome<()> {
        let (mut opener, mut digest) = (self.opener()?, Digest::new(self.with_digest));
        self.seal(bytes, |piece| take(&mut opener, &mut digest, piece))?;
        digest.finish();
        Ok(opener.finish()?)
    }

    fn opener(&self) -> Outcome<Opener> {
        let prefix = self.header.seal(&self.key)?;
        Ok(UnverifiedHeader::parse(&prefix)?.0.open(&self.key, self.header.context())?)
    }
}

fn take(opener: &mut Opener, digest: &mut Digest, mut piece: &[u8]) -> Outcome<()> {
    while let Some(plaintext) = opener.open(&mut piece)? {
        digest.update(black_box(plaintext));
    }
    Ok(())
}

/// The digest that file-transfer takes, or none.
struct Digest(Option<Sha256>);

impl Digest {
    fn new(wanted: bool) -> Self {
        Self(wanted.then(Sha256::new))
    }

    fn update(&mut self, bytes: &[u8]) {
        if let Some(digest) = &mut self.0 {
            digest.update(bytes);
        }
    }

    fn finish(self) {
        black_box(self.0.map(Sha256::finalize));
    }
}
