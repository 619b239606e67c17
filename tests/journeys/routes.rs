//! The routes, as `openapi.json` describes them, and requests for them.

use loam_kit::unique_thing;
use serde_json::{Map, Value, json};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Operators alone.
    Operator,
    /// Who has this role or more on the thing of the path, and operators.
    Member(Role),
    /// Everybody with a token.
    SignedIn,
    /// Requests that are signed with SigV4.
    Signed,
}

/// A role on a thing, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Viewer,
    Controller,
    Owner,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Viewer, Self::Controller, Self::Owner];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Controller => "controller",
            Self::Owner => "owner",
        }
    }
}

/// One route.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) template: String,
    pub(crate) rule: Rule,
    /// What the document calls the operation.
    pub(crate) id: String,
    /// The least body that the schema takes; none where the route reads none.
    pub(crate) body: Option<Value>,
    parameters: Vec<Value>,
}

/// All routes.
pub(crate) fn routes() -> Vec<Route> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(template, item): (&String, &Value)| {
        let routes = item.as_object().unwrap().iter();
        routes.map(|(method, operation)| Route::of(&document, method, template, operation)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

impl Route {
    fn of(document: &Value, method: &str, template: &str, operation: &Value) -> Self {
        let key = format!("{method} {template}");
        let resolved = |parameter: &Value| {
            let mut parameter = parameter.clone();
            parameter["schema"] = followed(document, &parameter["schema"]).clone();
            parameter
        };
        Self {
            method: method.to_uppercase(),
            template: template.to_owned(),
            rule: rule(&key, &operation["security"]),
            id: operation["operationId"].as_str().unwrap().to_owned(),
            body: operation.pointer("/requestBody/content/application~1json/schema").map(|of| least(document, of)),
            parameters: operation["parameters"].as_array().into_iter().flatten().map(resolved).collect(),
        }
    }

    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    /// Whether a thing's name is part of the path.
    pub(crate) fn has_thing(&self) -> bool {
        self.template.contains("{thing}") || self.template.contains("{scope}")
    }

    /// Whether anybody's id is part of the path.
    pub(crate) fn has_id(&self) -> bool {
        self.template.contains('{')
    }

    /// The path with `thing` where a thing is named, and ids of nothing elsewhere; with what must be in the query.
    pub(crate) fn path(&self, thing: &str) -> String {
        let part = |part: &str| match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some("thing") => thing.to_owned(),
            // The scope that others than operators may ask for.
            Some("scope") => format!("thing:{thing}"),
            Some(name) => self.filling(name),
            None => part.to_owned(),
        };
        let path = self.template.split('/').map(part).collect::<Vec<_>>().join("/");
        let needed = self.parameters.iter().filter(|each| each["in"] == "query" && each["required"] == true);
        let query: Vec<_> = needed
            .map(|each| {
                let name = each["name"].as_str().unwrap();
                format!("{name}={}", self.filling(name))
            })
            .collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    /// Something that a parameter may be.
    fn filling(&self, name: &str) -> String {
        let parameter = self.parameters.iter().find(|each| each["name"] == name);
        let schema = parameter.map(|parameter| &parameter["schema"]).unwrap_or(&Value::Null);
        let example = parameter.map(|parameter| &parameter["example"]).and_then(Value::as_str);
        let choice = schema["enum"].as_array().and_then(|all| all.first()).and_then(Value::as_str);
        match example.or(choice) {
            Some(text) => text.to_owned(),
            None if schema["pattern"] == "^[0-9a-f]{64}$" => "0".repeat(64),
            None => unique_thing("nobody").to_string(),
        }
    }

    /// Whether the route reads this header.
    pub(crate) fn takes(&self, header: &str) -> bool {
        self.parameters.iter().any(|each| each["in"] == "header" && each["name"] == header)
    }

    /// The texts that the query takes beside what it must have.
    pub(crate) fn filters(&self) -> Vec<&str> {
        let texts = self.parameters.iter().filter(|each| each["in"] == "query");
        texts.filter_map(|each| each["name"].as_str()).filter(|name| *name != "cursor").collect()
    }
}

fn rule(key: &str, security: &Value) -> Rule {
    let said = |requirement: Value| *security == json!([requirement]);
    let role = Role::ALL.into_iter().find(|role| said(json!({"jwt": [role.word()]})));
    match role {
        Some(role) => Rule::Member(role),
        None if said(json!({"jwt": ["operator"]})) => Rule::Operator,
        None if said(json!({"jwt": []})) => Rule::SignedIn,
        None if said(json!({"sigv4": []})) => Rule::Signed,
        None => panic!("{key}: nobody knows who may call it: {security}"),
    }
}

fn followed<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    let found = schema["$ref"].as_str().and_then(|path| document.pointer(path.trim_start_matches('#')));
    found.unwrap_or(schema)
}

/// The least value of a schema.
fn least(document: &Value, schema: &Value) -> Value {
    let schema = followed(document, schema);
    if let Some(first) = ["oneOf", "anyOf", "enum"].iter().find_map(|word| schema[*word].as_array()?.first()) {
        return if first.is_object() { least(document, first) } else { first.clone() };
    }
    let kind = schema["type"].as_array().and_then(|all| all.first()).unwrap_or(&schema["type"]);
    match kind.as_str().unwrap_or_default() {
        "object" => {
            let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let field = |name: &str| (name.to_owned(), least(document, &schema["properties"][name]));
            Value::Object(needed.map(field).collect::<Map<_, _>>())
        }
        "array" => json!([]),
        "string" => json!("a"),
        "boolean" => json!(true),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        _ => Value::Null,
    }
}
