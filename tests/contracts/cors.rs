//! Browsers get at all that the API takes and answers, from the origins that the stack allows, and by default from none.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::template::{found, repository, written};

fn words(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_lowercase()).collect()
}

/// The names of all headers that the document's operations take or answer.
fn headers(document: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let (mut taken, mut told) = (BTreeSet::new(), BTreeSet::new());
    for operation in operations {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let names =
            parameters.filter(|each| each["in"] == "header").map(|each| each["name"].as_str().unwrap().to_lowercase());
        taken.extend(names);
        for response in operation["responses"].as_object().unwrap().values() {
            told.extend(response["headers"].as_object().into_iter().flatten().map(|(name, _)| name.to_lowercase()));
        }
    }
    (taken, told)
}

#[test]
fn no_origin_is_allowed_unless_the_parameter_says_so() {
    let parameter = &written()["Parameters"]["CorsOrigins"];
    assert_eq!((&parameter["Type"], &parameter["Default"]), (&json!("CommaDelimitedList"), &json!("")));
    let api = found("AWS::ApiGatewayV2::Api").remove(0);
    let cors = &api.at("/CorsConfiguration")["Fn::If"];
    assert_eq!((&cors[0], &cors[2]), (&json!("HasCorsOrigins"), &json!({"Ref": "AWS::NoValue"})));
    assert_eq!(cors[1]["AllowOrigins"], json!({"Ref": "CorsOrigins"}));
    assert_eq!(cors[1].get("AllowCredentials"), None, "with cookies every allowed origin could act as its visitor");
}

#[test]
fn what_the_api_takes_and_answers_passes_a_browser() {
    let api = found("AWS::ApiGatewayV2::Api").remove(0);
    let cors = &api.at("/CorsConfiguration")["Fn::If"][1];
    let routes = found("AWS::ApiGatewayV2::Route").into_iter().map(|route| route.text("/RouteKey"));
    let methods: BTreeSet<_> = routes.filter_map(|key| Some(key.split_once(' ')?.0.to_lowercase())).collect();
    assert_eq!(words(&cors["AllowMethods"]), methods);
    let document = std::fs::read_to_string(repository().join("openapi.json")).unwrap();
    let (taken, told) = headers(&serde_json::from_str(&document).unwrap());
    let always = ["authorization", "content-type"].map(str::to_owned);
    let allowed = words(&cors["AllowHeaders"]);
    assert!(taken.iter().chain(&always).all(|name| allowed.contains(name)), "{taken:?} in {allowed:?}");
    let exposed = words(&cors["ExposeHeaders"]);
    assert!(
        told.iter().chain(&["retry-after".to_owned()]).all(|name| exposed.contains(name)),
        "{told:?} in {exposed:?}"
    );
}
