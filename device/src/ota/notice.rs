use super::seal::Seal;
use crate::message::Message;
use crate::topics;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_releases::accept::Reference;
use loam_releases::names::Id;
use loam_releases::version::Version;
use loam_releases::window::Window;
use serde::Deserialize;
use serde_json::Value;

/// What a job for this device's firmware says in its document, as `operation`.
const OPERATION: &str = "loam-firmware";

/// What is desired of the device's firmware: a reference to what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// By which rollout.
    pub rollout: Id,
    /// For the how many-th time, from 1.
    pub attempt: u32,
    /// Which release.
    release: Id,
    /// Of which version.
    version: Version,
    /// By which manifest, or a newer one.
    sequence: u64,
    /// When it may restart; `None`: at any time.
    #[serde(default)]
    pub window: Option<Window>,
}

/// A manifest with its signature, and where the image is, for some minutes.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// The signature in DER.
    pub signature: Vec<u8>,
    /// A right: it belongs in no log.
    pub url: String,
    /// What opens the image, if it is sealed.
    pub seal: Option<Seal>,
}

/// A job of this device that is about its firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// By which rollout.
    pub rollout: Id,
    /// For the how many-th time, from 1.
    pub attempt: u32,
    /// What it brings; `None` as long as nobody has begun it.
    pub signed: Option<Signed>,
}

/// What the device hears of its firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// What its shadow of this version desires.
    Shadow(u64, Option<Desired>),
    /// What it asked for.
    Grant(Id, Signed),
    /// Its next job, if that is about its firmware.
    Job(Option<Job>),
}

/// A message that says nothing of a firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoNotice {
    /// Another topic.
    #[error("the topic is none that this device hears of its firmware on")]
    Topic,
    /// Nothing that can be read.
    #[error("the payload is not what belongs on this topic")]
    Payload,
}

#[derive(Deserialize)]
struct Wire {
    manifest: String,
    signature: String,
    url: String,
    #[serde(default)]
    header: Option<String>,
    #[serde(default)]
    key: Option<String>,
}

#[derive(Deserialize)]
struct Execution {
    #[serde(rename = "jobId")]
    id: String,
    status: String,
    #[serde(rename = "jobDocument", default)]
    document: Value,
}

#[derive(Deserialize)]
struct Whose {
    rollout: Id,
    attempt: u32,
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Signed").field("manifest", &self.manifest.len()).finish_non_exhaustive()
    }
}

impl NoNotice {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Topic => "unknown-topic",
            Self::Payload => "not-a-notice",
        }
    }
}

impl Desired {
    /// What the manifest must be about.
    #[must_use]
    pub fn reference(&self) -> Reference {
        Reference { release: self.release.clone(), version: self.version.clone(), sequence: self.sequence }
    }
}

impl Signed {
    fn of(document: Value) -> Option<Self> {
        let Wire { manifest, signature, url, header, key } = serde_json::from_value(document).ok()?;
        let seal = match (header, key) {
            (None, None) => None,
            (Some(header), Some(key)) => Some(Seal::of(&header, key)?),
            // Half of what opens an image opens nothing.
            (Some(_), None) | (None, Some(_)) => return None,
        };
        Some(Self { manifest: manifest.into_bytes(), signature: STANDARD.decode(signature).ok()?, url, seal })
    }
}

impl Notice {
    /// Reads a message to `thing`.
    ///
    /// # Errors
    /// [`NoNotice`].
    pub fn parse(thing: &str, message: &Message) -> Result<Self, NoNotice> {
        let json = || serde_json::from_slice::<Value>(&message.payload).map_err(|_| NoNotice::Payload);
        let shadow = topics::shadow_get(thing);
        let topic = message.topic.as_str();
        if topic == topics::shadow_documents(thing) {
            return of_shadow(json()?.get_mut("current").map(Value::take).unwrap_or_default());
        }
        match topic.strip_prefix(&shadow) {
            Some("/accepted") => return of_shadow(json()?),
            // There is no shadow, so nothing is desired.
            Some("/rejected") if json()?.get("code") == Some(&Value::from(404)) => return Ok(Self::Shadow(0, None)),
            Some(_) | None => {}
        }
        if let Some("notify-next" | "start-next/accepted" | "$next/get/accepted") =
            topic.strip_prefix(&topics::jobs(thing, ""))
        {
            return Ok(Self::Job(json()?.get_mut("execution").map(Value::take).and_then(of_job)));
        }
        let rollout =
            topic.strip_prefix(&format!("loam/{thing}/firmware/")).and_then(|rest| rest.strip_suffix("/grant"));
        let rollout = rollout.and_then(|id| Id::parse(id).ok()).ok_or(NoNotice::Topic)?;
        Signed::of(json()?).map(|signed| Self::Grant(rollout, signed)).ok_or(NoNotice::Payload)
    }
}

fn of_shadow(document: Value) -> Result<Notice, NoNotice> {
    let version = document.get("version").and_then(Value::as_u64).ok_or(NoNotice::Payload)?;
    let desired = document.pointer("/state/desired/firmware").filter(|desired| !desired.is_null());
    let desired = desired.map(|desired| serde_json::from_value(desired.clone())).transpose();
    Ok(Notice::Shadow(version, desired.map_err(|_| NoNotice::Payload)?))
}

/// `None` for a job about something else: it is somebody else's to begin.
fn of_job(execution: Value) -> Option<Job> {
    let Execution { id, status, document } = serde_json::from_value(execution).ok()?;
    if document.get("operation")?.as_str()? != OPERATION {
        return None;
    }
    let Whose { rollout, attempt } = serde_json::from_value(document.clone()).ok()?;
    let signed = if status == "IN_PROGRESS" { Signed::of(document) } else { None };
    Some(Job { id, rollout, attempt, signed })
}

#[cfg(test)]
#[path = "notice_tests.rs"]
mod tests;
