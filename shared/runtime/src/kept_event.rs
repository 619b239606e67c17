use loam_domain::{Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An event that can never succeed, as a function keeps it in its dead-letter queue.
///
/// Two other shapes lie in the same queue: AWS IoT's error action (`base64OriginalPayload`) and Lambda's on-failure record
/// (`requestPayload`). This one is told apart by `keptBy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptEvent {
    /// The function that refused it.
    pub kept_by: String,
    /// The refusal's stable code.
    pub code: String,
    /// The refusal's sentence.
    pub detail: String,
    /// Where in a batch the refused readings stand; empty when the whole message was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<usize>,
    /// When it was refused.
    pub kept_at: Timestamp,
    /// The event, exactly as it came: nothing of the device's bytes is lost.
    pub event: Value,
}

impl KeptEvent {
    /// The record of `event`, refused by the function `kept_by` at `kept_at`.
    #[must_use]
    pub fn new(kept_by: &str, refusal: &Refusal, indexes: Vec<usize>, kept_at: Timestamp, event: Value) -> Self {
        Self {
            kept_by: kept_by.to_owned(),
            code: refusal.code.as_str().to_owned(),
            detail: refusal.detail.clone(),
            indexes,
            kept_at,
            event,
        }
    }

    /// The record of a queue's message with this `body`, refused as a whole; a body that is no JSON is kept as text.
    #[must_use]
    pub fn of_body(kept_by: &str, code: &str, detail: impl Into<String>, body: &str, kept_at: Timestamp) -> Self {
        Self {
            kept_by: kept_by.to_owned(),
            code: code.to_owned(),
            detail: detail.into(),
            indexes: vec![],
            kept_at,
            event: serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use loam_domain::RefusalCode;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_kept_event_holds_the_event_as_it_came() {
        let refusal = Refusal::new(RefusalCode::NotUtf8, "the payload is not UTF-8");
        let kept =
            KeptEvent::new("soil-alerts", &refusal, vec![], Timestamp::from_millis(1), json!({"payload": "/w=="}));
        assert_eq!(
            serde_json::to_value(&kept).unwrap(),
            json!({"keptBy": "soil-alerts", "code": "not-utf8", "detail": "the payload is not UTF-8", "keptAt": 1,
                   "event": {"payload": "/w=="}})
        );
    }

    #[test]
    fn a_body_that_is_no_json_is_kept_as_text_and_any_other_as_it_is() {
        let event = |body| KeptEvent::of_body("jitr", "not-json", "no JSON", body, Timestamp::from_millis(1)).event;
        assert_eq!(event("{\"a\":1}"), json!({"a": 1}));
        assert_eq!(event("{\"a\":"), json!("{\"a\":"));
    }
}
