use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::Timestamp;
use loam_releases::names::Id;
use loam_runtime::{BatchItem, Invocation, KeptEvent, each_message};

use super::notice::{Notice, Upload};
use super::refusal::{NoRelease, fits};
use crate::aws::images::{Images, Measured, Pinned};
use crate::aws::releases::Releases;
use crate::aws::seals::Seals;
use crate::release::{self, Descriptor};
use crate::{FirmwareFailure, IntakeConfig};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "firmware-intake";

/// Takes uploads in. Whatever dies on the way is begun again: an upload has one id, and an image one name.
#[derive(Debug, Clone)]
pub struct Intake {
    images: Images,
    seals: Seals,
    releases: Releases,
    dead_letters: DeadLetters,
}

/// What became of an upload.
enum Taken {
    /// A draft: written now, or before.
    Draft(&'static str),
    /// It is gone: deleted, or expired.
    Gone,
    /// It is no release.
    Refused(NoRelease),
}

impl Intake {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: IntakeConfig) -> Self {
        Self {
            images: Images::new(sdk, config.firmware_bucket.clone()),
            seals: Seals::new(sdk, config.firmware_bucket, config.files_key),
            releases: Releases::new(sdk, config.firmware_table),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url),
        }
    }

    /// Deals with one batch of the queue and answers the ids of the messages that must come again.
    ///
    /// # Errors
    /// [`FirmwareFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(&self, batch: Vec<BatchItem>, invocation: &Invocation) -> Result<Vec<String>, FirmwareFailure> {
        let now = invocation.now;
        each_message(batch, 1, |item| {
            let handler = self.clone();
            async move { Box::pin(handler.deal_with(&item, now)).await }
        })
        .await
    }

    async fn deal_with(&self, item: &BatchItem, now: Timestamp) -> Result<(), FirmwareFailure> {
        let uploads = match Notice::parse(&item.body) {
            Ok(Notice::Test) => return Ok(()),
            Ok(Notice::Uploads(uploads)) => uploads,
            Err(refused) => return self.keep(item, refused.code(), refused.to_string(), now).await,
        };
        for upload in &uploads {
            let id = release::id(&upload.key, &upload.version);
            let outcome = match Box::pin(self.take_in(upload, &id, now)).await? {
                Taken::Draft(outcome) => outcome,
                Taken::Gone => "gone",
                Taken::Refused(refused) => {
                    // Told first: what is kept may be handed in again, and is told once then as well.
                    self.releases.refuse(&id, &refused.event(upload, &id, now)).await?;
                    self.keep(item, refused.code(), refused.to_string(), now).await?;
                    "refused"
                }
            };
            tracing::info!(release.id = id.as_str(), outcome, "upload taken in");
        }
        Ok(())
    }

    async fn keep(
        &self,
        item: &BatchItem,
        code: &'static str,
        detail: String,
        now: Timestamp,
    ) -> Result<(), FirmwareFailure> {
        tracing::warn!(code, detail, "refused and kept");
        self.dead_letters.keep(&KeptEvent::of_body(NAME, code, detail, &item.body, now)).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }

    async fn take_in(&self, upload: &Upload, id: &Id, now: Timestamp) -> Result<Taken, FirmwareFailure> {
        if self.releases.get(id).await?.is_some() {
            return Ok(Taken::Draft("already"));
        }
        let Some(read) = self.images.descriptor(&upload.key, &upload.version).await? else { return Ok(Taken::Gone) };
        let descriptor = match Descriptor::parse(&read.bytes) {
            Ok(descriptor) => descriptor,
            Err(refused) => return Ok(Taken::Refused(refused.into())),
        };
        let Some((image, uploaded_at)) = self.images.newest(&upload.beside(&descriptor.image)).await? else {
            return Ok(Taken::Refused(NoRelease::ImageMissing));
        };
        // Who uploads to one folder twice may be told of the first descriptor when the second image is there.
        if uploaded_at > read.uploaded_at {
            return Ok(Taken::Refused(NoRelease::ImageReplaced));
        }
        if let Err(refused) = fits(image.bytes) {
            return Ok(Taken::Refused(refused));
        }
        let measured = if descriptor.sealed {
            Box::pin(self.seals.seal(id, &image)).await?
        } else {
            Box::pin(self.measured(&image)).await?
        };
        let Some(Measured { bytes, sha256 }) = measured else {
            return Ok(Taken::Refused(NoRelease::ImageMissing));
        };
        // Last of all: a draft has its image.
        let draft = descriptor.draft(&upload.key, &upload.version, bytes, sha256, now);
        Ok(Taken::Draft(if self.releases.put_draft(&draft).await? { "drafted" } else { "already" }))
    }

    /// What an image is that was read and is kept; `None` if it went meanwhile.
    async fn measured(&self, image: &Pinned) -> Result<Option<Measured>, FirmwareFailure> {
        let Some(measured) = self.images.measure(image).await? else { return Ok(None) };
        Ok(self.images.keep(image, &measured.sha256).await?.then_some(measured))
    }
}
