//! What apps want over their live connection: the inbound half of their mailboxes.
//!
//! The broker lets an app publish below its own identity only. Whose identity that is, and whether that person may, is asked
//! anew for every message, as over HTTP.

use aws_config::SdkConfig;
use aws_sdk_iotdataplane::primitives::Blob;
use loam_access::{Access, Grant, Identities, Role};
use loam_domain::Timestamp;
use loam_http::{Caller, Problem};
use loam_things::Things;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::Config;
use crate::desire::Desired;
use crate::desired::{BadPatch, Patch};
use crate::error::CommandsFailure;
use crate::event::Wished;
use crate::mailbox::{MOST_REQUEST_ID_BYTES, What, Wish};
use crate::order::Order;
use crate::place::{MOST_OPEN, Orders, Placed, Wanted};
use crate::shadows::Shadows;
use crate::store::Store;

/// A wish that is older than this is told so, and not carried out: whoever had it has given up by then. In milliseconds.
const OLDEST_MILLIS: i64 = 300_000;

/// The inbound half.
#[derive(Debug, Clone)]
pub(crate) struct Inbound {
    access: Access,
    identities: Identities,
    orders: Orders,
    shadows: Shadows,
    data: aws_sdk_iotdataplane::Client,
}

/// Why a wish is not fulfilled.
struct Refusal {
    code: &'static str,
    detail: String,
    more: Option<(&'static str, Value)>,
}

impl Inbound {
    pub(crate) fn new(sdk: &SdkConfig, config: &Config, store: Store, things: Things) -> Self {
        Self {
            access: Access::new(sdk, config.memberships_table.clone(), things.clone()),
            identities: Identities::new(sdk, config.pairings_table.clone()),
            orders: Orders::new(store, things),
            shadows: Shadows::new(sdk),
            data: aws_sdk_iotdataplane::Client::new(sdk),
        }
    }

    /// Fulfils a wish or does not, and tells the app which. A repeat of the message comes to the same.
    pub(crate) async fn deal_with(&self, wished: &Wished, now: Timestamp) -> Result<(), CommandsFailure> {
        let address = &wished.address;
        let (id, outcome) = match address.wish(&wished.payload) {
            Ok(wish) => {
                let outcome = Box::pin(self.fulfil(wished, &wish, now)).await?;
                (Some(wish.request_id), outcome)
            }
            Err(bad) => (request_id(&wished.payload), Err(refusal(bad.code(), bad.to_string()))),
        };
        let (accepted, code) = (outcome.is_ok(), outcome.as_ref().err().map_or("", |refusal| refusal.code));
        let answer = answer(id, outcome);
        let publish = self.data.publish().topic(address.answer_topic(accepted)).qos(1).content_type("application/json");
        let publish = publish.payload(Blob::new(answer.to_string())).send().await;
        publish.map_err(|error| CommandsFailure::NotAnswered(Box::new(error)))?;
        metrics::counter!("Wishes").increment(1);
        tracing::info!(thing.name = address.thing.as_str(), code, "wish answered");
        Ok(())
    }

    async fn fulfil(
        &self,
        wished: &Wished,
        wish: &Wish,
        now: Timestamp,
    ) -> Result<Result<Value, Refusal>, CommandsFailure> {
        if now.millis_since(wished.received_at) > OLDEST_MILLIS {
            return Ok(Err(refusal("too-late", format!("it took more than {} s to get here", OLDEST_MILLIS / 1_000))));
        }
        let grant = match self.grant(wished).await? {
            Ok(grant) => grant,
            Err(refused) => return Ok(Err(refused)),
        };
        match &wish.what {
            What::Desired { patch, version } => self.desire(&grant, patch, *version).await,
            What::Command(order) => self.order(&grant, wished, wish, order.clone()).await,
        }
    }

    /// As what the person behind the identity may act; groups are not known here, so that it is as a member always.
    async fn grant(&self, wished: &Wished) -> Result<Result<Grant, Refusal>, CommandsFailure> {
        let unknown = || {
            let problem = Problem::no_such_thing();
            refusal(problem.code(), "there is no such thing")
        };
        let Some(sub) = self.identities.person(&wished.address.identity).await? else { return Ok(Err(unknown())) };
        let caller = Caller { sub, groups: vec![] };
        let Some(grant) = self.access.of(&caller, &wished.address.thing).await? else { return Ok(Err(unknown())) };
        let detail = "this takes the role controller or more on the thing; ask its owner";
        Ok(grant.require(Role::Controller).map_err(|problem| refusal(problem.code(), detail)))
    }

    async fn desire(
        &self,
        grant: &Grant,
        patch: &Patch,
        version: Option<u64>,
    ) -> Result<Result<Value, Refusal>, CommandsFailure> {
        Ok(match self.shadows.change(grant.thing(), patch, version).await? {
            Desired::Yes { version } => Ok(json!({ "version": version })),
            Desired::Conflict { version } => {
                let conflict = refusal("version-conflict", "the state was changed meanwhile; read it again");
                Err(Refusal { more: Some(("version", json!(version))), ..conflict })
            }
            Desired::TooLarge => Err(refusal(too_large(), "the state would be larger than a shadow may be")),
            Desired::Refused => Err(refusal("desired-state-refused", "AWS IoT takes no such state")),
        })
    }

    async fn order(
        &self,
        grant: &Grant,
        wished: &Wished,
        wish: &Wish,
        order: Order,
    ) -> Result<Result<Value, Refusal>, CommandsFailure> {
        let mark = mark(wished, &wish.request_id);
        let (record, by, at) = (&grant.record, grant.caller.sub.as_str(), wished.received_at);
        Ok(match self.orders.place(Wanted { record, by, order, at, mark: Some(&mark) }).await? {
            Placed::Yes(command) => Ok(json!({"id": command.id, "state": "queued", "expiresAt": command.expires_at})),
            Placed::TooMany => Err(refusal("too-many-commands", format!("the thing has {MOST_OPEN} open commands"))),
            Placed::Ended => Err(refusal("thing-retires", "the thing takes no commands any more")),
        })
    }
}

const fn too_large() -> &'static str {
    BadPatch::TooLarge { bytes: 0 }.code()
}

fn refusal(code: &'static str, detail: impl Into<String>) -> Refusal {
    Refusal { code, detail: detail.into(), more: None }
}

/// What the app hears, under its own name for it.
fn answer(id: Option<String>, outcome: Result<Value, Refusal>) -> Value {
    let mut answer = match outcome {
        Ok(answer) => answer,
        Err(Refusal { code, detail, more }) => {
            let mut answer = json!({"code": code, "detail": detail});
            if let (Some((name, value)), Some(fields)) = (more, answer.as_object_mut()) {
                fields.insert(name.to_owned(), value);
            }
            answer
        }
    };
    if let (Some(id), Some(fields)) = (id, answer.as_object_mut()) {
        fields.insert("requestId".to_owned(), json!(id));
    }
    answer
}

/// What the app calls a wish that is none, if that much can be read.
fn request_id(payload: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    let id = value.get("requestId")?.as_str()?;
    (1..=MOST_REQUEST_ID_BYTES).contains(&id.len()).then(|| id.to_owned())
}

/// A text that the same wish has again, and no other: identity, thing and the app's name for it.
fn mark(wished: &Wished, request_id: &str) -> String {
    let (identity, thing) = (&wished.address.identity, &wished.address.thing);
    let text = format!("{identity}\n{thing}\n{request_id}");
    let digest = digest(&SHA256, text.as_bytes());
    format!("mailbox-{}", digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::Address;

    fn wished(topic: &str) -> Wished {
        let address = Address::parse(topic).unwrap();
        Wished { address, payload: vec![], received_at: Timestamp::from_millis(0) }
    }

    #[test]
    fn the_same_wish_has_the_same_mark_and_another_has_not() {
        let one = wished("loam/users/i1/things/t1/commands/request");
        assert_eq!(mark(&one, "r"), mark(&one, "r"));
        assert_ne!(mark(&one, "r"), mark(&one, "s"));
        assert_ne!(mark(&one, "r"), mark(&wished("loam/users/i2/things/t1/commands/request"), "r"));
    }

    #[test]
    fn an_app_hears_its_own_name_for_a_wish_also_where_it_is_none() {
        assert_eq!(request_id(br#"{"requestId":"r","x":1}"#).as_deref(), Some("r"));
        assert_eq!(request_id(br#"{"requestId":7}"#), None);
        assert_eq!(request_id(b"\xff"), None);
        let told = answer(Some("r".to_owned()), Err(refusal("invalid-ttl", "d")));
        assert_eq!(told, json!({"requestId": "r", "code": "invalid-ttl", "detail": "d"}));
    }
}
