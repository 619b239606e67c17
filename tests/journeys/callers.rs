//! Everybody who may come to a route.

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::ThingName;
use loam_kit::{Api, Person, Stack, claims, end_membership, seed_membership, signed_token, unique_thing};
use serde_json::{Map, Value, json};

use crate::routes::Role;

/// What somebody is to the thing of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Has no token that is good.
    Nobody,
    /// Has a token and nothing else.
    Stranger,
    /// Was an owner, and is no more.
    Former,
    /// Was an owner before the present one.
    OfEarlierEpoch,
    /// Has a role.
    Member(Role),
    /// Is responsible for the fleet.
    Operator,
}

/// Somebody.
pub(crate) struct Caller {
    pub(crate) name: &'static str,
    pub(crate) api: Api,
    pub(crate) standing: Standing,
    sub: String,
}

impl Caller {
    /// Makes the caller to `thing` what they are.
    pub(crate) async fn stand(&self, stack: &Stack, thing: &ThingName) {
        match self.standing {
            Standing::Nobody | Standing::Stranger | Standing::Operator => {}
            Standing::Former => {
                seed_membership(stack, &self.sub, thing, "owner", 1).await;
                end_membership(stack, &self.sub, thing).await;
            }
            Standing::OfEarlierEpoch => seed_membership(stack, &self.sub, thing, "owner", 0).await,
            Standing::Member(role) => {
                seed_membership(stack, &self.sub, thing, role.word(), 1).await;
                self.seed_tenancy(stack, thing, role).await;
            }
        }
    }

    /// The tenancy that goes with the membership: the caller, and an owner if they are none.
    async fn seed_tenancy(&self, stack: &Stack, thing: &ThingName, role: Role) {
        let member = |role: Role| json!({"role": role.word(), "since": 0, "by": null, "mail": false});
        let mut members = Map::from_iter([("an-owner".to_owned(), member(Role::Owner))]);
        if role == Role::Owner {
            members.clear();
        }
        members.insert(self.sub.clone(), member(role));
        let tenancy = json!({
            "version": 1, "epoch": 1, "standing": {"state": "paired"}, "since": 0, "updatedAt": 0, "members": members,
            "invitations": {}, "offer": null, "lastEnd": null,
        });
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = aws_sdk_dynamodb::Client::new(&stack.admin().await).put_item();
        let put = put.table_name(&stack.resources["PairingsTable"]).item("thing", text(thing.as_str()));
        let put = put.item("item", text("tenancy")).item("version", AttributeValue::N("1".to_owned()));
        put.item("row", text(&tenancy.to_string())).send().await.unwrap();
    }
}

/// All of them.
pub(crate) async fn callers(stack: &Stack) -> Vec<Caller> {
    let [operator, user] = [Person::operator(stack).await, Person::user(stack).await];
    let mut callers = Vec::new();
    for (name, token) in bad_tokens(stack, &operator).await {
        let api = Api::new(stack, token.as_deref());
        callers.push(Caller { name, api, standing: Standing::Nobody, sub: String::new() });
    }
    for (name, groups, standing) in KINDS {
        // Whoever signs in is told apart by these two claims alone.
        let mut told = claims(&user.token);
        told.insert("sub".to_owned(), json!(unique_thing("sub")));
        told.insert("cognito:groups".to_owned(), json!(groups));
        callers.push(Caller::new(stack, name, &told, standing).await);
    }
    for (name, token, standing) in [
        ("a user", &user.token, Standing::Stranger),
        ("a user by id token", &user.id_token, Standing::Stranger),
        ("an operator", &operator.token, Standing::Operator),
        ("an operator by id token", &operator.id_token, Standing::Operator),
    ] {
        callers.push(Caller { name, api: Api::new(stack, Some(token)), standing, sub: String::new() });
    }
    callers
}

/// Whose tokens claim which groups.
const KINDS: [(&str, &[&str], Standing); 9] = [
    ("a viewer", &[], Standing::Member(Role::Viewer)),
    ("a controller", &[], Standing::Member(Role::Controller)),
    ("an owner", &[], Standing::Member(Role::Owner)),
    ("a former owner", &[], Standing::Former),
    ("an owner of an earlier epoch", &[], Standing::OfEarlierEpoch),
    ("in not-operators", &["not-operators"], Standing::Stranger),
    ("in two groups like it", &["not-operators", "operators2"], Standing::Stranger),
    ("a viewer in a group like it", &["Operators"], Standing::Member(Role::Viewer)),
    ("an operator in two groups", &["not-operators", "operators"], Standing::Operator),
];

impl Caller {
    async fn new(stack: &Stack, name: &'static str, told: &Map<String, Value>, standing: Standing) -> Self {
        let api = Api::new(stack, Some(&signed_token(stack, told).await));
        let sub = told.get("sub").and_then(Value::as_str).unwrap().to_owned();
        Self { name, api, standing, sub }
    }
}

/// An operator's token, spoilt in every way; all but the first four have a good signature of the pool.
async fn bad_tokens(stack: &Stack, operator: &Person) -> Vec<(&'static str, Option<String>)> {
    let (access, id) = (claims(&operator.token), claims(&operator.id_token));
    let now = access["iat"].as_i64().unwrap();
    let with = async |claims: &Map<String, Value>, name: &str, value: Value| {
        let mut claims = claims.clone();
        claims.insert(name.to_owned(), value);
        Some(signed_token(stack, &claims).await)
    };
    let parts: Vec<&str> = operator.token.split('.').collect();
    vec![
        ("without a token", None),
        ("with garbage", Some("not.a.token".to_owned())),
        ("with a cut signature", Some(operator.token[..operator.token.len() - 4].to_owned())),
        (
            "with another token's claims",
            Some([parts[0], operator.id_token.split('.').nth(1).unwrap(), parts[2]].join(".")),
        ),
        ("with an expired access token", with(&access, "exp", json!(now - 1)).await),
        ("with an expired id token", with(&id, "exp", json!(now - 1)).await),
        ("with an access token of another client", with(&access, "client_id", json!("another")).await),
        ("with an id token of another client", with(&id, "aud", json!("another")).await),
        (
            "with a token of another pool",
            with(&access, "iss", json!("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other")).await,
        ),
        ("with a token that is not good yet", with(&access, "nbf", json!(now + 3600)).await),
    ]
}
