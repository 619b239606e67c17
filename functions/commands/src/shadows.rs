//! Shadows of things: what is desired and reported.

use aws_config::SdkConfig;
use aws_sdk_iotdataplane::primitives::Blob;
use loam_domain::ThingName;
use serde_json::{Map, Value, json};

use crate::desired::RESERVED;
use crate::error::CommandsFailure;
use crate::wait::Shadow;

/// The things' classic shadows.
#[derive(Debug, Clone)]
pub(crate) struct Shadows {
    client: aws_sdk_iotdataplane::Client,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// The shadow has this version now.
    Yes {
        /// Which.
        version: u64,
    },
    /// It is not of the version that was expected.
    Conflict,
    /// It would be larger than a shadow may be.
    TooLarge,
    /// AWS IoT takes no such document.
    Refused,
}

impl Shadows {
    pub(crate) fn new(sdk: &SdkConfig) -> Self {
        Self { client: aws_sdk_iotdataplane::Client::new(sdk) }
    }

    /// The shadow of a thing; one that nobody wrote yet is of version 0 and says nothing.
    pub(crate) async fn get(&self, thing: &ThingName) -> Result<Shadow, CommandsFailure> {
        match self.client.get_thing_shadow().thing_name(thing.as_str()).send().await {
            Ok(answer) => {
                read(answer.payload().map(Blob::as_ref).unwrap_or_default()).ok_or(CommandsFailure::BadShadow)
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                Ok(Shadow { version: 0, desired: Value::Null, reported: Value::Null })
            }
            Err(error) => Err(CommandsFailure::ShadowNotRead(Box::new(error))),
        }
    }

    /// Merges `desired` into what is desired; only on `version`, if one is given.
    /// Source: AWS IoT API reference, `UpdateThingShadow`; developer guide, "Device Shadow error messages" (400, 409, 413).
    pub(crate) async fn desire(
        &self,
        thing: &ThingName,
        desired: &Map<String, Value>,
        version: Option<u64>,
    ) -> Result<Written, CommandsFailure> {
        let mut document = json!({"state": {"desired": desired}});
        if let (Some(version), Some(fields)) = (version, document.as_object_mut()) {
            fields.insert("version".to_owned(), Value::from(version));
        }
        let request = self.client.update_thing_shadow().thing_name(thing.as_str());
        match request.payload(Blob::new(document.to_string())).send().await {
            Ok(answer) => {
                let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
                let answer: Value = serde_json::from_slice(payload).map_err(|_| CommandsFailure::BadShadow)?;
                let version = answer.get("version").and_then(Value::as_u64).ok_or(CommandsFailure::BadShadow)?;
                Ok(Written::Yes { version })
            }
            Err(error) => match error.as_service_error() {
                Some(refused) if refused.is_conflict_exception() => Ok(Written::Conflict),
                Some(refused) if refused.is_request_entity_too_large_exception() => Ok(Written::TooLarge),
                Some(refused) if refused.is_invalid_request_exception() => Ok(Written::Refused),
                _ => Err(CommandsFailure::ShadowNotWritten(Box::new(error))),
            },
        }
    }

    /// Takes away all that people desired of a thing; what rollouts desire stays. `false` if somebody wrote meanwhile.
    pub(crate) async fn clear(&self, thing: &ThingName) -> Result<bool, CommandsFailure> {
        let shadow = self.get(thing).await?;
        let names = shadow.desired.as_object().into_iter().flat_map(Map::keys);
        let none: Map<String, Value> =
            names.filter(|name| !RESERVED.contains(&name.as_str())).map(|name| (name.clone(), Value::Null)).collect();
        if none.is_empty() {
            return Ok(true);
        }
        match self.desire(thing, &none, Some(shadow.version)).await? {
            Written::Yes { .. } => Ok(true),
            Written::Conflict | Written::TooLarge | Written::Refused => Ok(false),
        }
    }
}

fn read(payload: &[u8]) -> Option<Shadow> {
    let document: Value = serde_json::from_slice(payload).ok()?;
    let part = |name: &str| document.pointer(&format!("/state/{name}")).cloned().unwrap_or_default();
    Some(Shadow { version: document.get("version")?.as_u64()?, desired: part("desired"), reported: part("reported") })
}
