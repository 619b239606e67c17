//! What comes in by the queue: news of things, words of devices, wishes of apps, and messages to ourselves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{Event, EventType, Refusal, RefusalCode, RuleMessage, ThingName, Timestamp};
use loam_things::Erasure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command_id::CommandId;
use crate::error::Refused;
use crate::feedback::{self, Feedback, Note};
use crate::mailbox::Address;

/// A message, understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Something may be sent to a thing now.
    Deliver(ThingName),
    /// A device said something of a command.
    Heard {
        /// Which device.
        thing: ThingName,
        /// Of which command.
        id: CommandId,
        /// What.
        feedback: Feedback,
    },
    /// An app wants something.
    Wish(Wished),
    /// What is kept of a thing, or of a former owner's time, is to be erased.
    Erasure(Erasure),
    /// An order for many things is to go on after this thing.
    Spread {
        /// The order.
        order: CommandId,
        /// The last thing that has it.
        after: Option<ThingName>,
    },
}

/// What an app wants, as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Wished {
    /// Who wants something of which thing.
    pub address: Address,
    /// The app's bytes.
    pub payload: Vec<u8>,
    /// When AWS IoT took them.
    pub received_at: Timestamp,
}

/// A message of our own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
enum Own {
    Deliver(ThingName),
    Spread { order: CommandId, after: Option<ThingName> },
}

impl Message {
    /// Understands one message of the queue.
    ///
    /// # Errors
    /// [`Refused`], for what neither AWS IoT nor Loam sends, and for what devices say wrongly.
    pub fn parse(body: &str) -> Result<Self, Refused> {
        if let Ok(own) = serde_json::from_str(body) {
            return Ok(match own {
                Own::Deliver(thing) => Self::Deliver(thing),
                Own::Spread { order, after } => Self::Spread { order, after },
            });
        }
        if let Some(erasure) = Erasure::parse(body) {
            return Ok(Self::Erasure(erasure));
        }
        let not_json = |_| Refused::Message(Refusal::new(RefusalCode::NotJson, "the message is not JSON"));
        let event: Value = serde_json::from_str(body).map_err(not_json)?;
        if event.get("topic").is_some() { of_rule(&event) } else { of_events(&event) }
    }

    /// The message to ourselves that something may be sent to `thing`.
    ///
    /// # Errors
    /// Never in practice: a name is always JSON.
    pub fn deliver(thing: &ThingName) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Own::Deliver(thing.clone()))
    }

    /// The message to ourselves that an order for many goes on.
    ///
    /// # Errors
    /// Never in practice.
    pub fn spread(order: &CommandId, after: Option<&ThingName>) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Own::Spread { order: order.clone(), after: after.cloned() })
    }
}

fn of_events(event: &Value) -> Result<Message, Refused> {
    let event = Event::deserialize(event).map_err(|_| Refused::NotAnEvent)?;
    let thing = event.thing.ok_or(Refused::NotAnEvent)?;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the subscription names these and the ends; all else is a mistake"
    )]
    match event.kind {
        EventType::PresenceConnected | EventType::CommandQueued => Ok(Message::Deliver(thing)),
        _ => Err(Refused::NotAnEvent),
    }
}

fn of_rule(event: &Value) -> Result<Message, Refused> {
    let expected = "expected the fields payload, topic and receivedAt that the rules select";
    let message = RuleMessage::deserialize(event)
        .map_err(|_| Refused::Message(Refusal::new(RefusalCode::NotARuleMessage, expected)))?;
    let not_base64 = |_| Refused::Message(Refusal::new(RefusalCode::NotBase64, "the field `payload` is not base64"));
    let payload = STANDARD.decode(&message.payload).map_err(not_base64)?;
    let received_at = message.received_at;
    if let Ok(address) = Address::parse(&message.topic) {
        return Ok(Message::Wish(Wished { address, payload, received_at }));
    }
    let (thing, id, kind) = feedback::topic(&message.topic).map_err(Refused::Feedback)?;
    let note = Note::parse(&payload).map_err(Refused::Feedback)?;
    Ok(Message::Heard { thing, id, feedback: Feedback { kind, received_at, note } })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn thing() -> ThingName {
        ThingName::parse("t1").unwrap()
    }

    #[test]
    fn messages_to_ourselves_are_read_as_they_were_written() {
        let id = CommandId::parse(&"a".repeat(32)).unwrap();
        let parsed = |body: String| Message::parse(&body).unwrap();
        assert_eq!(parsed(Message::deliver(&thing()).unwrap()), Message::Deliver(thing()));
        let spread = Message::Spread { order: id.clone(), after: Some(thing()) };
        assert_eq!(parsed(Message::spread(&id, Some(&thing())).unwrap()), spread);
    }

    #[test]
    fn a_connect_and_a_new_command_bring_a_run_and_another_event_is_a_mistake() {
        let event = |kind: &str| {
            let event = json!({"id": "t1.7", "type": kind, "thing": "t1", "at": 7, "epoch": 1, "data": {}});
            Message::parse(&event.to_string())
        };
        assert_eq!(event("presence.connected"), Ok(Message::Deliver(thing())));
        assert_eq!(event("command.queued"), Ok(Message::Deliver(thing())));
        assert_eq!(event("thing.unpaired"), Ok(Message::Erasure(Erasure::OfPeople(thing()))));
        assert!(matches!(event("thing.retiring"), Ok(Message::Erasure(Erasure::Asked(_)))));
        for kind in ["presence.disconnected", "thing.active", "x"] {
            assert_eq!(event(kind), Err(Refused::NotAnEvent), "{kind}");
        }
    }
}
