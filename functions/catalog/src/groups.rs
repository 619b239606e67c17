//! The rows of groups, beside who is in them.

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::ThingName;

use crate::CatalogFailure;
use crate::group::{self, GROUP, Group, GroupName, MEMBER};
use crate::store::{Saved, Store, member_of};

/// Some of a static group's things, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Their names.
    pub things: Vec<ThingName>,
    /// Whether more may follow.
    pub more: bool,
}

impl Store {
    /// What a group is; `None` if there is none of this name.
    ///
    /// # Errors
    /// [`CatalogFailure::GroupNotRead`], [`CatalogFailure::BadGroupRow`].
    pub async fn group(&self, name: &GroupName) -> Result<Option<Group>, CatalogFailure> {
        let request = self.client.get_item().table_name(&self.groups).consistent_read(true);
        let answer = request.set_key(Some(group::key(name.as_str(), GROUP))).send().await;
        let answer = answer.map_err(|error| CatalogFailure::GroupNotRead(Box::new(error)))?;
        answer.item().map(Group::of).transpose()
    }

    /// Writes what a group is, if it is still what was read; version 1: if there is none. Who comes and goes meanwhile is
    /// no change, so its count must be as it was read, too.
    ///
    /// # Errors
    /// [`CatalogFailure::NotWritten`].
    pub async fn put_group(&self, name: &GroupName, group: &Group) -> Result<Saved, CatalogFailure> {
        let put = self.client.put_item().table_name(&self.groups).set_item(Some(group.item(name)));
        let put = match group.version {
            0 | 1 => {
                put.condition_expression("attribute_not_exists(#group)").expression_attribute_names("#group", "group")
            }
            version => put
                .condition_expression("#version = :version AND #members = :members")
                .expression_attribute_names("#members", "members")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", AttributeValue::N((version - 1).to_string()))
                .expression_attribute_values(":members", AttributeValue::N(group.members.to_string())),
        };
        match put.send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Saved::Lost)
            }
            Err(error) => Err(CatalogFailure::NotWritten(Box::new(error))),
        }
    }

    /// Deletes a group that is still of this version and in which nobody is.
    ///
    /// # Errors
    /// [`CatalogFailure::NotDeleted`].
    pub async fn delete_group(&self, name: &GroupName, version: u64) -> Result<Saved, CatalogFailure> {
        let delete = self.client.delete_item().table_name(&self.groups);
        let delete = delete
            .set_key(Some(group::key(name.as_str(), GROUP)))
            .condition_expression("#version = :version AND #members = :none")
            .expression_attribute_names("#members", "members")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", AttributeValue::N(version.to_string()))
            .expression_attribute_values(":none", AttributeValue::N("0".to_owned()));
        match delete.send().await {
            Ok(_) => Ok(Saved::Yes),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Saved::Lost)
            }
            Err(error) => Err(CatalogFailure::NotDeleted(Box::new(error))),
        }
    }

    /// Up to `limit` things of a static group, by name, after the name `after`.
    ///
    /// # Errors
    /// [`CatalogFailure::GroupNotListed`], [`CatalogFailure::BadGroupRow`].
    pub async fn members(
        &self,
        name: &GroupName,
        after: Option<&ThingName>,
        limit: u16,
    ) -> Result<Members, CatalogFailure> {
        let start = after.map(|thing| group::key(name.as_str(), &format!("{MEMBER}{thing}")));
        let query = self.client.query().table_name(&self.groups).consistent_read(true).limit(i32::from(limit));
        let query = query
            .key_condition_expression("#group = :group AND begins_with(#item, :member)")
            .expression_attribute_names("#group", "group")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":group", AttributeValue::S(name.as_str().to_owned()))
            .expression_attribute_values(":member", AttributeValue::S(MEMBER.to_owned()))
            .set_exclusive_start_key(start);
        let answer = query.send().await.map_err(|error| CatalogFailure::GroupNotListed(Box::new(error)))?;
        let things = answer.items().iter().map(member_of).collect::<Result<_, _>>()?;
        Ok(Members { things, more: answer.last_evaluated_key().is_some() })
    }
}
