use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use loam_runtime::{Class, sdk_class};

use crate::FileFailure;
use crate::config::Places;
use crate::head::Head;
use crate::ids::{AttemptId, TransferId};
use crate::plan::Part;

/// Sources, heads and bodies.
///
/// A source is what people bring, in a bucket with versions, under the KMS key; it goes once its transfer is over. A head
/// is what opens a body. Heads and bodies have no versions: what is deleted there is gone.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    pub(super) client: Client,
    pub(super) sources: String,
    pub(super) files: String,
}

/// A source as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) version: String,
    pub(crate) bytes: u64,
}

pub(crate) fn source_key(id: &TransferId) -> String {
    format!("sources/{id}")
}

pub(crate) fn head_key(id: &TransferId, attempt: &AttemptId) -> String {
    format!("heads/{id}/{attempt}")
}

pub(crate) fn body_key(id: &TransferId, attempt: &AttemptId) -> String {
    format!("bodies/{id}/{attempt}")
}

/// What S3's failure is for us.
pub(super) fn failed<E: ProvideErrorMetadata>(what: &'static str, error: &SdkError<E, HttpResponse>) -> FileFailure {
    let class = match error.code() {
        Some("NoSuchKey" | "NoSuchVersion" | "NotFound" | "NoSuchUpload") => Class::NotFound,
        _ => sdk_class(error),
    };
    let code = error.code().unwrap_or("nothing").to_owned();
    FileFailure::Objects { what, code, class }
}

/// `None` for what is not there.
pub(super) fn there<T>(answer: Result<T, FileFailure>) -> Result<Option<T>, FileFailure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(FileFailure::Objects { class: Class::NotFound, .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

impl Objects {
    pub(crate) fn new(sdk: &SdkConfig, places: &Places) -> Self {
        let (sources, files) = (places.sources_bucket.clone(), places.files_bucket.clone());
        Self { client: Client::new(sdk), sources, files }
    }

    /// The newest version of a source; `None` if nobody has brought it.
    pub(crate) async fn source(&self, id: &TransferId) -> Result<Option<Found>, FileFailure> {
        let answer = self.client.head_object().bucket(&self.sources).key(source_key(id)).send().await;
        let answer = there(answer.map_err(|error| failed("a source was not looked at", &error)))?;
        Ok(answer.and_then(|found| {
            let bytes = u64::try_from(found.content_length?).ok()?;
            Some(Found { version: found.version_id?, bytes })
        }))
    }

    /// The bytes of a part of one version of a source; `None` if that version is gone.
    pub(crate) async fn source_part(
        &self,
        id: &TransferId,
        version: &str,
        part: &Part,
    ) -> Result<Option<Vec<u8>>, FileFailure> {
        let request = self.client.get_object().bucket(&self.sources).key(source_key(id)).version_id(version);
        // An empty range of an empty object is none for S3; that the version is there still is asked.
        let request = if part.plaintext.is_empty() { request } else { request.range(range(&part.plaintext)) };
        let answer = there(request.send().await.map_err(|error| failed("a source was not read", &error)))?;
        let Some(answer) = answer else { return Ok(None) };
        if part.plaintext.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let size = usize::try_from(part.plaintext.end - part.plaintext.start).unwrap_or_default();
        let mut bytes = Vec::with_capacity(size);
        let mut body = answer.body;
        while let Some(chunk) = body.try_next().await.map_err(|_| broke_off("a source was not read to its end"))? {
            bytes.extend_from_slice(&chunk);
        }
        // More or fewer bytes than were asked for are S3's failure, not the file's: they are read again.
        if bytes.len() == size { Ok(Some(bytes)) } else { Err(broke_off("a source was not read as it was asked for")) }
    }

    /// Stores a head, once.
    pub(crate) async fn put_head(&self, id: &TransferId, attempt: &AttemptId, head: &Head) -> Result<(), FileFailure> {
        let body = ByteStream::from(serde_json::to_vec(head)?);
        let request = self.client.put_object().bucket(&self.files).key(head_key(id, attempt)).body(body);
        request.send().await.map_err(|error| failed("a head was not stored", &error))?;
        Ok(())
    }

    /// A head; `None` if it is erased.
    pub(crate) async fn head(&self, id: &TransferId, attempt: &AttemptId) -> Result<Option<Head>, FileFailure> {
        let answer = self.client.get_object().bucket(&self.files).key(head_key(id, attempt)).send().await;
        let answer = there(answer.map_err(|error| failed("a head was not read", &error)))?;
        let Some(answer) = answer else { return Ok(None) };
        let bytes = answer.body.collect().await.map_err(|_| broke_off("a head was not read to its end"))?;
        serde_json::from_slice(&bytes.into_bytes()).map(Some).map_err(|_| FileFailure::BadRow("head"))
    }

    /// A part of a body, to be read as it comes; `None` if the body is gone or another one.
    pub(crate) async fn body_part(
        &self,
        id: &TransferId,
        attempt: &AttemptId,
        etag: &str,
        part: &Part,
    ) -> Result<Option<ByteStream>, FileFailure> {
        let request = self.client.get_object().bucket(&self.files).key(body_key(id, attempt));
        let answer = request.if_match(etag).range(range(&part.sealed)).send().await;
        let answer = there(answer.map_err(|error| failed("a body was not read", &error)))?;
        Ok(answer.map(|answer| answer.body))
    }
}

/// A stream that ended before its object did.
pub(crate) fn broke_off(what: &'static str) -> FileFailure {
    FileFailure::Objects { what, code: "a cut".to_owned(), class: Class::Unavailable }
}

/// S3's words for a range of bytes.
fn range(bytes: &std::ops::Range<u64>) -> String {
    format!("bytes={}-{}", bytes.start, bytes.end.saturating_sub(1))
}
