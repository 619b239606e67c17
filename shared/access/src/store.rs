use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::ThingName;
use loam_http::{Caller, Problem};
use loam_runtime::Failure as _;
use loam_things::Things;

use crate::decide::{Grant, decide};
use crate::{AccessFailure, Membership, Role, membership};

/// The most memberships of one person that count. All of them fit into one answer of DynamoDB (1 MB): a row has less than
/// 300 bytes.
pub const MOST_MEMBERSHIPS: u16 = 1_000;

/// Memberships and thing records, as far as it takes to say who may do what.
#[derive(Debug, Clone)]
pub struct Access {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) memberships: String,
    pub(crate) things: Things,
}

impl Access {
    /// The memberships in the table of this name (`MEMBERSHIPS_TABLE`), and the records of `things`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, memberships: String, things: Things) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(sdk), memberships, things }
    }

    /// What lets `caller` know of `thing`; `None` if nothing does, be it that there is no such thing.
    ///
    /// # Errors
    /// [`AccessFailure`].
    pub async fn of(&self, caller: &Caller, thing: &ThingName) -> Result<Option<Grant>, AccessFailure> {
        if caller.is_operator() {
            return Ok(decide(caller, self.things.get(thing).await?, None));
        }
        // Always both, whatever the other says: the time of an answer is not to tell which things exist.
        let (record, membership) = tokio::join!(self.things.get(thing), self.membership(&caller.sub, thing));
        Ok(decide(caller, record?, membership?))
    }

    /// What lets `caller` do to `thing` what takes `role`.
    ///
    /// # Errors
    /// 404 `no-such-thing`, the same for every thing that the caller may not know of; 403 `role-too-low`; 5xx.
    pub async fn grant(&self, caller: &Caller, thing: &ThingName, role: Role) -> Result<Grant, Problem> {
        self.of(caller, thing).await?.ok_or_else(Problem::no_such_thing)?.require(role)
    }

    /// All memberships of a person, of whatever epoch, by the names of their things; at most [`MOST_MEMBERSHIPS`]. A row
    /// that is no membership opens nothing and hides no other: it is left out, and the log tells it.
    ///
    /// # Errors
    /// [`AccessFailure::NotListed`].
    pub async fn things_of(&self, user: &str) -> Result<Vec<Membership>, AccessFailure> {
        let query = self.client.query().table_name(&self.memberships).consistent_read(true);
        let query = query
            .key_condition_expression("#user = :user")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":user", AttributeValue::S(user.to_owned()))
            .limit(i32::from(MOST_MEMBERSHIPS));
        let answer = query.send().await.map_err(|error| AccessFailure::NotListed(Box::new(error)))?;
        Ok(answer.items().iter().filter_map(readable).collect())
    }

    /// The person's membership of a thing, of whatever epoch.
    async fn membership(&self, user: &str, thing: &ThingName) -> Result<Option<Membership>, AccessFailure> {
        let request = self.client.get_item().table_name(&self.memberships).consistent_read(true);
        let answer = request.set_key(Some(membership::key(user, thing))).send().await;
        let answer = answer.map_err(|error| AccessFailure::NotRead(Box::new(error)))?;
        answer.item().map(membership::of).transpose()
    }
}

fn readable(row: &HashMap<String, AttributeValue>) -> Option<Membership> {
    membership::of(row)
        .inspect_err(|failure| tracing::error!(code = failure.code(), error = %failure, "a membership was left out"))
        .ok()
}
