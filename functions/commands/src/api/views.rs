//! What answers look like. Times are milliseconds since the epoch.

use loam_domain::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::command::{Command, Said, State, Word};
use crate::told::{reason_code, verdict_word};

/// A command, and where it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Command)]
pub(super) struct CommandView {
    /// Its id; the device knows it by the same.
    id: String,
    /// For which thing.
    thing: String,
    /// What is to be done.
    name: String,
    /// `queued`, `delivered`, `accepted`, `succeeded`, `failed`, `rejected`, `expired` or `cancelled`. Of these `succeeded`,
    /// `failed` and `rejected` are the device's own word, given in time, and nothing else.
    #[schema(value_type = String)]
    state: &'static str,
    /// The device's reason; how far an expired command came: `not-sent`, `not-confirmed`, `deliveries-exhausted`,
    /// `not-accepted`, `no-final-word`. Of a queued one `deliveries-exhausted`: it is not sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    reason_code: Option<String>,
    /// The device's reason, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    reason_description: Option<String>,
    /// Who ordered it.
    by: String,
    /// When.
    #[schema(value_type = i64)]
    issued_at: Timestamp,
    /// From then on it is worth nothing.
    #[schema(value_type = i64)]
    expires_at: Timestamp,
    /// How often it was sent and may have reached the device.
    deliveries: u32,
    /// How often it may be.
    max_deliveries: u32,
    /// When the device acknowledged the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    delivered_at: Option<Timestamp>,
    /// When it said that it has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    accepted_at: Option<Timestamp>,
    /// When it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    cancelled_at: Option<Timestamp>,
    /// Whether it may have run, whatever its state says: it was sent, and nothing proves that it did not arrive.
    may_have_run: bool,
    /// Whether the device said final words that cannot all be true; the first one counts.
    contradicts_itself: bool,
    /// The device's final word that came after the command's end: it changes no state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    late: Option<LateView>,
    /// The newest that the device said before its final word; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    progress: Option<SaidView>,
    /// What came of it, in the device's words; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, required = false)]
    result: Option<Value>,
    /// Whether the device's result is missing here because it was larger than 32,768 bytes.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    result_left_out: bool,
    /// With what it is to be done, as it was written; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, required = false)]
    payload: Option<Box<RawValue>>,
}

/// A final word that came too late.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LateWord)]
struct LateView {
    /// `succeeded`, `failed` or `rejected`.
    #[schema(value_type = String)]
    verdict: &'static str,
    /// When AWS IoT took it.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// The device's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    reason_code: Option<String>,
}

/// Something that the device said.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Progress)]
struct SaidView {
    /// When AWS IoT took it.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// A code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    reason_code: Option<String>,
    /// A text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    reason_description: Option<String>,
    /// What it said with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, required = false)]
    result: Option<Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl From<&Word> for LateView {
    fn from(word: &Word) -> Self {
        let verdict = verdict_word(word.verdict);
        Self { verdict, at: word.said.at, reason_code: word.said.note.reason_code.clone() }
    }
}

impl From<Said> for SaidView {
    fn from(Said { at, note }: Said) -> Self {
        Self { at, reason_code: note.reason_code, reason_description: note.reason_description, result: note.result }
    }
}

impl CommandView {
    /// A command with all that is known of it.
    pub(super) fn whole(command: Command, now: Timestamp) -> Self {
        let payload = RawValue::from_string(command.order.payload.clone()).ok();
        let word = command.word.clone().map(|word| word.said.note).unwrap_or_default();
        let (result, result_left_out) = (word.result, word.result_left_out);
        let progress = command.progress.clone().map(SaidView::from);
        Self { payload, result, result_left_out, progress, ..Self::brief(command, now) }
    }

    /// A command without what can be large.
    pub(super) fn brief(command: Command, now: Timestamp) -> Self {
        let state = command.state(now);
        let is_word = matches!(state, State::Succeeded | State::Failed | State::Rejected);
        let reason_description =
            command.word.as_ref().filter(|_| is_word).and_then(|word| word.said.note.reason_description.clone());
        Self {
            state: state.as_str(),
            reason_code: reason_code(&command, state).map(str::to_owned),
            reason_description,
            deliveries: command.deliveries,
            max_deliveries: command.order.max_deliveries,
            may_have_run: command.may_have_run(),
            contradicts_itself: command.contradicts_itself(),
            late: command.late_word().map(LateView::from),
            id: command.id.to_string(),
            thing: command.thing.to_string(),
            name: command.order.name,
            by: command.by,
            issued_at: command.issued_at,
            expires_at: command.expires_at,
            delivered_at: command.delivered_at,
            accepted_at: command.accepted_at,
            cancelled_at: command.cancelled_at,
            progress: None,
            result: None,
            result_left_out: false,
            payload: None,
        }
    }
}
