use loam_domain::{Event, EventType, ThingName};
use serde::{Deserialize, Serialize};

/// How long after a thing's end its rows are erased once more, in seconds: the longest that SQS holds a message back, and as
/// long as a queue with five receives of three minutes tries a message. What was on its way when the thing's certificate
/// went has arrived by then.
pub const SECOND_LOOK_SECONDS: i32 = 900;

/// What a capability that keeps something of things hears of a thing's end, or of an owner's, in a queue of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erasure {
    /// `thing.retiring`: erase all of it, then acknowledge.
    Asked(ThingName),
    /// `thing.retired`: the thing can say nothing more. Send [`Erasure::once_more`] to the own queue, held back for
    /// [`SECOND_LOOK_SECONDS`].
    Over(ThingName),
    /// A message to oneself: erase what came late, or what was too much for one run.
    OnceMore(ThingName),
    /// `thing.unpaired`, or a message to oneself ([`Erasure::of_people`]): do what [`crate::Things::erasure_turn`] says, with what
    /// people left of the thing.
    OfPeople(ThingName),
}

/// The message to oneself.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnceMore {
    erase: ThingName,
}

/// The message to oneself while an erasure of what people left has to wait, or was too much for one run.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OfPeople {
    erase_of_people: ThingName,
}

impl Erasure {
    /// What a message of the queue says; `None` where it is another event, or none.
    #[must_use]
    pub fn parse(body: &str) -> Option<Self> {
        if let Ok(OnceMore { erase }) = serde_json::from_str(body) {
            return Some(Self::OnceMore(erase));
        }
        if let Ok(OfPeople { erase_of_people }) = serde_json::from_str(body) {
            return Some(Self::OfPeople(erase_of_people));
        }
        let event: Event = serde_json::from_str(body).ok()?;
        match (event.kind, event.thing?) {
            (EventType::ThingRetiring, thing) => Some(Self::Asked(thing)),
            (EventType::ThingRetired, thing) => Some(Self::Over(thing)),
            (EventType::ThingUnpaired, thing) => Some(Self::OfPeople(thing)),
            _ => None,
        }
    }

    /// Whose end it is.
    #[must_use]
    pub const fn thing(&self) -> &ThingName {
        match self {
            Self::Asked(thing) | Self::Over(thing) | Self::OnceMore(thing) | Self::OfPeople(thing) => thing,
        }
    }

    /// The body of the message to oneself.
    ///
    /// # Errors
    /// Never in practice: a name is always JSON.
    pub fn once_more(thing: &ThingName) -> Result<String, serde_json::Error> {
        serde_json::to_string(&OnceMore { erase: thing.clone() })
    }

    /// The body of the message to oneself about what people left.
    ///
    /// # Errors
    /// Never in practice: a name is always JSON.
    pub fn of_people(thing: &ThingName) -> Result<String, serde_json::Error> {
        serde_json::to_string(&OfPeople { erase_of_people: thing.clone() })
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
        assert_eq!(Erasure::parse(&again), Some(Erasure::OnceMore(thing.clone())));
        let of_people = Some(Erasure::OfPeople(thing.clone()));
        assert_eq!(Erasure::parse(&event("thing.unpaired")), of_people);
        assert_eq!(Erasure::parse(&Erasure::of_people(&thing).unwrap()), of_people);
    }

    #[test]
    fn any_other_message_erases_nothing() {
        for kind in ["thing.active", "thing.retire-acknowledged", "certificate.retired", "thing.erased", "thing.paired"]
        {
            assert_eq!(Erasure::parse(&event(kind)), None, "{kind}");
        }
        for body in ["", "{}", "null", r#"{"erase":"a/b"}"#, r#"{"erase":"t1","more":1}"#, r#"{"erase":["t1"]}"#] {
            assert_eq!(Erasure::parse(body), None, "{body}");
        }
    }
}
