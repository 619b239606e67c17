//! DynamoDB's capacity units, computed from the items on the wire, since handlers do not ask for them.
//!
//! Rules: Amazon DynamoDB developer guide, "DynamoDB read and write operations" (capacity unit consumption) and "Item
//! sizes and formats". What cannot be seen on the wire is left out: the writes of secondary indexes, an old item that
//! was larger than the new one, and what a refused condition or a cancelled transaction costs beyond one unit.

use serde_json::Value;

/// Bytes of one read unit, for each item, or for a query's sum.
const READ_BYTES: usize = 4096;

/// Bytes of one write unit, for each item.
const WRITE_BYTES: usize = 1024;

/// The units of a call of `operation` with these bodies; `None` for one that has none or is not understood.
pub(super) fn units(operation: &str, request: &[u8], answer: &[u8]) -> Option<f64> {
    let request: Value = serde_json::from_slice(request).ok()?;
    let answer: Value = serde_json::from_slice(answer).ok()?;
    match operation {
        "GetItem" => Some(read(item_bytes(answer.get("Item")), READ_BYTES) * consistency(&request)),
        "BatchGetItem" => batch_get(&request, &answer),
        "Query" | "Scan" => Some(read(all_bytes(answer.get("Items")), READ_BYTES) * consistency(&request)),
        "PutItem" => Some(read(item_bytes(request.get("Item")), WRITE_BYTES)),
        "TransactWriteItems" => {
            let put = |item: &Value| read(item_bytes(item.pointer("/Put/Item")), WRITE_BYTES);
            Some(2.0 * request.get("TransactItems")?.as_array()?.iter().map(put).sum::<f64>())
        }
        _ => None,
    }
}

/// An eventually consistent read costs half.
fn consistency(request: &Value) -> f64 {
    if request.get("ConsistentRead").and_then(Value::as_bool) == Some(true) { 1.0 } else { 0.5 }
}

/// Each key is a read of its own; one without an item costs as much as the smallest.
fn batch_get(request: &Value, answer: &Value) -> Option<f64> {
    let mut units = 0.0;
    for (table, asked) in request.get("RequestItems")?.as_object()? {
        let keys = asked.get("Keys")?.as_array()?.len();
        let found = answer.get("Responses").and_then(|tables| tables.get(table)).and_then(Value::as_array);
        let found: Vec<_> = found.into_iter().flatten().map(|item| read(item_bytes(Some(item)), READ_BYTES)).collect();
        let missing = keys.saturating_sub(found.len());
        units += (found.iter().sum::<f64>() + whole(missing)) * consistency(asked);
    }
    Some(units)
}

/// So many units of `size` bytes; at least one.
fn read(bytes: usize, size: usize) -> f64 {
    whole(bytes.div_ceil(size).max(1))
}

fn whole(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn all_bytes(items: Option<&Value>) -> usize {
    items.and_then(Value::as_array).into_iter().flatten().map(|item| item_bytes(Some(item))).sum()
}

/// The sum of names and values; 0 for no item.
fn item_bytes(item: Option<&Value>) -> usize {
    let attributes = item.and_then(Value::as_object).into_iter().flatten();
    attributes.map(|(name, value)| name.len() + value_bytes(value)).sum()
}

/// A value in DynamoDB's JSON: `{"S": "text"}`.
fn value_bytes(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    let text = value.as_str().unwrap_or_default();
    let list = || value.as_array().into_iter().flatten();
    match kind.as_str() {
        "S" => text.len(),
        "N" => number_bytes(text),
        "B" => text.len() * 3 / 4,
        "SS" => list().filter_map(Value::as_str).map(str::len).sum(),
        "NS" => list().filter_map(Value::as_str).map(number_bytes).sum(),
        "L" => 3 + list().map(|one| 1 + value_bytes(one)).sum::<usize>(),
        "M" => 3 + value.as_object().map_or(0, |map| map.len() + item_bytes(Some(value))),
        _boolean_or_null => 1,
    }
}

/// Two digits a byte, and one byte more; zeros at either end do not count.
fn number_bytes(text: &str) -> usize {
    let digits = text.split(['e', 'E']).next().unwrap_or_default().chars().filter(char::is_ascii_digit);
    let digits: String = digits.collect();
    digits.trim_matches('0').len().div_ceil(2) + 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(operation: &str, request: &Value, answer: &Value) -> Option<f64> {
        units(operation, request.to_string().as_bytes(), answer.to_string().as_bytes())
    }

    /// An item of exactly `bytes`.
    fn item(bytes: usize) -> Value {
        json!({"pk": {"S": "x".repeat(bytes - 2)}})
    }

    #[test]
    fn an_item_of_1_kib_is_one_write_and_a_byte_more_is_two() {
        assert_eq!(of("PutItem", &json!({"Item": item(1024)}), &json!({})), Some(1.0));
        assert_eq!(of("PutItem", &json!({"Item": item(1025)}), &json!({})), Some(2.0));
    }

    #[test]
    fn an_item_of_4_kib_is_one_consistent_read_or_half_an_eventual_one_and_no_item_costs_the_same() {
        let consistent = json!({"ConsistentRead": true});
        assert_eq!(of("GetItem", &consistent, &json!({"Item": item(4096)})), Some(1.0));
        assert_eq!(of("GetItem", &consistent, &json!({"Item": item(4097)})), Some(2.0));
        assert_eq!(of("GetItem", &json!({}), &json!({"Item": item(4096)})), Some(0.5));
        assert_eq!(of("GetItem", &json!({}), &json!({})), Some(0.5));
    }

    #[test]
    fn a_batch_counts_each_key_and_a_transaction_counts_twice() {
        let batch = json!({"RequestItems": {"t": {"Keys": [{}, {}, {}]}}});
        assert_eq!(of("BatchGetItem", &batch, &json!({"Responses": {"t": [item(5000)]}})), Some(2.0));
        let transaction = json!({"TransactItems": [{"Put": {"Item": item(9)}}, {"Put": {"Item": item(1025)}}]});
        assert_eq!(of("TransactWriteItems", &transaction, &json!({})), Some(6.0));
    }

    #[test]
    fn a_query_is_rounded_up_once_for_all_its_items() {
        let answer = json!({"Items": [item(3000), item(3000)]});
        assert_eq!(of("Query", &json!({"ConsistentRead": true}), &answer), Some(2.0));
    }

    #[test]
    fn names_numbers_lists_and_maps_count_as_documented() {
        let item = json!({"n": {"N": "-12345000"}, "b": {"BOOL": true}, "l": {"L": [{"S": "ab"}]},
                          "m": {"M": {"k": {"NULL": true}}}});
        assert_eq!(item_bytes(Some(&item)), (1 + 4) + (1 + 1) + (1 + 3 + 1 + 2) + (1 + 3 + 1 + 1 + 1));
    }

    #[test]
    fn what_is_no_call_of_dynamodb_has_no_units() {
        assert_eq!(of("SendMessage", &json!({}), &json!({})), None);
        assert_eq!(units("PutItem", b"no JSON", b"{}"), None);
    }
}
