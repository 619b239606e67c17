use std::fmt;

use loam_domain::{MAX_TOPIC_BYTES, ThingName};

/// Characters that would re-route a message or widen a policy.
const FORBIDDEN: [char; 6] = ['/', '+', '#', '$', '*', '?'];
/// An id of a call is a UUID with its hyphens.
const ID_BYTES: usize = 36;

/// The first level of the topics on which devices answer; also the third level of a call's own topic.
///
/// The published sample calls it the client id prefix. 1 to 32 characters of `[A-Za-z0-9:_-]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// The longest prefix, in characters (each is one byte).
    pub const MAX_LENGTH: usize = 32;

    /// A prefix that keeps the rules of this type; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_LENGTH).contains(&text.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte));
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The filter that hears whoever answers the call `id`.
    #[must_use]
    pub fn answers_to(&self, id: &str) -> String {
        format!("{}/{id}/+/+/ack", self.0)
    }

    /// Names that no thing may bear: the prefix is a root of everybody's answers, and our own client ids begin with it and
    /// `_`.
    fn reserves(&self, name: &str) -> bool {
        name.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why nothing can be called there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// No thing may have this name.
    #[error("no valid thing name: expected 1 to 128 characters of [A-Za-z0-9:_-], and no reserved name")]
    Thing,
    /// The method is no plain level of a topic.
    #[error("no valid method name: expected one level of a topic, without / + # $ * ? and control characters")]
    Method,
    /// Each part is good, the whole is too long.
    #[error("thing and method are too long together: the topic of the answer has {bytes} bytes, expected at most 256")]
    TooLong {
        /// Length of the longest topic of the call.
        bytes: usize,
    },
}

impl BadTarget {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Thing => "invalid-thing-name",
            Self::Method => "invalid-method-name",
            Self::TooLong { .. } => "topic-too-long",
        }
    }
}

/// A method of a thing, such that both topics of a call are ones that AWS IoT takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    prefix: Prefix,
    thing: ThingName,
    method: String,
}

impl Target {
    /// The method `method` of the thing `thing`.
    ///
    /// # Errors
    /// [`BadTarget`]. Four slashes at most, so that their number is never too large.
    pub fn parse(prefix: &Prefix, thing: &str, method: &str) -> Result<Self, BadTarget> {
        let thing = ThingName::parse(thing).map_err(|_| BadTarget::Thing)?;
        if prefix.reserves(thing.as_str()) {
            return Err(BadTarget::Thing);
        }
        if method.is_empty() || method.contains(|character| FORBIDDEN.contains(&character) || character.is_control()) {
            return Err(BadTarget::Method);
        }
        let bytes = prefix.0.len() + ID_BYTES + thing.as_str().len() + method.len() + "////ack".len();
        if bytes > MAX_TOPIC_BYTES {
            return Err(BadTarget::TooLong { bytes });
        }
        Ok(Self { prefix: prefix.clone(), thing, method: method.to_owned() })
    }

    /// The thing, which is also its MQTT client id.
    #[must_use]
    pub const fn thing(&self) -> &ThingName {
        &self.thing
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Where the call `id` goes.
    #[must_use]
    pub fn request_topic(&self, id: &str) -> String {
        format!("{}/{}/{}/{id}", self.thing, self.method, self.prefix)
    }

    /// Where the thing answers the call `id`.
    #[must_use]
    pub fn answer_topic(&self, id: &str) -> String {
        format!("{}/{id}/{}/{}/ack", self.prefix, self.thing, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6f1c7f2e-38ab-4d6a-9c53-0d6f2b1f0a11";

    fn prefix() -> Prefix {
        Prefix::parse("loam-invoke").unwrap()
    }

    fn code(thing: &str, method: &str) -> &'static str {
        Target::parse(&prefix(), thing, method).map_or_else(BadTarget::code, |_| "ok")
    }

    #[test]
    fn the_topics_are_those_of_the_published_sample() {
        let target = Target::parse(&prefix(), "t1", "blink").unwrap();
        assert_eq!(target.request_topic(ID), format!("t1/blink/loam-invoke/{ID}"));
        assert_eq!(target.answer_topic(ID), format!("loam-invoke/{ID}/t1/blink/ack"));
    }

    #[test]
    fn a_topic_of_exactly_256_bytes_is_taken_and_one_byte_more_is_not() {
        let room = 256 - target_bytes("t1", "");
        assert_eq!(code("t1", &"m".repeat(room)), "ok");
        assert_eq!(code("t1", &"m".repeat(room + 1)), "topic-too-long");
        assert_eq!(Target::parse(&prefix(), "t1", &"m".repeat(room)).unwrap().answer_topic(ID).len(), 256);
    }

    fn target_bytes(thing: &str, method: &str) -> usize {
        format!("loam-invoke/{ID}/{thing}/{method}/ack").len()
    }

    #[test]
    fn a_long_character_counts_by_its_bytes() {
        let room = 256 - target_bytes("t1", "");
        assert_eq!(code("t1", &"é".repeat(room / 2)), "ok");
        assert_eq!(code("t1", &"é".repeat(room / 2 + 1)), "topic-too-long");
    }

    #[test]
    fn a_method_that_would_re_route_the_call_is_refused() {
        for method in ["", "a/b", "a+", "#", "$aws", "a*", "a?", "a\0", "a\n"] {
            assert_eq!(code("t1", method), "invalid-method-name", "{method:?}");
        }
        assert_eq!(code("t1", "set colour"), "ok");
    }

    #[test]
    fn a_thing_named_like_the_prefix_or_like_one_of_our_clients_is_refused() {
        for thing in ["loam-invoke", "loam-invoke_x", "loam", "device", "lwt", "a/b", "+", ""] {
            assert_eq!(code(thing, "m"), "invalid-thing-name", "{thing:?}");
        }
        assert_eq!(code("loam-invoke2", "m"), "ok");
    }

    #[test]
    fn a_prefix_of_32_characters_is_taken_and_one_of_33_is_not() {
        assert!(Prefix::parse(&"p".repeat(32)).is_some());
        assert!(Prefix::parse(&"p".repeat(33)).is_none() && Prefix::parse("").is_none());
        assert!(Prefix::parse("a/b").is_none() && Prefix::parse("a+").is_none());
    }
}
