//! Multipart uploads of bodies.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use super::objects::{Objects, body_key, failed, there};
use crate::FileFailure;
use crate::ids::{AttemptId, TransferId};

/// A part as S3 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) number: u32,
    pub(crate) bytes: u64,
    pub(crate) etag: String,
}

impl Objects {
    /// Begins the upload of a body; answers S3's id of it.
    pub(crate) async fn begin_upload(&self, id: &TransferId, attempt: &AttemptId) -> Result<String, FileFailure> {
        let request = self.client.create_multipart_upload().bucket(&self.files).key(body_key(id, attempt));
        let answer = request.send().await.map_err(|error| failed("an upload was not begun", &error))?;
        answer.upload_id.ok_or(FileFailure::BadRow("UploadId"))
    }

    /// Stores a sealed part; `false` if the upload is no more.
    pub(crate) async fn put_part(
        &self,
        id: &TransferId,
        attempt: &AttemptId,
        upload: &str,
        part: u32,
        sealed: Vec<u8>,
    ) -> Result<bool, FileFailure> {
        let request = self.client.upload_part().bucket(&self.files).key(body_key(id, attempt)).upload_id(upload);
        let request = request.part_number(i32::try_from(part).unwrap_or(i32::MAX)).body(ByteStream::from(sealed));
        let answer = request.send().await.map_err(|error| failed("a part was not stored", &error));
        Ok(there(answer)?.is_some())
    }

    /// The parts that S3 holds, in their order; `None` if the upload is no more.
    pub(crate) async fn parts(
        &self,
        id: &TransferId,
        attempt: &AttemptId,
        upload: &str,
    ) -> Result<Option<Vec<Held>>, FileFailure> {
        let (mut held, mut marker) = (Vec::new(), None);
        loop {
            let request = self.client.list_parts().bucket(&self.files).key(body_key(id, attempt)).upload_id(upload);
            let answer = request.set_part_number_marker(marker).send().await;
            let answer = there(answer.map_err(|error| failed("parts were not listed", &error)))?;
            let Some(answer) = answer else { return Ok(None) };
            held.extend(answer.parts().iter().filter_map(|part| {
                let number = u32::try_from(part.part_number()?).ok()?;
                let bytes = u64::try_from(part.size()?).ok()?;
                Some(Held { number, bytes, etag: part.e_tag()?.to_owned() })
            }));
            marker = answer.next_part_number_marker.filter(|_| answer.is_truncated == Some(true));
            if marker.is_none() {
                return Ok(Some(held));
            }
        }
    }

    /// Makes one object of the parts; its tag. `None` if the upload is no more: it was done before, or aborted.
    pub(crate) async fn complete(
        &self,
        id: &TransferId,
        attempt: &AttemptId,
        upload: &str,
        parts: &[Held],
    ) -> Result<Option<String>, FileFailure> {
        let part = |held: &Held| {
            let number = i32::try_from(held.number).unwrap_or(i32::MAX);
            CompletedPart::builder().part_number(number).e_tag(&held.etag).build()
        };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.iter().map(part).collect())).build();
        let request = self.client.complete_multipart_upload().bucket(&self.files).key(body_key(id, attempt));
        let answer = request.upload_id(upload).multipart_upload(parts).send().await;
        let answer = there(answer.map_err(|error| failed("an upload was not completed", &error)))?;
        Ok(answer.and_then(|answer| answer.e_tag))
    }

    /// The tag and length of a body that is one object; `None` if it is not.
    pub(crate) async fn body(
        &self,
        id: &TransferId,
        attempt: &AttemptId,
    ) -> Result<Option<(String, u64)>, FileFailure> {
        let answer = self.client.head_object().bucket(&self.files).key(body_key(id, attempt)).send().await;
        let answer = there(answer.map_err(|error| failed("a body was not looked at", &error)))?;
        Ok(answer.and_then(|found| Some((found.e_tag?, u64::try_from(found.content_length?).ok()?))))
    }
}
