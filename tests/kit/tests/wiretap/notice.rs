//! A small handler in a right form and in wrong ones: it records that a notice is due, publishes it, records it as sent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use loam_kit::wiretap::Scenario;

use crate::clients;
use crate::upstream::Held;

/// How the handler is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A record of a due notice does not keep it from being published.
    Right,
    /// Takes a record for a publication: a crash between the two loses the notice.
    TrustsItsRecord,
    /// Reports success although it could not publish.
    SwallowsErrors,
}

pub(crate) struct Notices {
    pub(crate) form: Form,
    pub(crate) upstream: Arc<Mutex<Held>>,
    worlds: AtomicUsize,
}

pub(crate) struct World {
    name: String,
    items: aws_sdk_dynamodb::Client,
    topics: aws_sdk_sns::Client,
}

impl Notices {
    pub(crate) fn new(form: Form, upstream: Arc<Mutex<Held>>) -> Self {
        Self { form, upstream, worlds: AtomicUsize::new(0) }
    }
}

impl World {
    /// `Ok(false)` when the item was there already.
    async fn put(&self, state: &str, only_new: bool) -> Result<bool, String> {
        let put = self.items.put_item().table_name(&self.name).item("id", AttributeValue::S("1".into()));
        let put = put.item("state", AttributeValue::S(state.into()));
        let put = if only_new { put.condition_expression("attribute_not_exists(id)") } else { put };
        match put.send().await.map_err(|error| error.into_service_error()) {
            Ok(_) => Ok(true),
            Err(error) if error.is_conditional_check_failed_exception() => Ok(false),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    async fn publish(&self) -> Result<(), String> {
        let topic = format!("arn:aws:sns:us-east-1:000000000000:{}", self.name);
        let sent = self.topics.publish().topic_arn(topic).message("dry").send().await;
        sent.map(|_| ()).map_err(|error| format!("{error:?}"))
    }
}

impl Scenario for Notices {
    type World = World;
    type State = (Option<String>, bool);
    type Error = String;

    fn name(&self) -> &str {
        "a notice"
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let name = format!("world-{}", self.worlds.fetch_add(1, Ordering::Relaxed));
        Ok(World { name, items: clients::dynamodb(endpoint), topics: clients::sns(endpoint) })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let new = world.put("due", true).await?;
        if self.form == Form::TrustsItsRecord && !new {
            return Ok(());
        }
        match (world.publish().await, self.form) {
            (Err(_), Form::SwallowsErrors) => return Ok(()),
            (published, _) => published?,
        }
        world.put("sent", false).await.map(|_| ())
    }

    async fn state(&self, world: &World) -> Result<Self::State, String> {
        let held = self.upstream.lock().unwrap();
        let name = serde_json::Value::from(world.name.as_str()).to_string();
        let item = held.items.iter().find(|((table, _), _)| *table == name);
        let state = item.and_then(|(_, item)| item["state"]["S"].as_str().map(str::to_owned));
        let published = held.notices.iter().any(|(topic, _)| topic.ends_with(&format!(":{}", world.name)));
        Ok((state, published))
    }
}
