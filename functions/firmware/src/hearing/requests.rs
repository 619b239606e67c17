//! Requests of devices: manifest, signature, a URL, and what opens a sealed image, by Direct Messaging, which no rule sees.
//! Source: <https://docs.aws.amazon.com/iot/latest/developerguide/direct-messaging.html>.

use std::time::Duration;

use aws_config::SdkConfig;
use loam_direct_messages::{Delivery, Message, Messenger};
use loam_domain::{ThingName, Timestamp};
use loam_releases::manifest::Firmware;
use loam_releases::names::Id;
use loam_runtime::{Class, Failure as _};
use serde::Serialize;

use super::rows::Rows;
use crate::assignment::Assignment;
use crate::aws::images::{Images, image_key};
use crate::aws::seals::{Opening, Seals, body_key};
use crate::aws::table::{Written, wait_after};
use crate::execution::Execution;
use crate::order::Signed;
use crate::queue::Work;
use crate::rollout::Rollout;
use crate::{FirmwareFailure, ProgressConfig};

/// How long a URL is good, in seconds. A device that needs more asks again.
const URL_SECONDS: u64 = 900;

/// How long a device's PUBACK is awaited. Nothing rests on it: a device that did not get its grant asks again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers requests.
#[derive(Debug, Clone)]
pub(crate) struct Grants {
    rows: Rows,
    images: Images,
    seals: Seals,
    messenger: Messenger,
}

/// What a device is told that may begin.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Grant<'a> {
    rollout: &'a Id,
    attempt: u32,
    manifest: &'a str,
    signature: &'a str,
    url: String,
    /// The image's length in bytes, sealed or not.
    size: u64,
    #[serde(flatten)]
    opening: Option<Opening>,
    expires_at: Timestamp,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The device has its grant.
    Granted,
    /// It was sent; whether the device has it, nobody knows.
    Sent,
    /// The device is away.
    Away,
    /// The rollout has not the thing, is stopped, or is done with it.
    NotOurs,
    /// The manifest ended; a new one is asked for.
    Ended,
    /// What opens the image is refused or gone, which no repeat mends. The device asks again by itself.
    Unopened,
}

impl Answered {
    /// Its word in logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Sent => "sent",
            Self::Away => "away",
            Self::NotOurs => "not-ours",
            Self::Ended => "manifest-ended",
            Self::Unopened => "unopened",
        }
    }
}

impl Grants {
    pub(crate) fn new(sdk: &SdkConfig, rows: Rows, config: &ProgressConfig) -> Self {
        let bucket = &config.firmware_bucket;
        let (images, seals) =
            (Images::new(sdk, bucket.clone()), Seals::new(sdk, bucket.clone(), config.files_key.clone()));
        Self { rows, images, seals, messenger: Messenger::new(sdk, None) }
    }

    /// Hands a device what it needs to begin. It may ask as often as it likes; nothing but the URL is new then.
    pub(crate) async fn answer(
        &self,
        thing: &ThingName,
        rollout: &Id,
        now: Timestamp,
    ) -> Result<Answered, FirmwareFailure> {
        let Some((held, row)) = self.rows.held(thing).await? else { return Ok(Answered::NotOurs) };
        let Some(rollout) = self.rows.rollouts.get(rollout).await? else { return Ok(Answered::NotOurs) };
        if held.rank.rollout != rollout.id || !may_begin(&rollout, &row) {
            return Ok(Answered::NotOurs);
        }
        let Some(issued) = rollout.manifest.filter(|issued| now < issued.not_after) else {
            self.rows.queue.send(&Work::Sign(rollout.id)).await?;
            return Ok(Answered::Ended);
        };
        let Some((signed, sequence)) = self.rows.rollouts.manifest(&rollout.id).await? else {
            return Ok(Answered::Ended);
        };
        if sequence != issued.sequence {
            // Signed anew at this moment; the device asks again.
            return Ok(Answered::Ended);
        }
        if !self.note(thing, held, sequence).await? {
            return Ok(Answered::NotOurs);
        }
        self.send(thing, &rollout, &row, &signed, now).await
    }

    /// Writes which manifest the thing is about to see, before it does: it obeys no older one from then on. `false`: another
    /// rollout took it.
    async fn note(&self, thing: &ThingName, held: Assignment, sequence: u64) -> Result<bool, FirmwareFailure> {
        let (mut held, mut tries) = (held, 0);
        while held.sequence < sequence {
            let after = Assignment { sequence, version: held.version + 1, ..held.clone() };
            if self.rows.executions.assign(thing, &after).await? == Written::Yes {
                return Ok(true);
            }
            tries = wait_after(tries).await?;
            match self.rows.executions.assignment(thing).await? {
                Some(read) if read.rank.rollout == held.rank.rollout => held = read,
                Some(_) | None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Where a rollout's image lies, and what opens it if it is sealed.
    async fn image(&self, rollout: &Rollout) -> Result<(String, Option<Opening>), FirmwareFailure> {
        let Firmware { release, sha256, .. } = &rollout.firmware;
        if rollout.sealed {
            return Ok((body_key(release), Some(self.seals.opening(release).await?)));
        }
        Ok((image_key(sha256), None))
    }

    async fn send(
        &self,
        thing: &ThingName,
        rollout: &Rollout,
        row: &Execution,
        signed: &Signed,
        now: Timestamp,
    ) -> Result<Answered, FirmwareFailure> {
        let seconds = i64::try_from(URL_SECONDS).unwrap_or_default();
        let (key, opening) = match self.image(rollout).await {
            Ok(image) => image,
            Err(failure) if matches!(failure.class(), Class::Throttled | Class::Unavailable) => return Err(failure),
            // All devices that wait ask again: as failures their messages would come five times each, and hold up reports.
            Err(failure) => {
                let (code, id) = (failure.code(), rollout.id.as_str());
                tracing::error!(rollout.id = id, code, error = %failure, "sealed image not opened");
                metrics::counter!("UnopenedImages").increment(1);
                return Ok(Answered::Unopened);
            }
        };
        let grant = Grant {
            rollout: &rollout.id,
            attempt: row.attempt,
            manifest: &signed.manifest,
            signature: &signed.signature,
            url: self.images.url(&key, URL_SECONDS).await?,
            size: rollout.firmware.size,
            opening,
            expires_at: now.plus_millis(seconds * 1_000),
        };
        let topic = format!("loam/{thing}/firmware/{}/grant", rollout.id);
        let message = Message { to: thing, topic, payload: serde_json::to_string(&grant)?, answer: None };
        match self.messenger.send(message, PATIENCE).await {
            Delivery::Confirmed => Ok(Answered::Granted),
            Delivery::Unknown => Ok(Answered::Sent),
            Delivery::NotConnected => Ok(Answered::Away),
            Delivery::Throttled => Err(FirmwareFailure::NotHandedOver(Class::Throttled)),
            Delivery::Forbidden => Err(FirmwareFailure::NotHandedOver(Class::Forbidden)),
            Delivery::TooLarge | Delivery::NotSent => Err(FirmwareFailure::NotHandedOver(Class::Internal)),
        }
    }
}

/// Whether a device may begin: nobody begins with what was stopped, however long it was away with its order.
fn may_begin(rollout: &Rollout, row: &Execution) -> bool {
    rollout.hands_out() && row.may_begin()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grant_says_what_opens_its_image_only_if_that_is_sealed() {
        let rollout = Id::of("rollout", &["r"]);
        let grant = |opening| {
            let [url, manifest, signature] = ["u", "m", "s"];
            let (url, expires_at) = (url.to_owned(), Timestamp::from_millis(9));
            let grant = Grant { rollout: &rollout, attempt: 1, manifest, signature, url, size: 3, opening, expires_at };
            serde_json::to_value(grant).unwrap()
        };
        let mut expected = json!({"rollout": rollout, "attempt": 1, "manifest": "m", "signature": "s", "url": "u", "size": 3,
            "expiresAt": 9});
        assert_eq!(grant(None), expected);
        (expected["header"], expected["key"]) = (json!("h"), json!("k"));
        assert_eq!(grant(Some(Opening { header: "h".to_owned(), key: "k".to_owned() })), expected);
    }
}
