//! URLs that carry the right to one request, for minutes.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;

use super::objects::{Objects, body_key, failed, source_key};
use crate::FileFailure;
use crate::ids::{AttemptId, TransferId};

impl Objects {
    /// For one PUT of a source with so many bytes: the length is signed with it.
    pub(crate) async fn url_of_source(&self, id: &TransferId, bytes: u64, seconds: u64) -> Result<String, FileFailure> {
        let length = i64::try_from(bytes).unwrap_or(i64::MAX);
        let request = self.client.put_object().bucket(&self.sources).key(source_key(id)).content_length(length);
        let signed = request.presigned(good_for(seconds)?).await.map_err(|error| failed("no URL was made", &error))?;
        Ok(signed.uri().to_owned())
    }

    /// For one PUT of a sealed part.
    pub(crate) async fn url_of_part(
        &self,
        id: &TransferId,
        attempt: &AttemptId,
        upload: &str,
        part: u32,
        seconds: u64,
    ) -> Result<String, FileFailure> {
        let request = self.client.upload_part().bucket(&self.files).key(body_key(id, attempt)).upload_id(upload);
        let request = request.part_number(i32::try_from(part).unwrap_or(i32::MAX));
        let signed = request.presigned(good_for(seconds)?).await.map_err(|error| failed("no URL was made", &error))?;
        Ok(signed.uri().to_owned())
    }

    /// For GETs of a body, whole or in ranges.
    pub(crate) async fn url_of_body(
        &self,
        id: &TransferId,
        attempt: &AttemptId,
        seconds: u64,
    ) -> Result<String, FileFailure> {
        let request = self.client.get_object().bucket(&self.files).key(body_key(id, attempt));
        let signed = request.presigned(good_for(seconds)?).await.map_err(|error| failed("no URL was made", &error))?;
        Ok(signed.uri().to_owned())
    }
}

fn good_for(seconds: u64) -> Result<PresigningConfig, FileFailure> {
    PresigningConfig::expires_in(Duration::from_secs(seconds)).map_err(|_| FileFailure::Format)
}
