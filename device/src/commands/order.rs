use crate::message::Message;
use serde::Deserialize;
use serde_json::Value;

/// Digits of a command's id.
const ID_DIGITS: usize = 32;

/// A command, understood.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The command's id: the same in each delivery of it.
    pub id: String,
    /// What is to be done.
    pub name: String,
    /// With what.
    pub payload: Value,
    /// When it is worth nothing any more, in milliseconds since 1970.
    pub expires_at: i64,
}

/// Why a message is no command. Nothing is answered then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoOrder {
    /// The topic is none of commands.
    #[error("the topic is not loam/{{thing}}/commands/{{id}}/request, with an id of {ID_DIGITS} hexadecimal digits")]
    Topic,
    /// The payload is not what a command carries.
    #[error("the payload is not {{\"id\", \"name\", \"payload\", \"issuedAt\", \"expiresAt\"}}")]
    Payload,
    /// Topic and payload name different ids.
    #[error("the ids of topic and payload differ")]
    Id,
}

impl NoOrder {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Topic => "no-command-topic",
            Self::Payload => "no-command-payload",
            Self::Id => "command-ids-differ",
        }
    }
}

impl Order {
    /// The command that `message` carries to `thing`.
    ///
    /// # Errors
    /// [`NoOrder`].
    pub fn parse(thing: &str, message: &Message) -> Result<Self, NoOrder> {
        let levels: Vec<&str> = message.topic.split('/').collect();
        let ["loam", to, "commands", id, "request"] = levels.as_slice() else { return Err(NoOrder::Topic) };
        let digits = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if *to != thing || !digits || id.len() != ID_DIGITS {
            return Err(NoOrder::Topic);
        }
        let order: Self = serde_json::from_slice(&message.payload).map_err(|_| NoOrder::Payload)?;
        if order.id == *id { Ok(order) } else { Err(NoOrder::Id) }
    }

    /// Whether it is worth nothing any more at `now`, in milliseconds since 1970. So the device's clock must be right to a
    /// few seconds.
    #[must_use]
    pub const fn is_over(&self, now: i64) -> bool {
        now >= self.expires_at
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) const ID: &str = "0123456789abcdef0123456789abcdef";

    pub(crate) fn order(name: &str, payload: Value) -> Order {
        Order { id: ID.to_owned(), name: name.to_owned(), payload, expires_at: 2_000 }
    }

    fn code(topic: &str, payload: &Value) -> &'static str {
        let payload = payload.to_string().into_bytes();
        let (topic, duplicate) = (topic.to_owned(), false);
        let message = Message { topic, payload, response_topic: None, correlation_data: None, duplicate };
        Order::parse("t1", &message).map_or_else(NoOrder::code, |_| "ok")
    }

    #[test]
    fn a_command_is_taken_for_this_thing_only_and_with_one_id() {
        let right = json!({"id": ID, "name": "blink", "payload": null, "issuedAt": 1, "expiresAt": 2});
        let topic = format!("loam/t1/commands/{ID}/request");
        assert_eq!(code(&topic, &right), "ok");
        assert_eq!(code(&topic.replace("t1", "t2"), &right), "no-command-topic");
        assert_eq!(code(&topic.replace("request", "accepted"), &right), "no-command-topic");
        assert_eq!(code("loam/t1/commands/x/request", &right), "no-command-topic");
        assert_eq!(code(&topic.replace('f', "e"), &right), "command-ids-differ");
        assert_eq!(code(&topic, &json!({"id": ID})), "no-command-payload");
    }

    #[test]
    fn a_command_is_worth_something_to_the_last_millisecond_before_its_end() {
        let order = order("blink", Value::Null);
        assert!(!order.is_over(1_999) && order.is_over(2_000));
    }
}
