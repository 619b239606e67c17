//! What a device says of its update, and what it reports to run.

use loam_domain::{ThingName, Timestamp};
use loam_releases::names::{Hardware, Id};
use loam_releases::version::Version;
use serde::Deserialize;
use serde_json::Value;

use crate::execution::{Intent, Phase, Running, Said, Verdict};

/// The longest payload, in bytes.
pub const MOST_BYTES: usize = 4_096;
/// The longest reason code, in bytes.
pub const MOST_CODE_BYTES: usize = 64;
/// What stands for a reason code that is none: a verdict counts, whatever comes with it.
pub const ODD_CODE: &str = "odd-reason-code";

/// Why a message is no progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum NoProgress {
    /// `unknown-topic`.
    #[error("unknown-topic: expected loam/{{thing}}/firmware/{{rolloutId}}/progress")]
    Topic,
    /// `not-progress`.
    #[error("not-progress: expected a JSON object of at most 4,096 bytes with one of the words of `state`")]
    Payload,
}

/// What a device said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub word: Word,
    /// How far, in percent: 0 to 100. What is no such number is left out.
    pub percent: Option<u8>,
    /// Its code: 1 to [`MOST_CODE_BYTES`] characters of `[A-Za-z0-9._-]`; [`ODD_CODE`] if it said another.
    pub code: Option<String>,
}

/// A device's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// It has the order.
    Notified,
    /// [`Phase::Downloading`].
    Downloading,
    /// [`Phase::Verifying`].
    Verifying,
    /// [`Phase::Installing`].
    Installing,
    /// It says that it runs it. That counts as much as installing: what it runs, it reports.
    Succeeded,
    /// [`Verdict::Failed`].
    Failed,
    /// [`Verdict::Rejected`].
    Rejected,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    state: Word,
    #[serde(default)]
    percent: Option<Value>,
    #[serde(default)]
    reason_code: Option<Value>,
}

/// Which thing speaks of which rollout.
///
/// # Errors
/// [`NoProgress::Topic`].
pub fn topic(text: &str) -> Result<(ThingName, Id), NoProgress> {
    let mut levels = text.split('/');
    let mut level = || levels.next().ok_or(NoProgress::Topic);
    let parts = [level()?, level()?, level()?, level()?, level()?];
    let ["loam", thing, "firmware", rollout, "progress"] = parts else { return Err(NoProgress::Topic) };
    if levels.next().is_some() {
        return Err(NoProgress::Topic);
    }
    let thing = ThingName::parse(thing).map_err(|_| NoProgress::Topic)?;
    Ok((thing, Id::parse(rollout).map_err(|_| NoProgress::Topic)?))
}

impl Progress {
    /// Reads what a device said. Fields that nobody knows are left alone: a newer device may say more. The word alone must be
    /// right: a failure that were lost for its odd code would count when its time is over, and stop nobody before.
    ///
    /// # Errors
    /// [`NoProgress::Payload`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoProgress> {
        if bytes.len() > MOST_BYTES {
            return Err(NoProgress::Payload);
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|_| NoProgress::Payload)?;
        let percent = wire.percent.as_ref().and_then(Value::as_f64).and_then(whole_percent);
        Ok(Self { word: wire.state, percent, code: wire.reason_code.map(|code| plain_code(&code)) })
    }

    /// What it means for the thing's execution.
    #[must_use]
    pub fn intent(self, at: Timestamp) -> Option<Intent> {
        let hear = |verdict, code| Some(Intent::Hear(Said { at, verdict, code }));
        let percent = self.percent;
        let reached = |phase| match percent {
            Some(percent) => Some(Intent::Within(phase, percent, at)),
            None => Some(Intent::Progress(phase, at)),
        };
        match self.word {
            // The order was in its shadow: that is known.
            Word::Notified => None,
            Word::Downloading => reached(Phase::Downloading),
            Word::Verifying => reached(Phase::Verifying),
            Word::Installing | Word::Succeeded => reached(Phase::Installing),
            Word::Failed => hear(Verdict::Failed, self.code),
            Word::Rejected => hear(Verdict::Rejected, self.code),
        }
    }
}

fn plain_code(said: &Value) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let good = |code: &&str| (1..=MOST_CODE_BYTES).contains(&code.len()) && code.bytes().all(plain);
    said.as_str().filter(good).unwrap_or(ODD_CODE).to_owned()
}

fn whole_percent(percent: f64) -> Option<u8> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 100")]
    let whole = |percent: f64| percent as u8;
    (0.0..=100.0).contains(&percent).then(|| whole(percent))
}

/// What a thing reports to run, and what it says to be, by the `firmware` of its description or its reported state: a text,
/// or an object with `version` and `hardware`. What is no version is nothing.
#[must_use]
pub fn reported(firmware: &Value, at: Timestamp) -> (Option<Running>, Option<Hardware>) {
    let text = |name: &str| firmware.get(name).and_then(Value::as_str);
    let version = firmware.as_str().or_else(|| text("version"));
    let running = version.and_then(|text| Version::parse(text).ok()).map(|version| Running { at, version });
    (running, text("hardware").and_then(|text| Hardware::parse(text).ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(text: &Value) -> Result<Progress, NoProgress> {
        Progress::parse(text.to_string().as_bytes())
    }

    #[test]
    fn a_device_says_how_far_it_is_and_why_it_ended() {
        let at = Timestamp::from_millis(7);
        let downloading = said(&json!({"state": "downloading", "percent": 40.6, "later": {}})).unwrap();
        assert_eq!(downloading.percent, Some(40));
        assert_eq!(downloading.intent(at), Some(Intent::Within(Phase::Downloading, 40, at)));
        let downloading = said(&json!({"state": "downloading", "percent": "most of it"})).unwrap();
        assert_eq!(downloading.intent(at), Some(Intent::Progress(Phase::Downloading, at)));
        let failed = said(&json!({"state": "failed", "reasonCode": "self-test"})).unwrap();
        let verdict = Said { at, verdict: Verdict::Failed, code: Some("self-test".to_owned()) };
        assert_eq!(failed.intent(at), Some(Intent::Hear(verdict)));
        let success = said(&json!({"state": "succeeded"})).unwrap();
        assert_eq!(success.intent(at), Some(Intent::Progress(Phase::Installing, at)), "what it runs, it reports");
    }

    #[test]
    fn what_is_no_progress_is_refused() {
        for bad in [json!(null), json!({}), json!({"state": "removed"}), json!({"state": 1, "reasonCode": "self-test"})]
        {
            assert_eq!(said(&bad), Err(NoProgress::Payload), "{bad}");
        }
    }

    #[test]
    fn a_verdict_counts_whatever_its_code_and_its_percent_are() {
        for odd in [json!(""), json!("a b"), json!("a".repeat(65)), json!(7), json!({"code": "x"})] {
            let progress = said(&json!({"state": "failed", "reasonCode": odd, "percent": 100})).unwrap();
            assert_eq!((progress.word, progress.code.as_deref()), (Word::Failed, Some(ODD_CODE)), "{odd}");
        }
        for (odd, percent) in [(json!(100.1), None), (json!(-1), None), (json!("1"), None), (json!(100), Some(100))] {
            let progress = said(&json!({"state": "rejected", "reasonCode": "a".repeat(64), "percent": odd})).unwrap();
            assert_eq!((progress.percent, progress.code.map(|code| code.len())), (percent, Some(64)), "{odd}");
        }
        assert_eq!(said(&json!({"state": "failed", "reasonCode": null})).unwrap().code, None);
    }

    #[test]
    fn a_topic_names_a_thing_and_a_rollout() {
        let id = "0".repeat(32);
        assert!(topic(&format!("loam/t1/firmware/{id}/progress")).is_ok());
        for bad in ["loam/t1/firmware/x/progress".to_owned(), format!("loam/a+/firmware/{id}/progress")] {
            assert_eq!(topic(&bad), Err(NoProgress::Topic));
        }
        assert_eq!(topic(&format!("loam/t1/firmware/{id}/progress/x")), Err(NoProgress::Topic));
    }

    #[test]
    fn a_thing_reports_its_version_as_a_text_or_in_an_object() {
        let at = Timestamp::from_millis(1);
        let version = |value: &Value| reported(value, at).0.map(|running| running.version.to_string());
        assert_eq!(version(&json!("1.2.3")).as_deref(), Some("1.2.3"));
        let (running, hardware) = reported(&json!({"version": "1.2.3", "hardware": "c3"}), at);
        assert!(running.is_some() && hardware.is_some());
        assert_eq!(reported(&json!({"version": "latest", "hardware": 3}), at), (None, None));
    }
}
