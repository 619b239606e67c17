use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use loam_domain::ThingName;
use loam_things::twins::Twin;

use super::rule_row::{key, row_of};
use super::store::{Item, field, text};
use super::store_error::StoreError;
use super::{AlertRule, Nearest, RuleRow, Rules, Scope};

/// The rules that hold for things: those of the rules' table, by the groups that the catalog's twin of a thing names.
#[derive(Debug, Clone)]
pub struct NearestRules {
    client: Client,
    rules: String,
    twins: String,
}

impl NearestRules {
    /// The tables of these names.
    #[must_use]
    pub const fn new(client: Client, rules: String, twins: String) -> Self {
        Self { client, rules, twins }
    }

    /// The rules that hold for `thing` and are enabled; where nobody wrote one, humidity below `threshold`.
    ///
    /// # Errors
    /// As [`NearestRules::all`].
    pub async fn of(&self, thing: &ThingName, threshold: f64) -> Result<Vec<AlertRule>, StoreError> {
        let all = self.all(thing, threshold).await?;
        Ok(all.into_iter().map(|nearest| nearest.rule).filter(|rule| rule.spec().enabled).collect())
    }

    /// The rules that hold for `thing`, those that mute a path too, with their scopes. A rule that was changed less than about
    /// a second ago may still count as it was, and so may the thing's groups.
    ///
    /// One batch reads the thing's own rules, the default's and its twin; one more, only for a thing with a type or groups,
    /// theirs.
    ///
    /// # Errors
    /// [`StoreError`], also for a row that somebody spoilt: a wrong rule must not silence a thing unseen.
    pub async fn all(&self, thing: &ThingName, threshold: f64) -> Result<Vec<Nearest>, StoreError> {
        let near = [Scope::Thing(thing.clone()), Scope::Default];
        let mut found = self.batch(&near, Some(thing)).await?;
        let groups = match found.remove(&self.twins).unwrap_or_default().first() {
            Some(item) => groups_of(&Twin::of(item)?),
            None => BTreeSet::new(),
        };
        let mut rows = rows_of(found.remove(&self.rules))?;
        let own = rows.iter().find_map(|(_, row)| row.thing_type.clone());
        let far: Vec<_> = own.as_deref().and_then(Scope::of_type).into_iter().chain(groups).collect();
        if !far.is_empty() {
            rows.extend(rows_of(self.batch(&far, None).await?.remove(&self.rules))?);
        }
        Ok(Rules::resolve(rows, threshold))
    }

    async fn batch(
        &self,
        scopes: &[Scope],
        twin: Option<&ThingName>,
    ) -> Result<HashMap<String, Vec<Item>>, StoreError> {
        let rules = KeysAndAttributes::builder().set_keys(Some(scopes.iter().map(key).collect())).build()?;
        let mut request = self.client.batch_get_item().request_items(&self.rules, rules);
        if let Some(thing) = twin {
            request = request.request_items(&self.twins, keys_of_twin(thing)?);
        }
        let answer = request.send().await.map_err(|error| StoreError::Rules(Box::new(error)))?;
        if answer.unprocessed_keys.is_some_and(|left| !left.is_empty()) {
            return Err(StoreError::PartOfRules);
        }
        Ok(answer.responses.unwrap_or_default())
    }
}

/// Only the parts of a twin that name groups: the shadow is the largest part, and of no use here.
fn keys_of_twin(thing: &ThingName) -> Result<KeysAndAttributes, StoreError> {
    let key = Item::from([("thing".to_owned(), text(thing.as_str()))]);
    let names = ["thing", "version", "record", "notes"].map(|name| (format!("#{name}"), name.to_owned()));
    let keys = KeysAndAttributes::builder().keys(key).projection_expression("#thing, #version, #record, #notes");
    Ok(keys.set_expression_attribute_names(Some(names.into())).build()?)
}

/// The static groups that people put the thing in, and those that its CA profile did; as filters see them.
fn groups_of(twin: &Twin) -> BTreeSet<Scope> {
    twin.record.groups.union(&twin.notes.groups).filter_map(|name| Scope::group(name)).collect()
}

fn rows_of(items: Option<Vec<Item>>) -> Result<Vec<(Scope, RuleRow)>, StoreError> {
    let row = |item: &Item| {
        let scope = Scope::parse(field(item, "scope")?).map_err(|_| StoreError::MissingField("scope"))?;
        Ok((scope, row_of(item)?))
    };
    items.unwrap_or_default().iter().map(row).collect()
}
