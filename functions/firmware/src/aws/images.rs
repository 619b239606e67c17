use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::TaggingDirective;
use loam_releases::manifest::MOST_IMAGE_BYTES;
use loam_releases::names::Digest;
use loam_runtime::{Class, Failure as _};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::FirmwareFailure;
use crate::error::Asked;
use crate::release::MOST_DESCRIPTOR_BYTES;

/// How long S3 may copy an image of 1 GiB, or make one of its parts. It sends nothing but blanks until it is done.
const DONE_WITHIN: Duration = Duration::from_secs(300);

/// FirmwareBucket: what was uploaded, and images under the names of their digests. It keeps versions.
#[derive(Debug, Clone)]
pub(crate) struct Images {
    client: Client,
    bucket: String,
}

/// An uploaded object, in the version that is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pinned {
    pub(crate) key: String,
    pub(crate) version: String,
    /// Its length in bytes.
    pub(crate) bytes: u64,
}

/// A descriptor that was read.
pub(crate) struct Uploaded {
    /// Its bytes, one more than [`MOST_DESCRIPTOR_BYTES`] at most.
    pub(crate) bytes: Vec<u8>,
    pub(crate) uploaded_at: UploadedAt,
}

/// When an object was uploaded, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UploadedAt(i64);

impl UploadedAt {
    fn of(last_modified: Option<&DateTime>) -> Result<Self, FirmwareFailure> {
        last_modified.map(|at| Self(at.secs())).ok_or(FirmwareFailure::BadObject("an object without its time"))
    }
}

/// What one pass over an image tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) bytes: u64,
    pub(crate) sha256: Digest,
}

/// An image that is being read, from its first byte.
pub(crate) struct Measuring {
    digest: Context,
    bytes: u64,
}

/// Where an image lies.
pub(crate) fn image_key(sha256: &Digest) -> String {
    format!("images/{sha256}")
}

/// What S3 may take its time for.
pub(super) fn patient() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(DONE_WITHIN).operation_timeout(DONE_WITHIN);
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts.build())
}

/// `None` for what is not there.
pub(super) fn there<T>(answer: Result<T, FirmwareFailure>) -> Result<Option<T>, FirmwareFailure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.class() == Class::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

impl Images {
    pub(crate) fn new(sdk: &SdkConfig, bucket: String) -> Self {
        Self { client: Client::new(sdk), bucket }
    }

    /// A descriptor in this version; `None` if it is gone.
    pub(crate) async fn descriptor(&self, key: &str, version: &str) -> Result<Option<Uploaded>, FirmwareFailure> {
        let request = self.client.get_object().bucket(&self.bucket).key(key).version_id(version);
        let answer = request.send().await.map_err(|error| FirmwareFailure::object(Asked::ReadObject, error));
        let Some(mut answer) = there(answer)? else { return Ok(None) };
        let uploaded_at = UploadedAt::of(answer.last_modified())?;
        let mut bytes = Vec::new();
        while bytes.len() <= MOST_DESCRIPTOR_BYTES {
            let Some(chunk) = answer.body.try_next().await.map_err(|_| FirmwareFailure::Cut)? else { break };
            bytes.extend_from_slice(&chunk);
        }
        bytes.truncate(MOST_DESCRIPTOR_BYTES + 1);
        Ok(Some(Uploaded { bytes, uploaded_at }))
    }

    /// The newest version of an object, and its time; `None` if there is none.
    pub(crate) async fn newest(&self, key: &str) -> Result<Option<(Pinned, UploadedAt)>, FirmwareFailure> {
        let answer = self.client.head_object().bucket(&self.bucket).key(key).send().await;
        let answer = there(answer.map_err(|error| FirmwareFailure::object(Asked::ReadObject, error)))?;
        let pinned = |found: aws_sdk_s3::operation::head_object::HeadObjectOutput| {
            let uploaded_at = UploadedAt::of(found.last_modified())?;
            let version = found.version_id.ok_or(FirmwareFailure::BadObject("a bucket without versions"))?;
            let bytes = u64::try_from(found.content_length.unwrap_or_default()).unwrap_or_default();
            Ok((Pinned { key: key.to_owned(), version, bytes }, uploaded_at))
        };
        answer.map(pinned).transpose()
    }

    /// Length and digest of an object, read once from its beginning to its end and never held; `None` if it is gone.
    pub(crate) async fn measure(&self, image: &Pinned) -> Result<Option<Measured>, FirmwareFailure> {
        let Some(mut body) = self.open(image).await? else { return Ok(None) };
        let mut measuring = Measuring::begin();
        while let Some(chunk) = body.try_next().await.map_err(|_| FirmwareFailure::Cut)? {
            measuring.update(&chunk);
        }
        measuring.finish(image).map(Some)
    }

    /// An object's bytes, to be read as they come; `None` if it is gone.
    pub(crate) async fn open(&self, image: &Pinned) -> Result<Option<ByteStream>, FirmwareFailure> {
        let request = self.client.get_object().bucket(&self.bucket).key(&image.key).version_id(&image.version);
        let answer = request.send().await.map_err(|error| FirmwareFailure::object(Asked::ReadObject, error));
        Ok(there(answer)?.map(|answer| answer.body))
    }

    /// Keeps an image under its digest; one that is there is the same. `false` if what was uploaded is gone.
    ///
    /// S3 may answer 200 and tell the copy's failure in the body, of which the SDK makes an error.
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.
    pub(crate) async fn keep(&self, image: &Pinned, sha256: &Digest) -> Result<bool, FirmwareFailure> {
        // Names of uploads hold nothing that a header would read otherwise; a version may.
        let version = percent_encoding::utf8_percent_encode(&image.version, percent_encoding::NON_ALPHANUMERIC);
        let source = format!("{}/{}?versionId={version}", self.bucket, image.key);
        let request = self.client.copy_object().copy_source(source).bucket(&self.bucket).key(image_key(sha256));
        // Tags of an upload stay behind: they would need a right of their own.
        let request = request.if_none_match("*").tagging_directive(TaggingDirective::Replace);
        let answer = request.customize().config_override(patient()).send().await;
        match answer {
            Ok(_) => Ok(true),
            // It is there. What another run is copying now is waited for: the message comes again.
            Err(error) if error.code() == Some("PreconditionFailed") => Ok(true),
            Err(error) => Ok(there(Err::<(), _>(FirmwareFailure::object(Asked::WriteObject, error)))?.is_some()),
        }
    }

    /// A URL for GETs of the object of this key, whole or in ranges, that is good for so many seconds.
    pub(crate) async fn url(&self, key: &str, seconds: u64) -> Result<String, FirmwareFailure> {
        let good_for = PresigningConfig::expires_in(Duration::from_secs(seconds));
        let good_for = good_for.map_err(|_| FirmwareFailure::BadObject("a URL that is good for no time"))?;
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let signed = request.presigned(good_for).await;
        Ok(signed.map_err(|error| FirmwareFailure::object(Asked::Url, error))?.uri().to_owned())
    }
}

impl Measuring {
    pub(crate) fn begin() -> Self {
        Self { digest: Context::new(&SHA256), bytes: 0 }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, chunk: &[u8]) {
        self.digest.update(chunk);
        self.bytes = self.bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
    }

    /// What `image` is, all of which was read.
    pub(crate) fn finish(self, image: &Pinned) -> Result<Measured, FirmwareFailure> {
        let Self { digest, bytes } = self;
        if bytes != image.bytes || bytes > MOST_IMAGE_BYTES {
            return Err(FirmwareFailure::Cut);
        }
        let sha256 = Digest::from_bytes(digest.finish().as_ref()).ok_or(FirmwareFailure::Cut)?;
        Ok(Measured { bytes, sha256 })
    }
}
