use aws_config::SdkConfig;
use aws_sdk_iotdataplane::primitives::Blob;
use loam_domain::ThingName;
use serde_json::{Value, json};

use crate::PresenceFailure;

/// The things' shadows, of which `reported.connected` is ours to write.
#[derive(Debug, Clone)]
pub struct Shadows {
    client: aws_sdk_iotdataplane::Client,
}

/// What a shadow says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadow {
    /// Its version, for the condition of a write; `None` where there is no shadow.
    pub version: Option<u64>,
    /// What `reported.connected` says; `None` where it is no boolean.
    pub connected: Option<bool>,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projected {
    /// The shadow says it now.
    Yes,
    /// Somebody else wrote the shadow since it was read.
    Lost,
    /// The thing filled its shadow to the brim; it cannot say it.
    Full,
}

impl Shadows {
    /// The shadows of the data plane that `sdk` talks to.
    #[must_use]
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: aws_sdk_iotdataplane::Client::new(sdk) }
    }

    /// What the classic shadow of `thing` says.
    ///
    /// # Errors
    /// [`PresenceFailure::ShadowNotRead`], [`PresenceFailure::BadShadow`].
    pub async fn get(&self, thing: &ThingName) -> Result<Shadow, PresenceFailure> {
        match self.client.get_thing_shadow().thing_name(thing.as_str()).send().await {
            Ok(shadow) => {
                read(shadow.payload().map(Blob::as_ref).unwrap_or_default()).ok_or(PresenceFailure::BadShadow)
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                Ok(Shadow { version: None, connected: None })
            }
            Err(error) => Err(PresenceFailure::ShadowNotRead(Box::new(error))),
        }
    }

    /// Writes whether the thing is connected, if the shadow is still of `version`; makes a shadow where there was none.
    ///
    /// # Errors
    /// [`PresenceFailure::ShadowNotWritten`].
    /// Source: AWS IoT API reference, `UpdateThingShadow`; developer guide, "Device Shadow error messages" (409, 413).
    pub async fn put(
        &self,
        thing: &ThingName,
        connected: bool,
        version: Option<u64>,
    ) -> Result<Projected, PresenceFailure> {
        let mut document = json!({"state": {"reported": {"connected": connected}}});
        if let (Some(version), Some(fields)) = (version, document.as_object_mut()) {
            fields.insert("version".to_owned(), Value::from(version));
        }
        let request = self.client.update_thing_shadow().thing_name(thing.as_str());
        match request.payload(Blob::new(document.to_string())).send().await {
            Ok(_) => Ok(Projected::Yes),
            Err(error) => match error.as_service_error() {
                Some(refused) if refused.is_conflict_exception() => Ok(Projected::Lost),
                Some(refused) if refused.is_request_entity_too_large_exception() => Ok(Projected::Full),
                _ => Err(PresenceFailure::ShadowNotWritten(Box::new(error))),
            },
        }
    }
}

fn read(payload: &[u8]) -> Option<Shadow> {
    let document: Value = serde_json::from_slice(payload).ok()?;
    let connected = document.pointer("/state/reported/connected").and_then(Value::as_bool);
    Some(Shadow { version: Some(document.get("version")?.as_u64()?), connected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shadow_says_what_is_a_boolean_and_nothing_else() {
        let of = |connected: Value| {
            read(json!({"state": {"reported": {"connected": connected}}, "version": 7}).to_string().as_bytes()).unwrap()
        };
        assert_eq!(of(json!(true)), Shadow { version: Some(7), connected: Some(true) });
        assert_eq!(of(json!("true")).connected, None);
        assert_eq!(read(br#"{"state":{"desired":{}},"version":7}"#).unwrap().connected, None);
    }

    #[test]
    fn a_document_without_a_version_is_no_shadow() {
        assert_eq!(read(br#"{"state":{}}"#), None);
        assert_eq!(read(b""), None);
    }
}
