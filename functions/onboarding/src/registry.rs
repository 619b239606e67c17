use std::collections::{BTreeMap, HashMap};

use aws_config::SdkConfig;
use aws_sdk_iot::operation::describe_thing::DescribeThingError;
use aws_sdk_iot::operation::update_thing::UpdateThingError;
use aws_sdk_iot::types::AttributePayload;
use loam_domain::ThingName;

use crate::error::CallFailed;
use crate::registry_plan::Registered;

/// AWS IoT's registry, as far as a description shows in it.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    client: aws_sdk_iot::Client,
}

/// What became of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is there.
    Yes,
    /// Somebody else was faster: read again.
    Conflict,
    /// What was to be changed is gone.
    Gone,
}

impl Registry {
    /// The registry of the account and region of `sdk`.
    #[must_use]
    pub(crate) fn new(sdk: &SdkConfig) -> Self {
        Self { client: aws_sdk_iot::Client::new(sdk) }
    }

    /// The thing with its version; `None` if the registry has none of this name.
    pub(crate) async fn find(&self, thing: &ThingName) -> Result<Option<(Registered, i64)>, CallFailed> {
        match self.client.describe_thing().thing_name(thing.as_str()).send().await {
            Ok(found) => {
                let attributes = found.attributes.unwrap_or_default();
                Ok(Some((Registered { attributes, has_type: found.thing_type_name.is_some() }, found.version)))
            }
            Err(error) if error.as_service_error().is_some_and(DescribeThingError::is_resource_not_found_exception) => {
                Ok(None)
            }
            Err(error) => Err(CallFailed::of("DescribeThing", error)),
        }
    }

    /// Merges attributes into the thing if it still has `version`; an empty value removes the attribute.
    /// Source: AWS IoT API reference, `AttributePayload`, `merge`; `UpdateThing`, `expectedVersion`.
    pub(crate) async fn merge(
        &self,
        thing: &ThingName,
        attributes: &BTreeMap<&'static str, String>,
        version: i64,
    ) -> Result<Written, CallFailed> {
        let attributes: HashMap<_, _> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let payload = AttributePayload::builder().set_attributes(Some(attributes)).merge(true).build();
        let request = self.client.update_thing().thing_name(thing.as_str()).attribute_payload(payload);
        match request.expected_version(version).send().await {
            Ok(_) => Ok(Written::Yes),
            Err(error) => match error.as_service_error() {
                Some(UpdateThingError::VersionConflictException(_)) => Ok(Written::Conflict),
                Some(UpdateThingError::ResourceNotFoundException(_)) => Ok(Written::Gone),
                _ => Err(CallFailed::of("UpdateThing", error)),
            },
        }
    }
}
