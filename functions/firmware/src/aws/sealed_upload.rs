use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use super::images::patient;
use crate::FirmwareFailure;
use crate::error::Asked;

/// A sealed body on its way into the bucket, part by part. One that is never completed goes after a day, by the bucket's rules.
pub(super) struct SealedUpload<'a> {
    client: &'a Client,
    bucket: &'a str,
    key: String,
    id: String,
    parts: Vec<CompletedPart>,
}

impl<'a> SealedUpload<'a> {
    pub(super) async fn begin(client: &'a Client, bucket: &'a str, key: String) -> Result<Self, FirmwareFailure> {
        let answer = client.create_multipart_upload().bucket(bucket).key(&key).send().await;
        let answer = answer.map_err(|error| FirmwareFailure::object(Asked::WriteObject, error))?;
        let id = answer.upload_id.ok_or(FirmwareFailure::BadObject("an upload without an id"))?;
        Ok(Self { client, bucket, key, id, parts: vec![] })
    }

    /// Stores the next part.
    pub(super) async fn put(&mut self, sealed: Vec<u8>) -> Result<(), FirmwareFailure> {
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let request = self.client.upload_part().bucket(self.bucket).key(&self.key).upload_id(&self.id);
        let answer = request.part_number(number).body(ByteStream::from(sealed)).send().await;
        let answer = answer.map_err(|error| FirmwareFailure::object(Asked::WriteObject, error))?;
        self.parts.push(CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag).build());
        Ok(())
    }

    /// Makes one object of the parts, unless it is there: then it is the same. An upload that is gone was completed by an earlier
    /// attempt, whose answer was lost: nothing else ends one within a day.
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>,
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>.
    pub(super) async fn complete(self) -> Result<(), FirmwareFailure> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts)).build();
        let request = self.client.complete_multipart_upload().bucket(self.bucket).key(self.key).upload_id(self.id);
        let request = request.multipart_upload(parts).if_none_match("*").customize().config_override(patient());
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.code(), Some("PreconditionFailed" | "NoSuchUpload")) => Ok(()),
            Err(error) => Err(FirmwareFailure::object(Asked::WriteObject, error)),
        }
    }
}
