use aws_config::SdkConfig;
use aws_sdk_iotdataplane::operation::delete_thing_shadow::DeleteThingShadowError;
use aws_sdk_iotdataplane::operation::get_thing_shadow::GetThingShadowError;
use aws_sdk_iotdataplane::operation::list_named_shadows_for_thing::ListNamedShadowsForThingError;
use aws_sdk_iotdataplane::operation::update_thing_shadow::UpdateThingShadowError;
use aws_sdk_iotdataplane::primitives::Blob;
use loam_domain::ThingName;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::OnboardingFailure;
use crate::error::CallFailed;
use crate::registry::Written;
use crate::shadow_plan::Shadow;

/// The shadows of things.
#[derive(Debug, Clone)]
pub(crate) struct Shadows {
    client: aws_sdk_iotdataplane::Client,
}

/// A shadow's document, as far as we read it. Source: AWS IoT developer guide, "Device Shadow service documents".
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    state: States,
    version: i64,
}

#[derive(Deserialize, Default)]
struct States {
    #[serde(default)]
    desired: Map<String, Value>,
    #[serde(default)]
    reported: Map<String, Value>,
}

impl Shadows {
    /// The shadows in the account and region of `sdk`.
    #[must_use]
    pub(crate) fn new(sdk: &SdkConfig) -> Self {
        Self { client: aws_sdk_iotdataplane::Client::new(sdk) }
    }

    /// The thing's classic shadow, if it has one.
    pub(crate) async fn find(&self, thing: &ThingName) -> Result<Option<Shadow>, OnboardingFailure> {
        let found = match self.client.get_thing_shadow().thing_name(thing.as_str()).send().await {
            Ok(found) => found.payload.unwrap_or_else(|| Blob::new([])),
            Err(error)
                if error.as_service_error().is_some_and(GetThingShadowError::is_resource_not_found_exception) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(CallFailed::of("GetThingShadow", error).into()),
        };
        let document: Document =
            serde_json::from_slice(found.as_ref()).map_err(|_| OnboardingFailure::NoShadowDocument)?;
        let States { desired, reported } = document.state;
        Ok(Some(Shadow { desired, reported, version: document.version }))
    }

    /// Writes an update of the classic shadow, on the version that it names.
    pub(crate) async fn update(&self, thing: &ThingName, update: &Value) -> Result<Written, CallFailed> {
        let payload = Blob::new(update.to_string());
        match self.client.update_thing_shadow().thing_name(thing.as_str()).payload(payload).send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) if error.as_service_error().is_some_and(UpdateThingShadowError::is_conflict_exception) => {
                Ok(Written::Conflict)
            }
            Err(error) => Err(CallFailed::of("UpdateThingShadow", error)),
        }
    }

    /// Deletes the classic shadow and every named one; what is not there is deleted already.
    pub(crate) async fn delete_all(&self, thing: &ThingName) -> Result<(), CallFailed> {
        for name in self.names(thing).await? {
            self.delete(thing, Some(name)).await?;
        }
        self.delete(thing, None).await
    }

    /// Deletes one shadow: the classic one without a `name`.
    pub(crate) async fn delete(&self, thing: &ThingName, name: Option<String>) -> Result<(), CallFailed> {
        let request = self.client.delete_thing_shadow().thing_name(thing.as_str()).set_shadow_name(name);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(DeleteThingShadowError::is_resource_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(CallFailed::of("DeleteThingShadow", error)),
        }
    }

    async fn names(&self, thing: &ThingName) -> Result<Vec<String>, CallFailed> {
        let (mut names, mut next) = (Vec::new(), None);
        loop {
            let request = self.client.list_named_shadows_for_thing().thing_name(thing.as_str());
            let page = match request.set_next_token(next).send().await {
                Ok(page) => page,
                Err(error) if is_unknown(error.as_service_error()) => return Ok(names),
                Err(error) => return Err(CallFailed::of("ListNamedShadowsForThing", error)),
            };
            names.extend(page.results.unwrap_or_default());
            next = page.next_token;
            if next.is_none() {
                return Ok(names);
            }
        }
    }
}

/// A thing that is not in the registry any more may have no names to list.
fn is_unknown(error: Option<&ListNamedShadowsForThingError>) -> bool {
    error.is_some_and(ListNamedShadowsForThingError::is_resource_not_found_exception)
}
