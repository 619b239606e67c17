use crate::topics;
use loam_releases::journal::{Journal, Slot, Stage, Verdict};
use loam_releases::names::{Hardware, Id};
use serde_json::{Value, json};

/// Something to tell the cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// Where.
    pub topic: String,
    /// What; `Null` for an empty payload.
    pub payload: Value,
}

impl Word {
    /// The payload as it goes over the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        if self.payload.is_null() { vec![] } else { self.payload.to_string().into_bytes() }
    }

    /// Asks for the whole shadow.
    pub(super) fn get_shadow(thing: &str) -> Self {
        Self { topic: topics::shadow_get(thing), payload: Value::Null }
    }

    /// Asks for the next job without beginning it.
    pub(super) fn get_job(thing: &str) -> Self {
        Self { topic: topics::jobs(thing, "$next/get"), payload: json!({"includeJobDocument": true}) }
    }

    /// Begins the next job.
    pub(super) fn start_job(thing: &str) -> Self {
        Self { topic: topics::jobs(thing, "start-next"), payload: json!({}) }
    }

    /// Says how far a job is, or how it ended.
    pub(super) fn job(thing: &str, job: &str, status: &str, details: &Value) -> Self {
        let payload = json!({"status": status, "statusDetails": details});
        Self { topic: topics::jobs(thing, &format!("{job}/update")), payload }
    }

    /// Asks for manifest, signature and URL.
    pub(super) fn request(thing: &str, rollout: &Id, attempt: u32) -> Self {
        let topic = topics::firmware(thing, rollout.as_str(), "request");
        Self { topic, payload: json!({ "attempt": attempt }) }
    }

    /// Says how far the update is.
    pub(super) fn progress(thing: &str, rollout: &Id, payload: Value) -> Self {
        Self { topic: topics::firmware(thing, rollout.as_str(), "progress"), payload }
    }

    /// Says what the device runs: only of what has shown that it works.
    pub(super) fn report(thing: &str, journal: &Journal, hardware: &Hardware) -> Self {
        let slot = match journal.active {
            Slot::A => "a",
            Slot::B => "b",
        };
        let firmware = json!({"version": journal.running, "hardware": hardware, "slot": slot});
        Self { topic: topics::shadow_update(thing), payload: json!({"state": {"reported": {"firmware": firmware}}}) }
    }
}

/// The word for how it ended, with its reason; `None` if nobody wants to hear it any more.
pub(super) fn end(verdict: Verdict) -> Option<(&'static str, Option<&'static str>)> {
    match verdict {
        Verdict::Succeeded => Some(("succeeded", None)),
        Verdict::Refused(why) => Some(("rejected", Some(why.as_str()))),
        Verdict::Failed(fault) => Some(("failed", Some(fault.as_str()))),
        Verdict::Withdrawn => None,
    }
}

/// The payload that goes with [`end`].
pub(super) fn ended(state: &str, code: Option<&str>) -> Value {
    let mut payload = json!({ "state": state });
    if let (Some(fields), Some(code)) = (payload.as_object_mut(), code) {
        fields.insert("reasonCode".to_owned(), code.into());
    }
    payload
}

/// What is said when the journal becomes another one: which rollout, which word, how far. A tenth of the image is worth a word.
pub(super) fn phase<'a>(before: &Journal, after: &'a Journal) -> Option<(&'a Id, Value)> {
    let percent = |written: u64, size: u64| written.saturating_mul(100) / size.max(1);
    match (&before.stage, &after.stage) {
        (Stage::Fetching { order: old, written: from }, Stage::Fetching { order, written })
            if old.rollout == order.rollout && old.attempt == order.attempt =>
        {
            let (size, now) = (order.firmware.size, percent(*written, order.firmware.size));
            let worth = percent(*from, size) / 10 != now / 10;
            worth.then(|| (&order.rollout, json!({"state": "downloading", "percent": now})))
        }
        (_, Stage::Fetching { order, .. }) => Some((&order.rollout, json!({"state": "downloading", "percent": 0}))),
        (Stage::Fetching { .. }, Stage::Trying { order, .. }) => Some((&order.rollout, json!({"state": "installing"}))),
        (_, Stage::Idle | Stage::Trying { .. } | Stage::Over { .. }) => None,
    }
}
