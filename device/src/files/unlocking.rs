use super::kms::Asked;
use super::notice::{is_digest, is_id};
use super::{Direction, Grant, Key, Kms, NoFile, NoKey, Parts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::ThingName;
use loam_sealed::{DataKey, EncryptionContext, Error, FrameLength, Opener, UnverifiedHeader, WrappingKey};

/// A grant that does not contradict itself, for want of its data key.
struct Unopened {
    header: UnverifiedHeader,
    context: EncryptionContext,
    frame: FrameLength,
    parts: Parts,
}

impl Grant {
    /// What opens and seals its file, for `thing` and nobody else, by the key that it brings; and its parts.
    ///
    /// # Errors
    /// [`NoFile`] for a grant that contradicts itself, for a header that this thing cannot open, and where it brings no key.
    pub fn open(&self, thing: &ThingName) -> Result<(DataKey, Opener, Parts), NoFile> {
        let unopened = self.check(thing)?;
        let key = self.key.as_ref().ok_or(NoKey::NoWay)?.of(&unopened.header)?;
        unopened.open(key)
    }

    /// The same, where a grant that brings no key is opened by KMS, asked at `now` (milliseconds since the epoch) for the
    /// context that is expected of this grant, whatever its header states.
    ///
    /// # Errors
    /// [`NoFile`]; [`NoFile::Key`] for what KMS refuses.
    pub async fn open_by(
        &self,
        thing: &ThingName,
        kms: Option<&Kms>,
        now: i64,
    ) -> Result<(DataKey, Opener, Parts), NoFile> {
        if self.key.is_some() {
            return self.open(thing);
        }
        let unopened = self.check(thing)?;
        let kms = kms.ok_or(NoKey::NoWay)?;
        let key = kms.open(&Asked::of(&unopened.header, &unopened.context)?, now).await?;
        unopened.open(key)
    }

    fn check(&self, thing: &ThingName) -> Result<Unopened, NoFile> {
        let parts = Parts::of(&self.file)?;
        if !is_id(&self.attempt) || !is_digest(&self.file.sha256) {
            return Err(NoFile::BadGrant("its attempt or its SHA-256 has another form"));
        }
        let context = self.direction.context(thing, &self.transfer_id)?;
        let header = STANDARD.decode(&self.header).map_err(|_| NoFile::BadGrant("its header is not base64"))?;
        let header = whole(&header)?;
        if header.stated_context() != &context {
            return Err(Error::ContextMismatch.into());
        }
        Ok(Unopened { header, context, frame: FrameLength::new(self.file.frame_length)?, parts })
    }
}

impl Unopened {
    fn open(self, key: DataKey) -> Result<(DataKey, Opener, Parts), NoFile> {
        let opener = self.header.open(&key, &self.context)?;
        if opener.header().frame_length() != self.frame {
            return Err(NoFile::BadGrant("its header names another length of frames"));
        }
        Ok((key, opener, self.parts))
    }
}

impl Direction {
    /// What a file of this direction is sealed for.
    pub(super) fn context(self, thing: &ThingName, transfer: &str) -> Result<EncryptionContext, Error> {
        let direction = match self {
            Self::Download => "download",
            Self::Upload => "upload",
        };
        EncryptionContext::new([("direction", direction), ("thing", thing.as_str()), ("transferId", transfer)])
    }
}

impl Key {
    /// Opens a header that is all there.
    ///
    /// # Errors
    /// [`NoFile`].
    pub fn open(&self, header: &[u8], context: &EncryptionContext) -> Result<(DataKey, Opener), NoFile> {
        self.unwrap(whole(header)?, context)
    }

    /// Opens a header that was read.
    ///
    /// # Errors
    /// [`NoFile`].
    pub(crate) fn unwrap(
        &self,
        header: UnverifiedHeader,
        context: &EncryptionContext,
    ) -> Result<(DataKey, Opener), NoFile> {
        let data_key = self.of(&header)?;
        let opener = header.open(&data_key, context)?;
        Ok((data_key, opener))
    }

    /// The data key of a header.
    fn of(&self, header: &UnverifiedHeader) -> Result<DataKey, NoFile> {
        let bytes = STANDARD.decode(&self.value).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes = bytes.ok_or(NoFile::BadGrant("its key is not 32 bytes in base64"))?;
        Ok(header.unwrap_key(&WrappingKey::new(&self.namespace, &self.name, &bytes)?)?)
    }
}

/// A header with nothing behind it.
fn whole(header: &[u8]) -> Result<UnverifiedHeader, NoFile> {
    let (header, rest) = UnverifiedHeader::parse(header)?;
    if rest.is_empty() { Ok(header) } else { Err(Error::TrailingData.into()) }
}

#[cfg(test)]
#[path = "unlocking_tests.rs"]
mod tests;
