//! The end of a transfer's objects: keys first.

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use loam_domain::ThingName;

use super::items::{self, Item};
use super::objects::{Objects, failed, head_key, source_key, there};
use super::store::{Store, wait_after};
use crate::FileFailure;
use crate::ids::{AttemptId, TransferId};

/// The most rows that one call erases. Source: DynamoDB API reference, `BatchWriteItem`.
const AT_ONCE: usize = 25;

impl Objects {
    /// Destroys what opens a transfer's bodies, then uploads, bodies and sources, of all attempts. Uploads go before bodies,
    /// since one may just become the other.
    pub(crate) async fn erase(&self, id: &TransferId) -> Result<(), FileFailure> {
        self.delete_all(&format!("heads/{id}/")).await?;
        self.abort_all(&format!("bodies/{id}/")).await?;
        self.delete_all(&format!("bodies/{id}/")).await?;
        self.delete_versions(id).await
    }

    /// Takes back the keys of an attempt that never began.
    pub(crate) async fn delete_head(&self, id: &TransferId, attempt: &AttemptId) -> Result<(), FileFailure> {
        self.delete(&self.files, head_key(id, attempt), None).await
    }

    async fn delete(&self, bucket: &str, key: String, version: Option<String>) -> Result<(), FileFailure> {
        let request = self.client.delete_object().bucket(bucket).key(key).set_version_id(version);
        there(request.send().await.map_err(|error| failed("an object was not deleted", &error)))?;
        Ok(())
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), FileFailure> {
        loop {
            let answer = self.client.list_objects_v2().bucket(&self.files).prefix(prefix).send().await;
            let answer = answer.map_err(|error| failed("objects were not listed", &error))?;
            for key in answer.contents().iter().filter_map(|object| object.key()) {
                self.delete(&self.files, key.to_owned(), None).await?;
            }
            if answer.is_truncated != Some(true) {
                return Ok(());
            }
        }
    }

    async fn abort_all(&self, prefix: &str) -> Result<(), FileFailure> {
        loop {
            let answer = self.client.list_multipart_uploads().bucket(&self.files).prefix(prefix).send().await;
            let answer = answer.map_err(|error| failed("uploads were not listed", &error))?;
            for upload in answer.uploads() {
                let (Some(key), Some(upload)) = (upload.key(), upload.upload_id()) else { continue };
                let request = self.client.abort_multipart_upload().bucket(&self.files).key(key).upload_id(upload);
                there(request.send().await.map_err(|error| failed("an upload was not aborted", &error)))?;
            }
            if answer.is_truncated != Some(true) {
                return Ok(());
            }
        }
    }

    async fn delete_versions(&self, id: &TransferId) -> Result<(), FileFailure> {
        let key = source_key(id);
        loop {
            let answer = self.client.list_object_versions().bucket(&self.sources).prefix(&key).send().await;
            let answer = answer.map_err(|error| failed("versions were not listed", &error))?;
            let versions = answer.versions().iter().filter_map(|version| version.version_id());
            let markers = answer.delete_markers().iter().filter_map(|marker| marker.version_id());
            for version in versions.chain(markers) {
                self.delete(&self.sources, key.clone(), Some(version.to_owned())).await?;
            }
            if answer.is_truncated != Some(true) {
                return Ok(());
            }
        }
    }
}

impl Store {
    /// Deletes all rows of a thing's transfers that are erased, and those that only such transfers have.
    pub(crate) async fn forget(&self, thing: &ThingName, transfers: &[TransferId]) -> Result<(), FileFailure> {
        let keys = |id: &TransferId| [items::transfer_key(thing, id), items::pointer_key(id)];
        self.delete(transfers.iter().flat_map(keys).collect()).await
    }

    /// Deletes everything of a thing that is left.
    pub(crate) async fn forget_all(&self, thing: &ThingName) -> Result<(), FileFailure> {
        loop {
            let request = self.client.query().table_name(&self.table).consistent_read(true).limit(100);
            let request = request.key_condition_expression("thing = :thing").projection_expression("thing, #item");
            let request = request.expression_attribute_names("#item", "item");
            let request = request.expression_attribute_values(":thing", items::text(thing.as_str()));
            let answer = request.send().await.map_err(|error| FileFailure::NotListed(Box::new(error)))?;
            let keys = answer.items.unwrap_or_default();
            if keys.is_empty() {
                return Ok(());
            }
            self.delete(keys).await?;
        }
    }

    async fn delete(&self, keys: Vec<Item>) -> Result<(), FileFailure> {
        for some in keys.chunks(AT_ONCE) {
            let mut requests = Vec::with_capacity(some.len());
            for key in some {
                let delete = DeleteRequest::builder().set_key(Some(key.clone())).build()?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            let mut tries = 0;
            while !requests.is_empty() {
                let answer = self.client.batch_write_item().request_items(&self.table, requests).send().await;
                let answer = answer.map_err(|error| FileFailure::NotDeleted(Box::new(error)))?;
                requests = answer.unprocessed_items.unwrap_or_default().remove(&self.table).unwrap_or_default();
                if !requests.is_empty() {
                    tries = wait_after(tries).await.map_err(|_| FileFailure::LeftUndone)?;
                }
            }
        }
        Ok(())
    }
}
