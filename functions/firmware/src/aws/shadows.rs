//! The part of a thing's shadow that is an order: `desired.firmware`.

use aws_config::SdkConfig;
use aws_sdk_iotdataplane::primitives::Blob;
use loam_domain::ThingName;
use loam_releases::names::Id;
use serde_json::{Map, Value, json};

use crate::FirmwareFailure;
use crate::error::Asked;
use crate::order::taken_back;

/// The things' classic shadows.
#[derive(Debug, Clone)]
pub(crate) struct Shadows {
    client: aws_sdk_iotdataplane::Client,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ordered {
    /// It is there.
    Yes,
    /// The shadow has no room for it, or AWS IoT takes it for no document; of a job: there is no such thing.
    Refused,
}

/// What became of an order that was to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakenBack {
    /// The shadow does not hold it, now or since before.
    Gone,
    /// Somebody wrote to the shadow meanwhile: later.
    Later,
}

impl Shadows {
    pub(crate) fn new(sdk: &SdkConfig) -> Self {
        Self { client: aws_sdk_iotdataplane::Client::new(sdk) }
    }

    /// Writes an order. Written twice it is the same. Shadows are merged, so an order holds all of its fields, `null` where it has
    /// nothing to say: of one before it nothing stays.
    /// Source: <https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-document.html>.
    pub(crate) async fn order(&self, thing: &ThingName, desired: &Value) -> Result<Ordered, FirmwareFailure> {
        let document = json!({"state": {"desired": {"firmware": desired}}}).to_string();
        let request = self.client.update_thing_shadow().thing_name(thing.as_str()).payload(Blob::new(document));
        let Err(error) = request.send().await else { return Ok(Ordered::Yes) };
        let refused = error
            .as_service_error()
            .is_some_and(|error| error.is_request_entity_too_large_exception() || error.is_invalid_request_exception());
        if refused { Ok(Ordered::Refused) } else { Err(FirmwareFailure::service(Asked::Shadow, error)) }
    }

    /// Takes an order of this rollout back, on the version of the shadow that was read; another rollout's stays.
    pub(crate) async fn take_back(&self, thing: &ThingName, rollout: &Id) -> Result<TakenBack, FirmwareFailure> {
        let Some((version, desired)) = self.get(thing).await? else { return Ok(TakenBack::Gone) };
        let Some(Value::Object(mut change)) = taken_back(&desired, rollout) else { return Ok(TakenBack::Gone) };
        change.insert("version".to_owned(), Value::from(version));
        let request = self.client.update_thing_shadow().thing_name(thing.as_str());
        match request.payload(Blob::new(Value::Object(change).to_string())).send().await {
            Ok(_) => Ok(TakenBack::Gone),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_conflict_exception()) => {
                Ok(TakenBack::Later)
            }
            Err(error) => Err(FirmwareFailure::service(Asked::Shadow, error)),
        }
    }

    /// The version of the shadow, and what is desired; `None` where there is no shadow.
    async fn get(&self, thing: &ThingName) -> Result<Option<(u64, Map<String, Value>)>, FirmwareFailure> {
        let answer = match self.client.get_thing_shadow().thing_name(thing.as_str()).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                return Ok(None);
            }
            Err(error) => return Err(FirmwareFailure::service(Asked::Shadow, error)),
        };
        let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
        let document: Value = serde_json::from_slice(payload).map_err(|_| FirmwareFailure::BadObject("a shadow"))?;
        let version = document.get("version").and_then(Value::as_u64).ok_or(FirmwareFailure::BadObject("a shadow"))?;
        let desired = document.pointer("/state/desired").and_then(Value::as_object).cloned().unwrap_or_default();
        Ok(Some((version, desired)))
    }
}
