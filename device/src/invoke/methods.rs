use super::call::Call;
use serde_json::{Value, json};
use std::time::Duration;

/// The methods of the simulated device: some behave, the others are what a backend must bear.
pub const METHODS: [&str; 10] =
    ["echo", "add", "wait", "fail", "binary", "silent", "double", "flood", "foreign", "malformed"];
/// The longest wait and the largest flood that a caller can ask for.
const LONGEST_WAIT_MS: u64 = 60_000;
const LARGEST_FLOOD: u64 = 10_000;

/// One message that a method sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// How long the method takes until then.
    pub after: Duration,
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
}

/// What the simulated device answers, and when: pure.
#[must_use]
pub fn carry_out(call: &Call) -> Vec<Reply> {
    let request = || serde_json::from_str::<Value>(&call.request).unwrap_or(Value::Null);
    let number = |name: &str| request().get(name).and_then(Value::as_u64);
    let now = |status, response: &Value| vec![reply(call, Duration::ZERO, call.answer(status, response))];
    match call.method.as_str() {
        "echo" => now(200, &json!(call.request)),
        "add" => match request().as_array().map(|terms| terms.iter().filter_map(Value::as_f64).sum::<f64>()) {
            Some(sum) => now(200, &json!(sum)),
            None => now(400, &json!({ "error": "expected an array of numbers" })),
        },
        "wait" => {
            let wait = Duration::from_millis(number("ms").unwrap_or(0).min(LONGEST_WAIT_MS));
            vec![reply(call, wait, call.answer(200, &json!("done")))]
        }
        "fail" => now(500, &json!({ "error": "this method always fails" })),
        "binary" => now(200, &json!(turned_round(&call.request))),
        "silent" => vec![],
        "double" => vec![reply(call, Duration::ZERO, call.answer(200, &json!("first"))), late(call, "second")],
        "flood" => {
            let times = usize::try_from(number("times").unwrap_or(1000).min(LARGEST_FLOOD)).unwrap_or(0);
            vec![reply(call, Duration::ZERO, call.answer(200, &json!("flood"))); times]
        }
        "foreign" => foreign(call),
        "malformed" => vec![reply(call, Duration::ZERO, b"no JSON".to_vec())],
        _ => now(404, &json!({ "error": "no such method", "methods": METHODS })),
    }
}

fn reply(call: &Call, after: Duration, payload: Vec<u8>) -> Reply {
    Reply { after, topic: call.answer_topic().to_owned(), payload }
}

fn late(call: &Call, word: &str) -> Reply {
    reply(call, Duration::from_millis(20), call.answer(200, &json!(word)))
}

/// Answers with another id: in the payload, then in the topic; and then the right one.
fn foreign(call: &Call) -> Vec<Reply> {
    let other = json!({ "id": "another", "response": "wrong" }).to_string().into_bytes();
    let topic = call.answer_topic().replace(&call.id, "00000000-0000-4000-8000-000000000000");
    let elsewhere = Reply { after: Duration::ZERO, topic, payload: call.answer(200, &json!("wrong")) };
    vec![reply(call, Duration::ZERO, other), elsewhere, late(call, "right")]
}

/// The base64 of the bytes in reverse order; what is no base64 comes back as it is.
fn turned_round(text: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.decode(text).map_or_else(
        |_| text.to_owned(),
        |mut bytes| {
            bytes.reverse();
            BASE64_STANDARD.encode(bytes)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::message;
    use super::*;

    fn replies(method: &str, request: &str) -> Vec<Reply> {
        let payload = json!({ "timestamp": "0", "request": request, "id": "i" }).to_string();
        carry_out(&Call::parse("t1", &message(&format!("t1/{method}/p/i"), &payload), 0).unwrap())
    }

    fn only(method: &str, request: &str) -> Value {
        let replies = replies(method, request);
        assert_eq!(replies.len(), 1);
        serde_json::from_slice(&replies[0].payload).unwrap()
    }

    #[test]
    fn a_method_that_behaves_answers_once() {
        assert_eq!(only("echo", "text")["response"], "text");
        assert_eq!(only("add", "[1, 2.5]")["response"], 3.5);
        assert_eq!(only("binary", "AQID")["response"], "AwIB");
    }

    #[test]
    fn a_mistake_is_told_by_its_status() {
        assert_eq!(only("add", "{}")["status"], 400);
        assert_eq!(only("fail", "")["status"], 500);
        assert_eq!(only("no-such-method", "")["status"], 404);
    }

    #[test]
    fn a_wait_is_as_long_as_asked_up_to_a_minute() {
        let after = |ms: u64| replies("wait", &json!({ "ms": ms }).to_string())[0].after.as_millis();
        assert_eq!((after(0), after(60_000), after(60_001)), (0, 60_000, 60_000));
    }

    #[test]
    fn what_a_backend_must_bear_is_as_many_messages_as_asked() {
        assert_eq!(replies("silent", "").len(), 0);
        assert_eq!(replies("double", "").len(), 2);
        assert_eq!(replies("flood", "").len(), 1000);
        assert_eq!(replies("flood", r#"{"times": 10001}"#).len(), 10_000);
        assert_eq!(replies("foreign", "").len(), 3);
    }
}
