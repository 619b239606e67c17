//! Who may call which route: the one table of it. A route that is not in it, and a line that is no route, fail here; whether
//! the code does what the table says is asked of the deployed stack, by the journeys in `authorization.rs`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Those responsible for the fleet.
    Operator,
    /// Who owns the thing of the path. An operator is nobody's owner.
    Owner,
    /// Who controls the thing of the path, and operators.
    Controller,
    /// Who sees the thing of the path, and operators.
    Viewer,
    /// Everybody with a token; the answer depends on what they may know of.
    SignedIn,
    /// A request signed with SigV4 by whom IAM lets invoke it.
    Signed,
}

/// Every route, in the order of its path.
const ROLES: &[(&str, Who)] = &[
    ("GET /invoke", Who::Signed),
    ("GET /v1/alert-rules", Who::Operator),
    // Of a thing's own scope. All other scopes are for operators.
    ("DELETE /v1/alert-rules/{scope}", Who::Controller),
    ("GET /v1/alert-rules/{scope}", Who::Viewer),
    ("PUT /v1/alert-rules/{scope}", Who::Controller),
    ("GET /v1/ca-profiles", Who::Operator),
    ("DELETE /v1/ca-profiles/{caId}", Who::Operator),
    ("GET /v1/ca-profiles/{caId}", Who::Operator),
    ("PUT /v1/ca-profiles/{caId}", Who::Operator),
    ("GET /v1/ca-profiles/{caId}/entries", Who::Operator),
    ("DELETE /v1/ca-profiles/{caId}/{list}/{kind}/{value}", Who::Operator),
    ("PUT /v1/ca-profiles/{caId}/{list}/{kind}/{value}", Who::Operator),
    // An order for many things: of those that the caller may command. One command: who controls its thing.
    ("POST /v1/commands", Who::SignedIn),
    ("DELETE /v1/commands/{id}", Who::SignedIn),
    ("GET /v1/commands/{id}", Who::SignedIn),
    ("GET /v1/commands/{id}/recipients", Who::SignedIn),
    ("POST /v1/credentials", Who::SignedIn),
    // Of a transfer: who controls its thing.
    ("DELETE /v1/files/{id}", Who::SignedIn),
    ("GET /v1/files/{id}", Who::SignedIn),
    ("POST /v1/files/{id}/complete", Who::SignedIn),
    ("POST /v1/files/{id}/refresh", Who::SignedIn),
    ("DELETE /v1/groups/{group}", Who::Operator),
    ("GET /v1/groups/{group}", Who::Operator),
    ("PUT /v1/groups/{group}", Who::Operator),
    ("DELETE /v1/groups/{group}/things/{thing}", Who::Operator),
    ("PUT /v1/groups/{group}/things/{thing}", Who::Operator),
    // Its owner, whoever the thing of the id belongs to; everybody else hears of no such id.
    ("DELETE /v1/invitations/{id}", Who::SignedIn),
    ("POST /v1/invitations/{id}/accept", Who::SignedIn),
    ("POST /v1/jitr/evaluate", Who::Operator),
    ("GET /v1/pairings", Who::SignedIn),
    ("POST /v1/pairings", Who::SignedIn),
    ("POST /v1/pairings/{id}/confirm", Who::SignedIn),
    ("GET /v1/releases", Who::Operator),
    ("POST /v1/releases/{id}/deprecate", Who::Operator),
    ("POST /v1/releases/{id}/publish", Who::Operator),
    ("GET /v1/rollouts", Who::Operator),
    ("POST /v1/rollouts", Who::Operator),
    ("GET /v1/rollouts/{id}", Who::Operator),
    ("POST /v1/rollouts/{id}/approve", Who::Operator),
    ("POST /v1/rollouts/{id}/pause", Who::Operator),
    ("POST /v1/rollouts/{id}/resume", Who::Operator),
    ("POST /v1/rollouts/{id}/retry", Who::Operator),
    ("POST /v1/rollouts/{id}/rollback", Who::Operator),
    ("POST /v1/rollouts/{id}/start", Who::Operator),
    ("POST /v1/rollouts/{id}/stop", Who::Operator),
    ("GET /v1/rollouts/{id}/things", Who::Operator),
    ("GET /v1/things", Who::SignedIn),
    ("DELETE /v1/things/{thing}", Who::Operator),
    ("GET /v1/things/{thing}", Who::Viewer),
    ("PATCH /v1/things/{thing}", Who::Controller),
    ("GET /v1/things/{thing}/alerts", Who::Viewer),
    ("POST /v1/things/{thing}/alerts/{episode}/acknowledge", Who::Controller),
    ("POST /v1/things/{thing}/alerts/{episode}/snooze", Who::Controller),
    ("DELETE /v1/things/{thing}/claim-code", Who::Operator),
    ("PUT /v1/things/{thing}/claim-code", Who::Operator),
    ("GET /v1/things/{thing}/commands", Who::Controller),
    ("POST /v1/things/{thing}/commands", Who::Controller),
    ("GET /v1/things/{thing}/files", Who::Controller),
    ("POST /v1/things/{thing}/files", Who::Controller),
    ("POST /v1/things/{thing}/invitations", Who::Owner),
    ("GET /v1/things/{thing}/lifecycle", Who::Operator),
    ("PUT /v1/things/{thing}/mail", Who::Viewer),
    ("GET /v1/things/{thing}/members", Who::Viewer),
    // Everybody may their own.
    ("DELETE /v1/things/{thing}/members/{user}", Who::Owner),
    ("POST /v1/things/{thing}/methods/{method}", Who::Controller),
    // Its owner, whoever is promised it, and operators: also whose it was, so that a repeat is told that it is done.
    ("DELETE /v1/things/{thing}/pairing", Who::SignedIn),
    ("GET /v1/things/{thing}/presence", Who::Viewer),
    ("GET /v1/things/{thing}/presence/history", Who::Viewer),
    ("POST /v1/things/{thing}/revoke", Who::Operator),
    ("GET /v1/things/{thing}/state", Who::Viewer),
    ("PATCH /v1/things/{thing}/state", Who::Controller),
    ("GET /v1/things/{thing}/telemetry", Who::Viewer),
    ("GET /v1/things/{thing}/telemetry/latest", Who::Viewer),
    ("POST /v1/things/{thing}/transfers-of-ownership", Who::Owner),
    ("DELETE /v1/transfers-of-ownership/{id}", Who::SignedIn),
    ("POST /v1/transfers-of-ownership/{id}/accept", Who::SignedIn),
];

impl Who {
    /// As `security` of an operation: OpenAPI 3.1 lets a bearer's scheme name the roles that it takes.
    pub(crate) fn requirement(self) -> Value {
        match self {
            Self::Operator => json!([{"jwt": ["operator"]}]),
            Self::Owner => json!([{"jwt": ["owner"]}]),
            Self::Controller => json!([{"jwt": ["controller"]}]),
            Self::Viewer => json!([{"jwt": ["viewer"]}]),
            Self::SignedIn => json!([{"jwt": []}]),
            Self::Signed => json!([{"sigv4": []}]),
        }
    }
}

/// Who may call this route; `None` if nobody has said.
pub(crate) fn who(key: &str) -> Option<Who> {
    ROLES.iter().find(|(route, _)| *route == key).map(|(_, who)| *who)
}

/// What is wrong with the table, given all routes.
pub(crate) fn mistakes<'k>(routes: impl Iterator<Item = &'k String>) -> BTreeSet<String> {
    let routes: BTreeSet<&str> = routes.map(String::as_str).collect();
    let unsaid =
        routes.iter().filter(|key| who(key).is_none()).map(|key| format!("{key}: who may call it is not said"));
    let gone = ROLES.iter().map(|(key, _)| *key).filter(|key| !routes.contains(key));
    let mut mistakes: BTreeSet<_> = unsaid.chain(gone.map(|key| format!("{key}: is no route"))).collect();
    let twice = ROLES.iter().enumerate().filter(|(at, (key, _))| ROLES.iter().take(*at).any(|(other, _)| other == key));
    mistakes.extend(twice.map(|(_, (key, _))| format!("{key}: said twice")));
    mistakes
}

#[test]
fn a_route_that_nobody_has_spoken_of_is_named_and_so_is_a_line_that_is_no_route() {
    let all: Vec<String> = ROLES.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert!(mistakes(all.iter()).is_empty());
    let new = "GET /v1/new".to_owned();
    let found = mistakes(all.iter().skip(1).chain([&new]));
    assert_eq!(
        found,
        BTreeSet::from(["GET /invoke: is no route".into(), "GET /v1/new: who may call it is not said".into()])
    );
}
