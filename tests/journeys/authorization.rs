//! Who gets what: every route of `openapi.json` with every kind of caller. A new route is in it by itself, and counts as
//! one for operators only until it is named in [`OPEN_TO_ALL`].

use loam_kit::{Answer, Api, Person, Stack, unique_thing};
use serde_json::Value;

/// Routes that take anybody with a token, and decide by what the caller may do: `METHOD /path`.
const OPEN_TO_ALL: [&str; 1] = ["POST /v1/things/{thing}/methods/{method}"];

/// Routes that take signed requests alone: whoever brings a token is nobody there.
const SIGNED: [&str; 1] = ["GET /invoke"];

/// One route with its variable parts filled in, by what does not exist.
struct Route {
    method: String,
    template: String,
    path: String,
}

impl Route {
    fn key(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

fn routes() -> Vec<Route> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let paths = document.get("paths").and_then(Value::as_object).unwrap();
    let routes = paths.iter().flat_map(|(template, item)| {
        item.as_object().unwrap().keys().map(|method| Route {
            method: method.to_uppercase(),
            template: template.clone(),
            path: filled(template),
        })
    });
    routes.collect()
}

fn filled(template: &str) -> String {
    let part = |part: &str| match part {
        "{caId}" => "0".repeat(64),
        "{list}" => "allow".to_owned(),
        "{kind}" => "name".to_owned(),
        part if part.starts_with('{') => unique_thing("nobody").to_string(),
        part => part.to_owned(),
    };
    template.split('/').map(part).collect::<Vec<_>>().join("/")
}

struct Callers {
    nobody: Api,
    malformed: Api,
    cut: Api,
    user: Api,
    co_operator: Api,
    operators: [Api; 2],
}

impl Callers {
    async fn new(stack: &Stack) -> Self {
        let api = |token: &str| Api::new(stack, Some(token));
        let operator = Person::operator(stack).await;
        let co_operator = Person::of(stack, "co-operator", &["co-operators"]).await;
        Self {
            nobody: Api::new(stack, None),
            malformed: api("not.a.token"),
            cut: api(operator.token.get(..operator.token.len() - 4).unwrap()),
            user: api(&Person::user(stack).await.token),
            co_operator: api(&co_operator.token),
            operators: [api(&operator.token), api(&operator.id_token)],
        }
    }
}

/// What is wrong with the answers to one route's callers.
async fn wrong(callers: &Callers, route: &Route, stage: &str) -> Vec<String> {
    let path = format!("{stage}{}", route.path);
    let ask = async |api: &Api| api.send(&route.method, &path, &[], None).await;
    let mut wrong = Vec::new();
    let mut expect = |who: &str, answer: Answer, good: &dyn Fn(&Answer) -> bool| {
        if !good(&answer) {
            wrong.push(format!("{} {stage} {who}: {} {}", route.key(), answer.status, answer.body));
        }
    };
    if SIGNED.contains(&route.key().as_str()) {
        for (who, api) in [("nobody", &callers.nobody), ("user", &callers.user), ("operator", &callers.operators[0])] {
            expect(who, ask(api).await, &|answer| answer.status == 403);
        }
        return wrong;
    }
    for (who, api) in [("nobody", &callers.nobody), ("malformed", &callers.malformed), ("cut", &callers.cut)] {
        // The gateway's own words.
        expect(who, ask(api).await, &|answer| {
            answer.status == 401 && answer.json().get("message").is_some_and(|message| message == "Unauthorized")
        });
    }
    let open = OPEN_TO_ALL.contains(&route.key().as_str());
    for (who, api) in [("user", &callers.user), ("co-operator", &callers.co_operator)] {
        let refused = |answer: &Answer| answer.status == 403 && answer.code() == "operators-only";
        expect(who, ask(api).await, &|answer| if open { passed(answer) } else { refused(answer) });
    }
    for api in &callers.operators {
        expect("operator", ask(api).await, &passed);
    }
    wrong
}

/// Let in: answered, or refused for what was asked and not for who asked.
fn passed(answer: &Answer) -> bool {
    let refused = matches!(answer.status, 400 | 404 | 409 | 412 | 413 | 415 | 428) && !answer.code().is_empty();
    (matches!(answer.status, 200..=299) || refused) && answer.code() != "no-such-route"
}

#[tokio::test]
async fn every_route_answers_every_kind_of_caller_as_it_should() {
    let stack = Stack::deployed();
    let callers = Callers::new(&stack).await;
    let routes = routes();
    let mut mistakes = Vec::new();
    for route in &routes {
        for stage in ["", "/Prod"] {
            mistakes.extend(wrong(&callers, route, stage).await);
        }
    }
    assert!(mistakes.is_empty(), "{} routes: {mistakes:#?}", routes.len());
    let unknown: Vec<_> = OPEN_TO_ALL.iter().filter(|open| !routes.iter().any(|route| route.key() == **open)).collect();
    assert!(unknown.is_empty(), "no such routes: {unknown:?}");
}

#[tokio::test]
async fn what_is_no_route_is_the_same_404_for_everybody() {
    let stack = Stack::deployed();
    let callers = Callers::new(&stack).await;
    let known = callers.nobody.get("/v1/no/such/route").await;
    // The route `$default` is OnboardingApi's; without it the gateway answers with its own words.
    let ours = stack.functions.contains_key("OnboardingApi");
    assert_eq!((known.status, known.code().as_str()), (404, if ours { "no-such-route" } else { "" }));
    assert_eq!(known.header("content-type"), if ours { "application/problem+json" } else { "application/json" });
    for api in [&callers.malformed, &callers.user, &callers.operators[0]] {
        for (method, path) in [("GET", "/"), ("PUT", "/v1/things"), ("PATCH", "/Prod/v1/no"), ("GET", "/v1//things")] {
            let answer = api.send(method, path, &[], None).await;
            assert_eq!((answer.status, &answer.body), (404, &known.body), "{method} {path}");
        }
    }
}
