use crate::message::Message;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Nobody waits longer than API Gateway lets them: 28 s and what the way may take.
pub(crate) const OLDEST: Duration = Duration::from_secs(30);

/// A call, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What is to be done.
    pub method: String,
    /// What the caller handed over: any text; JSON or base64 by agreement between caller and method.
    pub request: String,
    /// The call's id: the same in each delivery of it.
    pub id: String,
    /// When it was sent, in milliseconds since 1970.
    pub sent_at: i64,
    answer_topic: String,
}

/// Why a message is no call that is to be carried out. Nothing is answered then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCall {
    /// The topic is none of calls.
    #[error("the topic is not {{thing}}/{{method}}/{{prefix}}/{{id}}")]
    Topic,
    /// The payload is not what a call carries.
    #[error("the payload is not {{\"timestamp\", \"request\", \"id\"}}, with three strings")]
    Payload,
    /// Topic and payload name different ids.
    #[error("the ids of topic and payload differ")]
    Id,
    /// Nobody waits for the answer any more.
    #[error("the call is too old, or this device's clock is wrong")]
    TooOld,
}

impl BadCall {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Topic => "no-call-topic",
            Self::Payload => "no-call-payload",
            Self::Id => "call-ids-differ",
            Self::TooOld => "call-too-old",
        }
    }
}

#[derive(Deserialize)]
struct Wire {
    timestamp: String,
    request: String,
    id: String,
}

impl Call {
    /// The call that `message` carries to `thing` at `now` (milliseconds since 1970).
    ///
    /// # Errors
    /// [`BadCall`]. A call from the future is taken: the cloud's clock is right, a device's may not be.
    pub fn parse(thing: &str, message: &Message, now: i64) -> Result<Self, BadCall> {
        let levels: Vec<&str> = message.topic.split('/').collect();
        let [to, method, prefix, id] = levels.as_slice() else { return Err(BadCall::Topic) };
        if *to != thing {
            return Err(BadCall::Topic);
        }
        let wire: Wire = serde_json::from_slice(&message.payload).map_err(|_| BadCall::Payload)?;
        let sent_at: i64 = wire.timestamp.parse().map_err(|_| BadCall::Payload)?;
        if wire.id != *id {
            return Err(BadCall::Id);
        }
        if now.saturating_sub(sent_at) > i64::try_from(OLDEST.as_millis()).unwrap_or(i64::MAX) {
            return Err(BadCall::TooOld);
        }
        let answer_topic = format!("{prefix}/{id}/{thing}/{method}/ack");
        Ok(Self { method: (*method).to_owned(), request: wire.request, id: wire.id, sent_at, answer_topic })
    }

    /// Where the call is answered.
    #[must_use]
    pub fn answer_topic(&self) -> &str {
        &self.answer_topic
    }

    /// The payload that answers it. `status` is the method's own, 100 to 599; 200 need not be said.
    #[must_use]
    pub fn answer(&self, status: u16, response: &Value) -> Vec<u8> {
        let answer = if status == 200 {
            json!({ "id": self.id, "response": response })
        } else {
            json!({ "id": self.id, "response": response, "status": status })
        };
        answer.to_string().into_bytes()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn message(topic: &str, payload: &str) -> Message {
        let payload = payload.as_bytes().to_vec();
        Message { topic: topic.to_owned(), payload, response_topic: None, correlation_data: None, duplicate: false }
    }

    fn code(topic: &str, payload: &str, now: i64) -> &'static str {
        Call::parse("t1", &message(topic, payload), now).map_or_else(BadCall::code, |_| "ok")
    }

    const PAYLOAD: &str = r#"{"timestamp": "1000", "request": "r", "id": "i"}"#;

    #[test]
    fn a_call_is_answered_where_its_topic_says() {
        let call = Call::parse("t1", &message("t1/blink/p/i", PAYLOAD), 1000).unwrap();
        assert_eq!((call.method.as_str(), call.request.as_str(), call.sent_at), ("blink", "r", 1000));
        assert_eq!(call.answer_topic(), "p/i/t1/blink/ack");
        assert_eq!(call.answer(200, &json!([1])), br#"{"id":"i","response":[1]}"#);
        assert_eq!(call.answer(404, &json!(null)), br#"{"id":"i","response":null,"status":404}"#);
    }

    #[test]
    fn a_call_that_is_30_seconds_old_is_carried_out_and_one_a_millisecond_older_is_not() {
        assert_eq!(code("t1/m/p/i", PAYLOAD, 31_000), "ok");
        assert_eq!(code("t1/m/p/i", PAYLOAD, 31_001), "call-too-old");
        assert_eq!(code("t1/m/p/i", PAYLOAD, -5_000), "ok");
    }

    #[test]
    fn what_is_no_call_is_refused() {
        assert_eq!(code("t1/m/p", PAYLOAD, 1000), "no-call-topic");
        assert_eq!(code("t1/m/p/i/x", PAYLOAD, 1000), "no-call-topic");
        assert_eq!(code("t2/m/p/i", PAYLOAD, 1000), "no-call-topic");
        assert_eq!(code("t1/m/p/j", PAYLOAD, 1000), "call-ids-differ");
        for payload in
            ["", "{}", r#"{"timestamp":1000,"request":"r","id":"i"}"#, r#"{"timestamp":"x","request":"r","id":"i"}"#]
        {
            assert_eq!(code("t1/m/p/i", payload, 1000), "no-call-payload", "{payload}");
        }
    }
}
