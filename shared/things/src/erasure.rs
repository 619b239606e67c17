use loam_domain::{Event, EventType, ThingName};
use serde::{Deserialize, Serialize};

/// How long after a thing's end its rows are erased once more, in seconds: the longest that SQS holds a message back, and as
/// long as a queue with five receives of three minutes tries a message. What was on its way when the thing's certificate
/// went has arrived by then.
pub const SECOND_LOOK_SECONDS: i32 = 900;

/// What a capability that keeps something of things hears of a thing's end, in a queue of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erasure {
    /// `thing.retiring`: erase all of it, then acknowledge.
    Asked(ThingName),
    /// `thing.retired`: the thing can say nothing more. Send [`Erasure::once_more`] to the own queue, held back for
    /// [`SECOND_LOOK_SECONDS`].
    Over(ThingName),
    /// A message to oneself: erase what came late, or what was too much for one run.
    OnceMore(ThingName),
}

/// The message to oneself.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnceMore {
    erase: ThingName,
}

impl Erasure {
    /// What a message of the queue says; `None` where it is another event, or none.
    #[must_use]
    pub fn parse(body: &str) -> Option<Self> {
        if let Ok(OnceMore { erase }) = serde_json::from_str(body) {
            return Some(Self::OnceMore(erase));
        }
        let event: Event = serde_json::from_str(body).ok()?;
        match (event.kind, event.thing?) {
            (EventType::ThingRetiring, thing) => Some(Self::Asked(thing)),
            (EventType::ThingRetired, thing) => Some(Self::Over(thing)),
            _ => None,
        }
    }

    /// Whose end it is.
    #[must_use]
    pub const fn thing(&self) -> &ThingName {
        match self {
            Self::Asked(thing) | Self::Over(thing) | Self::OnceMore(thing) => thing,
        }
    }

    /// The body of the message to oneself.
    ///
    /// # Errors
    /// Never in practice: a name is always JSON.
    pub fn once_more(thing: &ThingName) -> Result<String, serde_json::Error> {
        serde_json::to_string(&OnceMore { erase: thing.clone() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str) -> String {
        json!({"id": "t1.7", "type": kind, "thing": "t1", "at": 7, "epoch": 1, "data": {}}).to_string()
    }

    #[test]
    fn a_thing_that_retires_is_erased_and_a_retired_one_once_more() {
        let thing = ThingName::parse("t1").unwrap();
        assert_eq!(Erasure::parse(&event("thing.retiring")), Some(Erasure::Asked(thing.clone())));
        assert_eq!(Erasure::parse(&event("thing.retired")), Some(Erasure::Over(thing.clone())));
        let again = Erasure::once_more(&thing).unwrap();
        assert_eq!(Erasure::parse(&again), Some(Erasure::OnceMore(thing)));
    }

    #[test]
    fn any_other_message_erases_nothing() {
        for kind in ["thing.active", "thing.retire-acknowledged", "certificate.retired"] {
            assert_eq!(Erasure::parse(&event(kind)), None, "{kind}");
        }
        for body in ["", "{}", "null", r#"{"erase":"a/b"}"#, r#"{"erase":"t1","more":1}"#, r#"{"erase":["t1"]}"#] {
            assert_eq!(Erasure::parse(body), None, "{body}");
        }
    }
}
