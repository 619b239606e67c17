use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{AttributeValue, BillingMode, GlobalSecondaryIndex};

/// Makes a new table with the keys and indexes of `table`; answers its name. For tests of what looks at a whole table.
///
/// # Panics
/// When the local AWS refuses.
pub async fn twin_of_table(sdk: &SdkConfig, table: &str) -> String {
    let client = aws_sdk_dynamodb::Client::new(sdk);
    let model = client.describe_table().table_name(table).send().await.unwrap().table.unwrap();
    let name = format!("twin-{}", uuid::Uuid::new_v4().simple());
    let indexes: Vec<_> = model
        .global_secondary_indexes
        .unwrap_or_default()
        .into_iter()
        .map(|index| {
            let twin =
                GlobalSecondaryIndex::builder().set_index_name(index.index_name).set_key_schema(index.key_schema);
            twin.set_projection(index.projection).build().unwrap()
        })
        .collect();
    client
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(model.key_schema)
        .set_attribute_definitions(model.attribute_definitions)
        .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
        .send()
        .await
        .unwrap();
    name
}

/// Copies the item with these keys (texts) into another table. For what a table's stream must not tell: the item is
/// changed in a twin, and brought back.
///
/// # Panics
/// When there is no such item, or the local AWS refuses.
pub async fn copy_item(sdk: &SdkConfig, from: &str, to: &str, keys: [(&str, &str); 2]) {
    let client = aws_sdk_dynamodb::Client::new(sdk);
    let mut get = client.get_item().table_name(from).consistent_read(true);
    for (name, value) in keys {
        get = get.key(name, AttributeValue::S(value.to_owned()));
    }
    let item = get.send().await.unwrap().item.unwrap();
    client.put_item().table_name(to).set_item(Some(item)).send().await.unwrap();
}
