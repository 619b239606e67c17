use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use loam_domain::ThingName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use crate::Problem;

/// The `{thing}` of a path; 400 `invalid-thing-name` where no thing can have that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThingPath(pub ThingName);

/// The variable parts of a path, read into `T` by name; 400 `invalid-path` where they do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments<T>(pub T);

#[derive(Deserialize)]
struct WithThing {
    thing: String,
}

impl<S: Send + Sync> FromRequestParts<S> for ThingPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Segments(WithThing { thing }) = Segments::from_request_parts(parts, state).await?;
        match ThingName::parse(&thing) {
            Ok(name) => Ok(Self(name)),
            Err(refusal) => Err(Problem::bad_request("invalid-thing-name", refusal.detail)),
        }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(rejection) => Err(Problem::bad_request("invalid-path", rejection.body_text())),
        }
    }
}

/// For `params(...)` of a route.
impl IntoParams for ThingPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z0-9:_-]{1,128}$"))
            .max_length(Some(ThingName::MAX_LENGTH));
        let thing = ParameterBuilder::new()
            .name("thing")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("Name of the thing in the registry, which is also its MQTT client id."))
            .schema(Some(schema.build()));
        vec![thing.build()]
    }
}
