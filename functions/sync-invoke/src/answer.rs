use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Target;

/// The status of a method that does not say one.
pub const DONE: u16 = 200;

/// What a device answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its `response`, as it was sent; `None` when there is none, or `null`.
    pub response: Option<Box<RawValue>>,
    /// Its `status`, 100 to 599; [`DONE`] when it says none.
    pub status: u16,
}

/// What became of a message on a topic of answers.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is the answer.
    Answer(Answer),
    /// It is of another thing, method or call: none of ours.
    Foreign,
    /// The right device answered something that is no answer.
    Malformed,
}

/// `{prefix}/{id}/{thing}/{method}/ack`, in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerTopic<'a> {
    /// Which call.
    pub id: &'a str,
    /// Who answers; the device policy makes sure of it.
    pub thing: &'a str,
    /// Which method.
    pub method: &'a str,
}

impl<'a> AnswerTopic<'a> {
    /// The parts of `topic`; `None` for any other topic.
    #[must_use]
    pub fn parse(prefix: &str, topic: &'a str) -> Option<Self> {
        let mut levels = topic.strip_prefix(prefix)?.strip_prefix('/')?.split('/');
        let (id, thing, method) = (levels.next()?, levels.next()?, levels.next()?);
        (levels.next()? == "ack" && levels.next().is_none()).then_some(Self { id, thing, method })
    }
}

/// Unknown fields are left alone: the published sample's devices may send any.
#[derive(Deserialize)]
struct Wire {
    id: String,
    #[serde(default)]
    response: Option<Box<RawValue>>,
    #[serde(default)]
    status: Option<u16>,
}

/// Whether the message answers the call `id` of `target`: topic, thing, method and id must agree.
#[must_use]
pub fn judge(target: &Target, id: &str, topic: AnswerTopic<'_>, payload: &[u8]) -> Verdict {
    if topic.id != id || topic.thing != target.thing().as_str() || topic.method != target.method() {
        return Verdict::Foreign;
    }
    match serde_json::from_slice::<Wire>(payload) {
        Ok(wire) if wire.id != id => Verdict::Foreign,
        Ok(wire) => read(wire).map_or(Verdict::Malformed, Verdict::Answer),
        Err(_) => Verdict::Malformed,
    }
}

fn read(wire: Wire) -> Option<Answer> {
    let status = wire.status.unwrap_or(DONE);
    (100..=599).contains(&status).then_some(Answer { response: wire.response, status })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Prefix;

    fn word(topic: &str, payload: &str) -> String {
        let target = Target::parse(&Prefix::parse("p").unwrap(), "t1", "m").unwrap();
        match AnswerTopic::parse("p", topic).map(|topic| judge(&target, "i", topic, payload.as_bytes())) {
            None => "no topic of answers".to_owned(),
            Some(Verdict::Foreign) => "foreign".to_owned(),
            Some(Verdict::Malformed) => "malformed".to_owned(),
            Some(Verdict::Answer(answer)) => {
                format!(
                    "{} {}",
                    answer.status,
                    answer.response.map_or("nothing".to_owned(), |raw| raw.get().to_owned())
                )
            }
        }
    }

    #[test]
    fn an_answer_counts_only_if_topic_thing_method_and_id_agree() {
        assert_eq!(word("p/i/t1/m/ack", r#"{"id":"i","response":{"b":1,"a":2}}"#), r#"200 {"b":1,"a":2}"#);
        assert_eq!(word("p/j/t1/m/ack", r#"{"id":"i"}"#), "foreign");
        assert_eq!(word("p/i/t2/m/ack", r#"{"id":"i"}"#), "foreign");
        assert_eq!(word("p/i/t1/n/ack", r#"{"id":"i"}"#), "foreign");
        assert_eq!(word("p/i/t1/m/ack", r#"{"id":"j"}"#), "foreign");
    }

    #[test]
    fn a_topic_with_a_level_more_or_less_is_none_of_answers() {
        for topic in
            ["p/i/t1/m", "p/i/t1/m/ack/x", "p/i/t1/m/nack", "q/i/t1/m/ack", "pi/t1/m/ack", "p/i/t1/a/b/ack", ""]
        {
            assert_eq!(word(topic, r#"{"id":"i"}"#), "no topic of answers", "{topic}");
        }
    }

    #[test]
    fn no_response_and_null_are_the_same() {
        assert_eq!(word("p/i/t1/m/ack", r#"{"id":"i"}"#), "200 nothing");
        assert_eq!(word("p/i/t1/m/ack", r#"{"id":"i","response":null}"#), "200 nothing");
    }

    #[test]
    fn the_right_device_with_bytes_that_are_no_answer_is_malformed() {
        for payload in ["", "{", "[]", "7", r#"{"id":7}"#, r#"{"response":1}"#, r#"{"id":"i","status":"x"}"#, "\u{0}"] {
            assert_eq!(word("p/i/t1/m/ack", payload), "malformed", "{payload}");
        }
    }

    #[test]
    fn a_status_from_100_to_599_is_the_method_s_own() {
        assert_eq!(word("p/i/t1/m/ack", r#"{"id":"i","status":100}"#), "100 nothing");
        assert_eq!(word("p/i/t1/m/ack", r#"{"id":"i","status":599}"#), "599 nothing");
        for status in ["99", "600", "-1", "70000"] {
            assert_eq!(word("p/i/t1/m/ack", &format!(r#"{{"id":"i","status":{status}}}"#)), "malformed");
        }
    }
}
