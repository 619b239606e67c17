//! `openapi.json` is what the code says, and the template has exactly its routes.
//!
//! `LOAM_WRITE_OPENAPI=1 cargo xtask test --level contract openapi` writes the file.

use std::collections::{BTreeMap, BTreeSet};

use loam_http::Problem;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::template::{Resource, found, repository, resources, target};
use crate::{roles, statuses};

/// The api functions, by logical id, and what their crates say of their routes. A new one: one line.
fn documents() -> Vec<(&'static str, OpenApi)> {
    vec![
        ("CatalogApi", catalog::openapi()),
        ("CommandsApi", commands::openapi()),
        ("FileTransferApi", file_transfer::openapi()),
        ("FirmwareApi", firmware::openapi()),
        ("JitrApi", jitr::api::openapi()),
        ("OnboardingApi", onboarding::openapi()),
        ("PairingApi", pairing::openapi()),
        ("PresenceApi", presence::openapi()),
        ("SoilAlertsApi", soil_alerts::api::openapi()),
        ("SyncInvoke", sync_invoke::openapi()),
        ("TelemetryApi", telemetry::openapi()),
    ]
}

/// `GET /v1/things/{thing}/presence` -> whose it is, and the operation.
type Routes = BTreeMap<String, (&'static str, Value)>;

fn routes(documents: &[(&'static str, OpenApi)]) -> Routes {
    let mut routes = Routes::new();
    for (function, document) in documents {
        let document = serde_json::to_value(document).unwrap();
        for (path, item) in document.get("paths").and_then(Value::as_object).unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let key = format!("{} {path}", method.to_uppercase());
                let before = routes.insert(key.clone(), (*function, operation.clone()));
                assert!(before.is_none(), "two functions answer {key}");
            }
        }
    }
    routes
}

/// All of them in one document.
fn merged(documents: &[(&'static str, OpenApi)]) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (key, (_, mut operation)) in routes(documents) {
        let (method, path) = key.split_once(' ').unwrap();
        let fields = operation.as_object_mut().unwrap();
        fields.insert("operationId".to_owned(), operation_id(&key).into());
        if let Some(who) = roles::who(&key) {
            fields.insert("security".to_owned(), who.requirement());
            statuses::complete(&key, fields, who);
        }
        paths.entry(path.to_owned()).or_default().insert(method.to_lowercase(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Loam", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "What our functions answer in error is application/problem+json with a stable code. What the \
                            gateway refuses itself has AWS's body {\"message\"}: 401 (no good token), 413, 429, 503."
        },
        "paths": paths,
        "components": {
            "schemas": schemas(documents),
            "responses": statuses::responses(),
            "securitySchemes": {
                "jwt": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "An access or id token of the stack's user pool. The role that a route names is the one \
                                    on the thing of its path, of which operators have all but owner; `operator` is the group \
                                    `operators`; where none is named, everybody with a token is answered."
                },
                "sigv4": {
                    "type": "apiKey", "in": "header", "name": "Authorization", "x-amazon-apigateway-authtype": "awsSigv4",
                    "description": "Signed with SigV4 by whom IAM lets do execute-api:Invoke on the route."
                }
            }
        }
    })
}

/// `getThingsThingPresence`: what generated clients call it, whatever a function in the code is called.
fn operation_id(key: &str) -> String {
    let (method, path) = key.split_once(' ').unwrap();
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty() && *word != "v1");
    let capital = |word: &str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
    words.fold(method.to_lowercase(), |id, word| id + &capital(word))
}

fn schemas(documents: &[(&'static str, OpenApi)]) -> BTreeMap<String, Value> {
    // Every route's answer in error refers to it.
    let mut shared = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut shared);
    let shared = shared.into_iter().map(|(name, schema)| ("loam-http", name, schema));
    let own = documents.iter().flat_map(|(function, document)| {
        let all = document.components.iter().flat_map(|components| &components.schemas);
        all.map(|(name, schema)| (*function, name.clone(), schema.clone()))
    });
    let mut schemas = BTreeMap::from([("GatewayMessage".to_owned(), statuses::gateway_message())]);
    for (owner, name, schema) in shared.chain(own) {
        let schema = serde_json::to_value(schema).unwrap();
        let before = schemas.insert(name.clone(), schema.clone());
        assert!(before.is_none_or(|before| before == schema), "{owner}: two schemas are called {name}");
    }
    schemas
}

/// What is wrong with the template's routes, given what the code answers.
fn mistakes(
    routes: &Routes,
    template: &[Resource],
    served_by: impl Fn(&Resource) -> Option<String>,
) -> BTreeSet<String> {
    let mut mistakes = BTreeSet::new();
    let keys: BTreeSet<_> = template.iter().map(|route| route.text("/RouteKey")).collect();
    mistakes.extend(routes.keys().filter(|key| !keys.contains(*key)).map(|key| format!("{key}: not in the template")));
    for route in template {
        let key = route.text("/RouteKey");
        let open = key == "$default";
        let expected = if open { Some("OnboardingApi") } else { routes.get(&key).map(|(function, _)| *function) };
        if expected.is_none() {
            mistakes.insert(format!("{key}: no code answers it"));
        } else if served_by(route).as_deref() != expected {
            mistakes.insert(format!("{key}: served by another function than {expected:?}"));
        }
        let signed = key == "GET /invoke" && route.at("/AuthorizationType") == "AWS_IAM";
        let guarded = signed
            || route.at("/AuthorizationType") == "JWT"
                && target(route.at("/AuthorizerId")).as_deref() == Some("HttpApiAuthorizer");
        if guarded == open {
            mistakes
                .insert(format!("{key}: {}", if open { "needs no token" } else { "takes callers without a token" }));
        }
    }
    mistakes
}

/// The function behind a route's integration, if the gateway may invoke it with payload version 2.
fn function_of(route: &Resource) -> Option<String> {
    let integrations = found("AWS::ApiGatewayV2::Integration");
    let written = route.at("/Target").to_string();
    let integration = integrations.iter().find(|integration| written.contains(&format!("${{{}}}", integration.id)))?;
    let function = target(integration.at("/IntegrationUri"))?;
    let permitted = resources("AWS::Lambda::Permission").into_iter().any(|permission| {
        permission.at("/Principal") == "apigateway.amazonaws.com"
            && target(permission.at("/FunctionName")).as_deref() == Some(function.as_str())
            && permission.at("/SourceArn").to_string().contains("execute-api:")
            && permission.at("/SourceArn").to_string().contains("${HttpApi}/")
    });
    (permitted && integration.at("/PayloadFormatVersion") == "2.0").then_some(function)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own edge")]
fn openapi_json_is_what_the_code_says() {
    let path = repository().join("openapi.json");
    let said = format!("{:#}\n", merged(&documents()));
    if std::env::var("LOAM_WRITE_OPENAPI").is_ok() {
        std::fs::write(&path, &said).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == said, "openapi.json is old: LOAM_WRITE_OPENAPI=1 cargo xtask test --level contract openapi");
}

#[test]
fn no_two_operations_have_one_id() {
    let routes = routes(&documents());
    let ids: BTreeSet<_> = routes.keys().map(|key| operation_id(key)).collect();
    assert_eq!(ids.len(), routes.len(), "{ids:?}");
    assert_eq!(operation_id("GET /v1/ca-profiles/{caId}/entries"), "getCaProfilesCaIdEntries");
}

#[test]
fn who_may_call_it_is_said_of_every_route_and_of_nothing_else() {
    let mistakes = roles::mistakes(routes(&documents()).keys());
    assert!(mistakes.is_empty(), "tests/contracts/roles.rs: {mistakes:#?}");
}

#[test]
fn openapi_and_the_template_have_the_same_routes() {
    let mistakes = mistakes(&routes(&documents()), &found("AWS::ApiGatewayV2::Route"), function_of);
    assert!(mistakes.is_empty(), "{mistakes:#?}");
}

#[test]
fn both_stages_are_alike_and_log_neither_paths_nor_queries_nor_tokens() {
    let stages = resources("AWS::ApiGatewayV2::Stage");
    let names: BTreeSet<_> = stages.iter().map(|stage| stage.text("/StageName")).collect();
    assert_eq!(names, BTreeSet::from(["$default".to_owned(), "Prod".to_owned()]));
    for stage in &stages {
        assert_eq!(stage.at("/AutoDeploy"), &Value::Bool(true), "{}", stage.id);
        for pointer in ["/AccessLogSettings", "/DefaultRouteSettings"] {
            assert!(
                stage.at(pointer).is_object() && stage.at(pointer) == stages[0].at(pointer),
                "{}{pointer}",
                stage.id
            );
        }
        let format: BTreeMap<String, String> = serde_json::from_str(&stage.text("/AccessLogSettings/Format")).unwrap();
        for variable in format.values() {
            let told =
                ["$context.path", "querystring", "header", "customDomain"].iter().any(|word| variable.contains(word));
            assert!(variable.starts_with("$context.") && !told, "{variable}");
        }
    }
}

/// The comparison itself, on an api of two routes.
mod of_two_routes {
    use loam_http::{Operator, ThingPath};
    use utoipa_axum::router::OpenApiRouter;

    use super::*;

    #[utoipa::path(get, path = "/v1/things/{thing}/lifecycle", params(ThingPath), responses((status = 200), Problem))]
    async fn lifecycle(Operator(_): Operator, ThingPath(_): ThingPath) {}

    #[utoipa::path(delete, path = "/v1/things/{thing}", params(ThingPath), responses((status = 202), Problem))]
    async fn retire(Operator(_): Operator, ThingPath(_): ThingPath) {}

    fn documents() -> Vec<(&'static str, OpenApi)> {
        let router: OpenApiRouter = OpenApiRouter::new().routes(utoipa_axum::routes!(lifecycle));
        let router = router.routes(utoipa_axum::routes!(retire));
        vec![("OnboardingApi", router.into_openapi())]
    }

    fn route(key: &str, authorizer: Option<&str>) -> Resource {
        let properties = match authorizer {
            Some(id) => json!({"RouteKey": key, "AuthorizationType": "JWT", "AuthorizerId": {"Ref": id}}),
            None => json!({"RouteKey": key}),
        };
        Resource { id: key.to_owned(), properties }
    }

    fn found(template: &[Resource]) -> Vec<String> {
        mistakes(&routes(&documents()), template, |_| Some("OnboardingApi".to_owned())).into_iter().collect()
    }

    fn good() -> Vec<Resource> {
        let jwt = Some("HttpApiAuthorizer");
        vec![
            route("GET /v1/things/{thing}/lifecycle", jwt),
            route("DELETE /v1/things/{thing}", jwt),
            route("$default", None),
        ]
    }

    #[test]
    fn equal_routes_are_no_mistake() {
        assert!(found(&good()).is_empty());
    }

    #[test]
    fn a_route_that_is_missing_on_either_side_is_found() {
        let mut template = good();
        template[0] = route("POST /v1/things/{thing}/lifecycle", Some("HttpApiAuthorizer"));
        let expected = [
            "GET /v1/things/{thing}/lifecycle: not in the template",
            "POST /v1/things/{thing}/lifecycle: no code answers it",
        ];
        assert_eq!(found(&template), expected);
    }

    #[test]
    fn a_route_without_the_authorizer_is_found() {
        for authorizer in [None, Some("AnotherAuthorizer")] {
            let mut template = good();
            template[1] = route("DELETE /v1/things/{thing}", authorizer);
            assert_eq!(found(&template), ["DELETE /v1/things/{thing}: takes callers without a token"]);
        }
    }

    #[test]
    fn a_route_that_leads_to_another_function_is_found() {
        let wrong = mistakes(&routes(&documents()), &good(), |_| None);
        assert_eq!(wrong.len(), 3);
    }

    #[test]
    fn the_document_names_each_route_and_the_problem_once() {
        let document = merged(&documents());
        let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
        assert_eq!(paths, ["/v1/things/{thing}", "/v1/things/{thing}/lifecycle"]);
        assert!(document.pointer("/components/schemas/Problem/properties/code").is_some(), "{document:#}");
        let answer = "/components/responses/NotFound/content/application~1problem+json";
        assert!(document.pointer(answer).is_some(), "{document:#}");
        let retire = document.pointer("/paths/~1v1~1things~1{thing}/delete").unwrap();
        assert_eq!(retire["responses"]["404"], json!({"$ref": "#/components/responses/NotFound"}));
        assert_eq!(retire["security"], json!([{"jwt": ["operator"]}]));
    }
}
