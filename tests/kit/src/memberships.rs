use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp};

use crate::Stack;

/// Makes `user` (a `sub`) a member of `thing`, as the operator's command does: `role` is `owner`, `controller` or `viewer`,
/// `epoch` the owner's time that it belongs to.
///
/// # Panics
/// When the stack has no table of memberships, or the local AWS refuses.
pub async fn seed_membership(stack: &Stack, user: &str, thing: &ThingName, role: &str, epoch: u64) {
    seed_membership_since(stack, user, thing, (role, epoch), Timestamp::from_millis(0)).await;
}

/// The same with the time from when on the thing's data is theirs to see.
///
/// # Panics
/// As [`seed_membership`].
pub async fn seed_membership_since(
    stack: &Stack,
    user: &str,
    thing: &ThingName,
    (role, epoch): (&str, u64),
    since: Timestamp,
) {
    let table = stack.resources.get("MembershipsTable").expect("the template has a table of memberships");
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: String| AttributeValue::N(number);
    let put = aws_sdk_dynamodb::Client::new(&stack.admin().await).put_item().table_name(table);
    let put = put.item("user", text(user)).item("thing", text(thing.as_str())).item("role", text(role));
    let put = put.item("since", number(since.as_millis().to_string()));
    put.item("epoch", number(epoch.to_string())).send().await.unwrap();
}

/// A member wants mail about the thing from now on.
///
/// # Panics
/// When the local AWS refuses.
pub async fn seed_mail(stack: &Stack, user: &str, thing: &ThingName) {
    let table = stack.resources.get("MembershipsTable").expect("the template has a table of memberships");
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = aws_sdk_dynamodb::Client::new(&stack.admin().await).update_item().table_name(table);
    let update = update.key("user", text(user)).key("thing", text(thing.as_str())).update_expression("SET mail = :yes");
    update.expression_attribute_values(":yes", AttributeValue::Bool(true)).send().await.unwrap();
}

/// Ends the membership, as the operator's command does.
///
/// # Panics
/// When the local AWS refuses.
pub async fn end_membership(stack: &Stack, user: &str, thing: &ThingName) {
    let table = stack.resources.get("MembershipsTable").expect("the template has a table of memberships");
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let delete = aws_sdk_dynamodb::Client::new(&stack.admin().await).delete_item().table_name(table);
    delete.key("user", text(user)).key("thing", text(thing.as_str())).send().await.unwrap();
}
