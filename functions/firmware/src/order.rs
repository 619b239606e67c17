//! What a device gets: the part of its shadow, and the document of a job.

use loam_releases::manifest::Firmware;
use loam_releases::names::Id;
use serde_json::{Map, Value, json};

use crate::execution::Execution;
use crate::rollout::window::Window;

/// How long a presigned URL in a job's document is good, in seconds: AWS IoT takes 60 to 3,600.
pub const URL_SECONDS: i64 = 3_600;

/// `desired.firmware`: a reference, no URL. The device asks for manifest, signature and URL when it wants to begin.
#[must_use]
pub fn desired(execution: &Execution, firmware: &Firmware, sequence: u64, window: Option<&Window>) -> Value {
    json!({
        "rollout": execution.rollout,
        "attempt": execution.attempt,
        "release": firmware.release,
        "version": firmware.version,
        "sequence": sequence,
        "window": window,
    })
}

/// The change of a shadow that takes an order back; `None` if its desired firmware is not this rollout's.
#[must_use]
pub fn taken_back(desired: &Map<String, Value>, rollout: &Id) -> Option<Value> {
    let holds = desired.get("firmware")?.get("rollout")?.as_str()? == rollout.as_str();
    holds.then(|| json!({"state": {"desired": {"firmware": null}}}))
}

/// The document of the job that stands for one attempt of a rollout on a thing. AWS IoT puts the URL in when the device
/// fetches it. At most 32,768 characters; this has some 2,500 at most.
#[must_use]
pub fn job_document(execution: &Execution, signed: &Signed, source: &Source<'_>) -> Value {
    let Source { region, suffix, bucket, key } = source;
    json!({
        "operation": "loam-firmware",
        "rollout": execution.rollout,
        "attempt": execution.attempt,
        "manifest": signed.manifest,
        "signature": signed.signature,
        "url": format!("${{aws:iot:s3-presigned-url-v2:https://s3.{region}.{suffix}/{bucket}/{key}}}"),
    })
}

/// A signed manifest as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Its lines.
    pub manifest: String,
    /// The signature in base64.
    pub signature: String,
}

/// Where an image lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The region's name.
    pub region: &'a str,
    /// What the names of the partition's endpoints end with: `amazonaws.com` in most.
    pub suffix: &'a str,
    /// The bucket's name.
    pub bucket: &'a str,
    /// The object's key: `images/{sha256}`.
    pub key: &'a str,
}

/// A job's id for one attempt on one thing: always the same, so that a repeat finds it. 64 characters at most.
#[must_use]
pub fn job_id(execution: &Execution) -> String {
    let attempt = execution.attempt.to_string();
    format!("loam-{}", Id::of("job", &[execution.rollout.as_str(), execution.thing.as_str(), &attempt]))
}

#[cfg(test)]
mod tests {
    use loam_releases::samples::firmware;

    use super::*;
    use crate::execution::tests::execution;

    #[test]
    fn the_reference_fits_a_shadow_and_holds_no_url() {
        let text = desired(&execution(), &firmware("2.1.0"), 17, None).to_string();
        assert!(text.len() < 300 && !text.contains("http"), "{text}");
    }

    #[test]
    fn only_its_own_order_is_taken_back() {
        let order = json!({"firmware": desired(&execution(), &firmware("2.1.0"), 17, None), "led": 1});
        let Value::Object(order) = order else { panic!() };
        assert!(taken_back(&order, &execution().rollout).is_some());
        assert_eq!(taken_back(&order, &Id::of("rollout", &["other"])), None);
        assert_eq!(taken_back(&Map::new(), &execution().rollout), None);
    }

    #[test]
    fn a_job_is_found_again_and_its_document_is_small() {
        let mut again = execution();
        again.attempt = 2;
        assert_eq!(job_id(&execution()), job_id(&execution()));
        assert!(job_id(&execution()) != job_id(&again) && job_id(&again).len() <= 64);
        let signed = Signed { manifest: "m".repeat(2_048), signature: "s".repeat(96) };
        let source = Source { region: "eu-central-1", suffix: "amazonaws.com", bucket: "b", key: "images/k" };
        let text = job_document(&execution(), &signed, &source).to_string();
        let url = "\"url\":\"${aws:iot:s3-presigned-url-v2:https://s3.eu-central-1.amazonaws.com/b/images/k}\"";
        assert!(text.contains(url) && text.len() < 32_768, "{text}");
    }
}
