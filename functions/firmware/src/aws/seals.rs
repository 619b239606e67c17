//! Sealed images: `images/{release}.head` holds what opens one, `images/{release}.sealed` is its body.
//!
//! Who writes the head first decides which keys seal, and which version of the upload: whoever comes later, after a crash or at
//! the same time, seals the same bytes with the same keys. So no key ever seals two images.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_releases::names::Id;
use loam_releases::next::PIECE_BYTES;
use loam_releases::sealed::{NAMESPACE, pairs, wrapping_pairs};
use loam_sealed::{DataKey, EncryptionContext, Error, FrameLength, Sealer, UnverifiedHeader, WrappingKey};
use loam_sealed_keys::{Fresh, Head, KeyFailure, Keys};
use serde::{Deserialize, Serialize};

use super::images::{Images, Measured, Measuring, Pinned, there};
use super::sealed_upload::SealedUpload;
use crate::FirmwareFailure;
use crate::error::Asked;

/// How many sealed bytes a part of the body has at least, but for the last one. S3 takes no less than 5 MiB.
const PART_BYTES: usize = 8 * 1_024 * 1_024;

/// Sealed images.
#[derive(Debug, Clone)]
pub(crate) struct Seals {
    client: Client,
    bucket: String,
    images: Images,
    keys: Keys,
}

/// A head as it is stored, with the one upload that its keys seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    head: Head,
    image: Pinned,
}

/// What opens a sealed image, for a grant.
#[derive(Serialize)]
pub(crate) struct Opening {
    /// The message's header in base64.
    pub(crate) header: String,
    /// The wrapping key in base64.
    pub(crate) key: String,
}

/// Where a sealed body lies.
pub(crate) fn body_key(release: &Id) -> String {
    format!("images/{release}.sealed")
}

fn head_key(release: &Id) -> String {
    format!("images/{release}.head")
}

impl Seals {
    pub(crate) fn new(sdk: &SdkConfig, bucket: String, key: String) -> Self {
        let images = Images::new(sdk, bucket.clone());
        Self { client: Client::new(sdk), bucket, images, keys: Keys::new(sdk, key) }
    }

    /// Seals the image of a release, reading it once; what it is. If this was begun before, it is the upload of that time.
    /// `None` if that is gone.
    pub(crate) async fn seal(&self, release: &Id, image: &Pinned) -> Result<Option<Measured>, FirmwareFailure> {
        let (stored, data_key) = Box::pin(self.begin(release, image)).await?;
        let Some(mut body) = self.images.open(&stored.image).await? else { return Ok(None) };
        let mut sealer = sealer(release, &stored.head, &data_key)?;
        let mut upload = SealedUpload::begin(&self.client, &self.bucket, body_key(release)).await?;
        let (mut measuring, mut sealed) = (Measuring::begin(), Vec::new());
        while let Some(chunk) = body.try_next().await.map_err(|_| FirmwareFailure::Cut)? {
            measuring.update(&chunk);
            sealer.update(&chunk, &mut sealed)?;
            if sealed.len() >= PART_BYTES {
                upload.put(std::mem::take(&mut sealed)).await?;
            }
        }
        // Before there is a body: half of an image is none.
        let measured = measuring.finish(&stored.image)?;
        sealer.finish(&mut sealed)?;
        upload.put(sealed).await?;
        upload.complete().await?;
        Ok(Some(measured))
    }

    /// What opens the image of a release.
    pub(crate) async fn opening(&self, release: &Id) -> Result<Opening, FirmwareFailure> {
        let Stored { head, .. } = self.stored(release).await?.ok_or(FirmwareFailure::BadObject("a head"))?;
        let header = STANDARD.encode(head.header().map_err(KeyFailure::from)?);
        let key = self.keys.wrapping_key(&head, &wrapping_pairs(release)).await?;
        Ok(Opening { header, key: STANDARD.encode(key.as_slice()) })
    }

    /// The head by which the image is sealed, and its data key.
    async fn begin(&self, release: &Id, image: &Pinned) -> Result<(Stored, DataKey), FirmwareFailure> {
        if let Some(stored) = self.stored(release).await? {
            return self.go_on(release, stored).await;
        }
        let fresh = self.keys.fresh(&pairs(release), &wrapping_pairs(release)).await?;
        let stored = Stored { head: head(release, &fresh)?, image: image.clone() };
        if self.store(release, &stored).await? {
            return Ok((stored, fresh.data_key));
        }
        // Another run was first: these keys never seal anything.
        let stored = self.stored(release).await?.ok_or(FirmwareFailure::BadObject("a head"))?;
        self.go_on(release, stored).await
    }

    async fn go_on(&self, release: &Id, stored: Stored) -> Result<(Stored, DataKey), FirmwareFailure> {
        let data_key = self.keys.data_key(&stored.head, &pairs(release)).await?;
        Ok((stored, data_key))
    }

    async fn stored(&self, release: &Id) -> Result<Option<Stored>, FirmwareFailure> {
        let request = self.client.get_object().bucket(&self.bucket).key(head_key(release));
        let answer = request.send().await.map_err(|error| FirmwareFailure::object(Asked::ReadObject, error));
        let Some(answer) = there(answer)? else { return Ok(None) };
        let bytes = answer.body.collect().await.map_err(|_| FirmwareFailure::Cut)?;
        serde_json::from_slice(&bytes.into_bytes()).map(Some).map_err(|_| FirmwareFailure::BadObject("a head"))
    }

    /// Stores a head if there is none: whether this one is it. Asked for once more by the SDK, since an answer was lost, it finds
    /// its own and says no; read back, that is as good as another's. 409: another one is being stored at this moment.
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
    async fn store(&self, release: &Id, stored: &Stored) -> Result<bool, FirmwareFailure> {
        let body = ByteStream::from(serde_json::to_vec(stored)?);
        let request = self.client.put_object().bucket(&self.bucket).key(head_key(release)).body(body);
        match request.if_none_match("*").send().await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.code(), Some("PreconditionFailed" | "ConditionalRequestConflict")) => {
                Ok(false)
            }
            Err(error) => Err(FirmwareFailure::object(Asked::WriteObject, error)),
        }
    }
}

/// The head of a release, of keys that were made for it. A frame is what a device writes at once.
fn head(release: &Id, fresh: &Fresh) -> Result<Head, Error> {
    let wrapping = WrappingKey::new(NAMESPACE, release.as_str(), &fresh.wrapping_key)?;
    let frame = FrameLength::new(u32::try_from(PIECE_BYTES).unwrap_or(FrameLength::MAX))?;
    Head::make(EncryptionContext::new(pairs(release))?, &wrapping, frame, fresh)
}

/// What seals by a stored head, whose header is proved first.
fn sealer(release: &Id, head: &Head, data_key: &DataKey) -> Result<Sealer, FirmwareFailure> {
    let header = head.header().map_err(KeyFailure::from)?;
    let (header, rest) = UnverifiedHeader::parse(&header)?;
    if !rest.is_empty() {
        return Err(Error::TrailingData.into());
    }
    let opener = header.open(data_key, &EncryptionContext::new(pairs(release))?)?;
    Ok(Sealer::new(data_key, opener.header())?)
}

#[cfg(test)]
mod tests {
    use loam_sealed_keys::samples::{WRAPPING_KEY, fresh};

    use super::*;

    fn release() -> Id {
        Id::of("release", &["r"])
    }

    fn sealed(image: &[u8], chunk: usize) -> Vec<u8> {
        let (fresh, mut sealed) = (fresh(), vec![]);
        let mut sealer = sealer(&release(), &head(&release(), &fresh).unwrap(), &fresh.data_key).unwrap();
        image.chunks(chunk).for_each(|chunk| sealer.update(chunk, &mut sealed).unwrap());
        sealer.finish(&mut sealed).unwrap();
        sealed
    }

    #[test]
    fn the_key_of_a_grant_opens_the_image_by_the_releases_name_and_no_others() {
        let image: Vec<u8> = (0..200_000_u32).map(|index| index.to_le_bytes()[0]).collect();
        let body = sealed(&image, 10_007);
        let header = head(&release(), &fresh()).unwrap().header().unwrap();
        let open = |release: &Id| {
            let (header, _) = UnverifiedHeader::parse(&header)?;
            let data_key = header.unwrap_key(&WrappingKey::new(NAMESPACE, release.as_str(), &WRAPPING_KEY)?)?;
            let mut opener = header.open(&data_key, &EncryptionContext::new(pairs(release))?)?;
            let (mut opened, mut left) = (vec![], body.as_slice());
            while let Some(frame) = opener.open(&mut left)? {
                opened.extend_from_slice(frame);
            }
            opener.finish().map(|()| opened)
        };
        assert!(open(&release()).unwrap() == image);
        assert_eq!(open(&Id::of("release", &["other"])), Err(Error::NoMatchingDataKey));
    }

    #[test]
    fn who_seals_once_more_seals_the_same_bytes_however_they_come() {
        let image = vec![7; 150_000];
        assert!(sealed(&image, 65_536) == sealed(&image, 1_000));
    }

    #[test]
    fn a_head_of_another_release_seals_nothing() {
        let (fresh, other) = (fresh(), Id::of("release", &["other"]));
        let head = head(&release(), &fresh).unwrap();
        let refused = sealer(&other, &head, &fresh.data_key).unwrap_err();
        assert!(matches!(refused, FirmwareFailure::Format(Error::ContextMismatch)));
        assert!(sealer(&release(), &head, &DataKey::new([3; 32])).is_err());
    }

    #[test]
    fn a_stored_head_is_read_as_it_was_written() {
        let row = r#"{"head":{"header":"AAAA","wrappingKey":"AQ=="},"image":{"key":"incoming/a/app.bin","version":"v","bytes":3}}"#;
        let stored: Stored = serde_json::from_str(row).unwrap();
        assert_eq!(serde_json::to_string(&stored).unwrap(), row);
        assert_ne!(head_key(&release()), body_key(&release()));
    }
}
