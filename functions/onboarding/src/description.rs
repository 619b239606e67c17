//! What a device says of itself: the nine fields of the catalog, and what it can do.

use std::collections::{BTreeMap, BTreeSet};

use loam_domain::{RefusalCode, ThingName};
use serde_json::{Map, Value};

use crate::Refused;

/// The most words in `capabilities`.
pub const MOST_CAPABILITIES: usize = 64;

/// The longest word in `capabilities`, in characters.
pub const LONGEST_CAPABILITY: usize = 64;

/// The largest `firmware`, in bytes of its JSON.
pub const LARGEST_FIRMWARE: usize = 1024;

/// The nine fields of the catalog, each a text; any of them but the client id may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `endpoint`: where the device connects to; at most 256 characters.
    pub endpoint: String,
    /// `clientId`: the device's own name; always the name of the thing that describes itself.
    pub client_id: String,
    /// `thingId`: what the maker calls this very device, for example its serial number; at most 128 characters.
    pub thing_id: String,
    /// `manufacturerName`; at most 256 characters.
    pub manufacturer_name: String,
    /// `modelName`; at most 256 characters.
    pub model_name: String,
    /// `version`: of the device, for people; at most 128 characters.
    pub version: String,
    /// `friendlyName`: what people call it; at most 256 characters.
    pub friendly_name: String,
    /// `friendlyDescription`; at most 2,048 characters.
    pub friendly_description: String,
    /// `type`: what kind of device it is; at most 128 characters.
    pub kind: String,
}

/// The fields that the registry and the shadow show too, by name.
pub type Shown<'a> = [(&'static str, &'a str); 3];

/// The shown ones of the fields that a thing's record tells.
#[must_use]
pub fn shown(told: &BTreeMap<String, String>) -> Shown<'_> {
    ["manufacturerName", "modelName", "version"].map(|name| (name, told.get(name).map_or("", String::as_str)))
}

/// A description with what came beside the nine fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The nine fields.
    pub description: Description,
    /// `capabilities`: words for what the device can do; `None` where it did not say.
    pub capabilities: Option<BTreeSet<String>>,
    /// `firmware`: an object or a text, as the device wrote it; `None` where it did not say.
    pub firmware: Option<Value>,
}

impl Description {
    /// The fields by the names that the catalog's items have, in the catalog's order.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, &str); 9] {
        [
            ("endpoint", &self.endpoint),
            ("clientId", &self.client_id),
            ("thingId", &self.thing_id),
            ("manufacturerName", &self.manufacturer_name),
            ("modelName", &self.model_name),
            ("version", &self.version),
            ("friendlyName", &self.friendly_name),
            ("friendlyDescription", &self.friendly_description),
            ("type", &self.kind),
        ]
    }

    /// A description from its fields, each looked up by the name that the catalog's items have.
    ///
    /// # Errors
    /// The first error of `field`, which is told the name and the most characters that it may have.
    pub fn from_fields<E>(mut field: impl FnMut(&'static str, usize) -> Result<String, E>) -> Result<Self, E> {
        Ok(Self {
            endpoint: field("endpoint", 256)?,
            client_id: field("clientId", ThingName::MAX_LENGTH)?,
            thing_id: field("thingId", 128)?,
            manufacturer_name: field("manufacturerName", 256)?,
            model_name: field("modelName", 256)?,
            version: field("version", 128)?,
            friendly_name: field("friendlyName", 256)?,
            friendly_description: field("friendlyDescription", 2048)?,
            kind: field("type", 128)?,
        })
    }

    /// What the thing's record and its events tell: all but where the device connects to and under which name, which
    /// everybody knows.
    #[must_use]
    pub fn told(&self) -> BTreeMap<String, String> {
        let told = self.fields().into_iter().filter(|(name, _)| !["endpoint", "clientId"].contains(name));
        told.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl Described {
    /// Understands the bytes that `thing` published.
    ///
    /// Fields that nobody knows are ignored: a firmware that is newer than the stack must still come in.
    ///
    /// # Errors
    /// [`Refused`]; nothing of a refused description is stored.
    pub fn parse(payload: &[u8], thing: &ThingName) -> Result<Self, Refused> {
        let object = object(payload)?;
        let description = Description::from_fields(|name, most| text(&object, name, most))?;
        if description.client_id != thing.as_str() {
            return Err(Refused::NotItself);
        }
        let capabilities = given(&object, "capabilities").map(capabilities).transpose()?;
        let firmware = given(&object, "firmware").map(firmware).transpose()?;
        Ok(Self { description, capabilities, firmware })
    }
}

fn object(payload: &[u8]) -> Result<Map<String, Value>, Refused> {
    let text = std::str::from_utf8(payload)
        .map_err(|_| Refused::message(RefusalCode::NotUtf8, "the payload is not UTF-8".to_owned()))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(wrong_type("the payload", "an object", &other, RefusalCode::NotAnObject)),
        Err(_) => Err(Refused::message(RefusalCode::NotJson, "the payload is not JSON".to_owned())),
    }
}

/// `null` says nothing.
fn given<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

fn text(object: &Map<String, Value>, name: &'static str, most: usize) -> Result<String, Refused> {
    let missing = || Refused::message(RefusalCode::MissingField, format!("the field `{name}` is missing"));
    let value = given(object, name).ok_or_else(missing)?;
    let Value::String(text) = value else {
        return Err(wrong_type(&format!("the field `{name}`"), "a text", value, RefusalCode::WrongType));
    };
    match text.chars().count() {
        length if length > most => Err(Refused::TooLong { field: name, most }),
        _ => Ok(text.clone()),
    }
}

fn capabilities(value: &Value) -> Result<BTreeSet<String>, Refused> {
    let Value::Array(values) = value else {
        return Err(wrong_type("the field `capabilities`", "a list of words", value, RefusalCode::WrongType));
    };
    if values.len() > MOST_CAPABILITIES {
        return Err(Refused::TooManyCapabilities { found: values.len() });
    }
    values.iter().map(|value| value.as_str().and_then(word).ok_or(Refused::InvalidCapability)).collect()
}

fn word(text: &str) -> Option<String> {
    let fits = (1..=LONGEST_CAPABILITY).contains(&text.len());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (fits && text.bytes().all(plain)).then(|| text.to_owned())
}

fn firmware(value: &Value) -> Result<Value, Refused> {
    if !value.is_object() && !value.is_string() {
        return Err(wrong_type("the field `firmware`", "an object or a text", value, RefusalCode::WrongType));
    }
    if value.to_string().len() > LARGEST_FIRMWARE {
        return Err(Refused::FirmwareTooLarge);
    }
    Ok(value.clone())
}

fn wrong_type(what: &str, expected: &str, found: &Value, code: RefusalCode) -> Refused {
    let kind = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Refused::message(code, format!("{what} is {kind}, expected {expected}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn thing() -> ThingName {
        ThingName::parse("t1").unwrap()
    }

    fn whole() -> Value {
        json!({
            "endpoint": "x-ats.iot.us-east-1.amazonaws.com", "clientId": "t1", "thingId": "4711",
            "manufacturerName": "Acme", "modelName": "Moist 2", "version": "1.0.3", "friendlyName": "Balcony",
            "friendlyDescription": "The pot on the balcony", "type": "soil",
        })
    }

    fn parse(value: &Value) -> Result<Described, Refused> {
        Described::parse(value.to_string().as_bytes(), &thing())
    }

    /// The whole description with `field` replaced (`None`: left out).
    fn with(field: &str, value: Option<Value>) -> Result<Described, Refused> {
        let mut object = whole();
        match value {
            Some(value) => object[field] = value,
            None => drop(object.as_object_mut().unwrap().remove(field)),
        }
        parse(&object)
    }

    fn code(outcome: Result<Described, Refused>) -> &'static str {
        outcome.unwrap_err().code()
    }

    #[test]
    fn the_nine_fields_are_kept_as_they_were_sent() {
        let described = parse(&whole()).unwrap();
        for (name, value) in described.description.fields() {
            assert_eq!(whole()[name], value, "{name}");
        }
        assert_eq!((described.capabilities, described.firmware), (None, None));
    }

    #[test]
    fn a_description_without_one_of_the_nine_is_refused_and_names_it() {
        for (name, _) in parse(&whole()).unwrap().description.fields() {
            let refused = with(name, None).unwrap_err();
            assert_eq!(refused.to_string(), format!("missing-field: the field `{name}` is missing"));
            assert_eq!(code(with(name, Some(Value::Null))), "missing-field");
            for other in [json!(1), json!(true), json!([]), json!({})] {
                assert_eq!(code(with(name, Some(other))), "wrong-type", "{name}");
            }
        }
    }

    #[test]
    fn a_field_at_its_limit_is_kept_and_one_character_more_is_too_long() {
        for (name, most) in [("endpoint", 256), ("thingId", 128), ("friendlyDescription", 2048), ("type", 128)] {
            assert!(with(name, Some(json!("ä".repeat(most)))).is_ok(), "{name}");
            assert_eq!(code(with(name, Some(json!("ä".repeat(most + 1))))), "too-long", "{name}");
        }
    }

    #[test]
    fn seven_fields_are_told_and_three_of_them_shown() {
        let told = parse(&whole()).unwrap().description.told();
        assert_eq!((told.len(), told.contains_key("clientId"), told.contains_key("endpoint")), (7, false, false));
        assert_eq!(shown(&told), [("manufacturerName", "Acme"), ("modelName", "Moist 2"), ("version", "1.0.3")]);
        assert_eq!(shown(&BTreeMap::new()).map(|(_, value)| value), ["", "", ""]);
    }

    #[test]
    fn an_empty_text_is_a_text() {
        assert_eq!(with("friendlyName", Some(json!(""))).unwrap().description.friendly_name, "");
    }

    #[test]
    fn a_device_describes_nobody_but_itself() {
        assert_eq!(code(with("clientId", Some(json!("t2")))), "not-itself");
        assert_eq!(code(with("clientId", Some(json!("T1")))), "not-itself");
    }

    #[test]
    fn a_field_that_nobody_knows_is_ignored() {
        assert_eq!(with("colour", Some(json!({"deep": [1]}))).unwrap(), parse(&whole()).unwrap());
    }

    #[test]
    fn capabilities_are_up_to_64_plain_words() {
        let words = |count: usize| Some(json!((0..count).map(|at| format!("w{at}")).collect::<Vec<_>>()));
        assert_eq!(with("capabilities", words(64)).unwrap().capabilities.unwrap().len(), 64);
        assert_eq!(code(with("capabilities", words(65))), "too-many-capabilities");
        for bad in [json!(""), json!("a b"), json!("a/b"), json!("w".repeat(65)), json!(1), json!(["a"])] {
            assert_eq!(code(with("capabilities", Some(json!([bad])))), "invalid-capability", "{bad}");
        }
        assert_eq!(code(with("capabilities", Some(json!("soil")))), "wrong-type");
        assert_eq!(with("capabilities", Some(Value::Null)).unwrap().capabilities, None);
    }

    #[test]
    fn firmware_is_an_object_or_a_text_of_at_most_1024_bytes() {
        let text = |length: usize| Some(json!("v".repeat(length - 2)));
        assert!(with("firmware", text(1024)).is_ok());
        assert_eq!(code(with("firmware", text(1025))), "firmware-too-large");
        let object = json!({"version": "1.2", "slot": "a"});
        assert_eq!(with("firmware", Some(object.clone())).unwrap().firmware, Some(object));
        assert_eq!(code(with("firmware", Some(json!(3)))), "wrong-type");
    }

    #[test]
    fn bytes_that_are_no_json_object_are_refused() {
        let code = |payload: &[u8]| code(Described::parse(payload, &thing()));
        assert_eq!(code(b"\xff"), "not-utf8");
        for payload in ["", "{", "{\"a\":\"\\ud800\"}", "{\"a\":NaN}", &"[".repeat(1000)] {
            assert_eq!(code(payload.as_bytes()), "not-json", "{payload}");
        }
        for payload in ["[]", "7", "null", "\"t1\""] {
            assert_eq!(code(payload.as_bytes()), "not-an-object", "{payload}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_no_refusal_quotes_them(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Err(refused) = Described::parse(&payload, &thing()) {
                prop_assert!(refused.to_string().len() < 200);
            }
        }
    }
}
