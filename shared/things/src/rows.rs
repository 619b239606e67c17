use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{CertificateId, Event, ThingName, Timestamp};

use crate::{BadRow, Certificate, CertificateState, EpochErasure, LifeCycle, Retirement, ThingRecord};

/// A row's attributes by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The sort key of the record.
const RECORD: &str = "record";

/// What the sort keys of events begin with; the relay's stream filter knows it.
pub(crate) const EVENT_PREFIX: &str = "event#";

/// The key of a thing's record.
pub(crate) fn record_key(thing: &ThingName) -> Item {
    key(thing.as_str(), RECORD)
}

/// The key of the number of things under a CA. A thing's name holds no `#`, so that it is never a thing's partition.
pub(crate) fn count_key(ca_id: &CertificateId) -> Item {
    key(&format!("ca#{ca_id}"), "count")
}

/// The key of `item` of a thing.
pub(crate) fn key(thing: &str, item: &str) -> Item {
    Item::from([("thing".to_owned(), text(thing)), ("item".to_owned(), text(item))])
}

/// The sort key of the event that `version` of a record told; text sorts as time, then version, do.
pub(crate) fn event_sk(at: Timestamp, version: u64) -> String {
    format!("{EVENT_PREFIX}{:013}#{version:010}", at.as_millis())
}

/// The row of an event, told by `version` of the record.
pub(crate) fn event_item(thing: &ThingName, event: &Event, version: u64) -> Result<Item, serde_json::Error> {
    let mut item = key(thing.as_str(), &event_sk(event.at, version));
    item.insert("event".to_owned(), text(serde_json::to_string(event)?));
    Ok(item)
}

/// The event in a row.
pub(crate) fn event_of(item: &Item) -> Result<Event, BadRow> {
    serde_json::from_str(text_in(item, "event")?).map_err(|_| BadRow { attribute: "event" })
}

/// The row of a record. JSON of any shape is kept as text, so that its numbers stay what they are.
pub(crate) fn record_item(record: &ThingRecord) -> Result<Item, serde_json::Error> {
    let mut item = record_key(&record.thing);
    item.extend([
        ("state".to_owned(), text(record.state.as_str())),
        ("version".to_owned(), number(record.version)),
        ("epoch".to_owned(), number(record.epoch)),
        ("caId".to_owned(), text(record.ca_id.as_str())),
        ("certificates".to_owned(), certificates_value(&record.certificates)),
        ("groups".to_owned(), texts(&record.groups)),
        ("attributes".to_owned(), text_map(&record.attributes)),
        ("registeredAt".to_owned(), time(record.registered_at)),
        ("updatedAt".to_owned(), time(record.updated_at)),
        ("told".to_owned(), text_map(&record.told)),
        ("shadowSeeded".to_owned(), AttributeValue::Bool(record.shadow_seeded)),
    ]);
    let optional = [
        ("thingType", record.thing_type.as_ref().map(text)),
        ("describedAt", record.described_at.map(time)),
        ("capabilities", record.capabilities.as_ref().map(texts)),
        ("firmware", record.firmware.as_ref().map(serde_json::to_string).transpose()?.map(text)),
        ("initialDesired", record.initial_desired.as_ref().map(serde_json::to_string).transpose()?.map(text)),
        ("suspendedFrom", record.suspended_from.map(|state| text(state.as_str()))),
        ("retirement", record.retirement.as_ref().map(retirement_value)),
        ("erasure", record.erasure.as_ref().map(erasure_value)),
    ];
    item.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Ok(item)
}

/// The record in a row.
pub(crate) fn record_of(item: &Item) -> Result<ThingRecord, BadRow> {
    Ok(ThingRecord {
        thing: ThingName::parse(text_in(item, "thing")?).map_err(|_| BadRow { attribute: "thing" })?,
        state: state_in(item, "state")?,
        version: parsed(item, "version")?,
        epoch: parsed(item, "epoch")?,
        ca_id: CertificateId::parse(text_in(item, "caId")?).map_err(|_| BadRow { attribute: "caId" })?,
        certificates: certificates_in(item)?,
        thing_type: optional(item, "thingType", |item, name| text_in(item, name).map(str::to_owned))?,
        groups: texts_in(item, "groups")?,
        attributes: text_map_in(item, "attributes")?,
        registered_at: time_in(item, "registeredAt")?,
        updated_at: time_in(item, "updatedAt")?,
        described_at: optional(item, "describedAt", time_in)?,
        told: text_map_in(item, "told")?,
        capabilities: optional(item, "capabilities", texts_in)?,
        firmware: optional(item, "firmware", json_in)?,
        shadow_seeded: flag_in(item, "shadowSeeded")?,
        initial_desired: optional(item, "initialDesired", json_in)?,
        suspended_from: optional(item, "suspendedFrom", state_in)?,
        retirement: optional(item, "retirement", retirement_in)?,
        erasure: optional(item, "erasure", erasure_in)?,
    })
}

fn certificates_value(certificates: &BTreeMap<CertificateId, Certificate>) -> AttributeValue {
    let value = |certificate: &Certificate| {
        AttributeValue::M(Item::from([
            ("status".to_owned(), text(certificate.status.as_str())),
            ("since".to_owned(), time(certificate.since)),
        ]))
    };
    AttributeValue::M(certificates.iter().map(|(id, certificate)| (id.to_string(), value(certificate))).collect())
}

fn certificates_in(item: &Item) -> Result<BTreeMap<CertificateId, Certificate>, BadRow> {
    let bad = || BadRow { attribute: "certificates" };
    let certificate = |id: &str, value: &AttributeValue| {
        let fields = value.as_m().ok()?;
        let status = CertificateState::parse(text_in(fields, "status").ok()?)?;
        let since = time_in(fields, "since").ok()?;
        Some((CertificateId::parse(id).ok()?, Certificate { status, since }))
    };
    let all = map_in(item, "certificates")?;
    all.iter().map(|(id, value)| certificate(id, value).ok_or_else(bad)).collect()
}

fn retirement_value(retirement: &Retirement) -> AttributeValue {
    AttributeValue::M(Item::from([
        ("startedAt".to_owned(), time(retirement.started_at)),
        ("by".to_owned(), text(&retirement.by)),
        ("awaiting".to_owned(), texts(&retirement.awaiting)),
    ]))
}

fn retirement_in(item: &Item, name: &'static str) -> Result<Retirement, BadRow> {
    let fields = map_in(item, name)?;
    Ok(Retirement {
        started_at: time_in(fields, "startedAt")?,
        by: text_in(fields, "by")?.to_owned(),
        awaiting: texts_in(fields, "awaiting")?,
    })
}

fn erasure_value(erasure: &EpochErasure) -> AttributeValue {
    AttributeValue::M(Item::from([
        ("through".to_owned(), number(erasure.through)),
        ("begunAt".to_owned(), time(erasure.begun_at)),
        ("awaiting".to_owned(), texts(&erasure.awaiting)),
    ]))
}

fn erasure_in(item: &Item, name: &'static str) -> Result<EpochErasure, BadRow> {
    let fields = map_in(item, name)?;
    Ok(EpochErasure {
        through: parsed(fields, "through")?,
        begun_at: time_in(fields, "begunAt")?,
        awaiting: texts_in(fields, "awaiting")?,
    })
}

/// A text.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A whole number that is never negative.
pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn time(value: Timestamp) -> AttributeValue {
    AttributeValue::N(value.as_millis().to_string())
}

/// A list, as a set cannot be empty.
fn texts(values: &BTreeSet<String>) -> AttributeValue {
    AttributeValue::L(values.iter().map(text).collect())
}

fn text_map(values: &BTreeMap<String, String>) -> AttributeValue {
    AttributeValue::M(values.iter().map(|(name, value)| (name.clone(), text(value))).collect())
}

/// The text of an attribute.
pub(crate) fn text_in<'a>(item: &'a Item, attribute: &'static str) -> Result<&'a str, BadRow> {
    item.get(attribute).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or(BadRow { attribute })
}

fn parsed<T: std::str::FromStr>(item: &Item, attribute: &'static str) -> Result<T, BadRow> {
    let digits = item.get(attribute).and_then(|value| value.as_n().ok());
    digits.and_then(|digits| digits.parse().ok()).ok_or(BadRow { attribute })
}

fn time_in(item: &Item, attribute: &'static str) -> Result<Timestamp, BadRow> {
    parsed(item, attribute).map(Timestamp::from_millis)
}

fn flag_in(item: &Item, attribute: &'static str) -> Result<bool, BadRow> {
    item.get(attribute).and_then(|value| value.as_bool().ok()).copied().ok_or(BadRow { attribute })
}

fn state_in(item: &Item, attribute: &'static str) -> Result<LifeCycle, BadRow> {
    LifeCycle::parse(text_in(item, attribute)?).ok_or(BadRow { attribute })
}

fn json_in<T: serde::de::DeserializeOwned>(item: &Item, attribute: &'static str) -> Result<T, BadRow> {
    serde_json::from_str(text_in(item, attribute)?).map_err(|_| BadRow { attribute })
}

fn map_in<'a>(item: &'a Item, attribute: &'static str) -> Result<&'a Item, BadRow> {
    item.get(attribute).and_then(|value| value.as_m().ok()).ok_or(BadRow { attribute })
}

fn texts_in(item: &Item, attribute: &'static str) -> Result<BTreeSet<String>, BadRow> {
    let list = item.get(attribute).and_then(|value| value.as_l().ok()).ok_or(BadRow { attribute })?;
    let word = |value: &AttributeValue| value.as_s().cloned().map_err(|_| BadRow { attribute });
    list.iter().map(word).collect()
}

fn text_map_in(item: &Item, attribute: &'static str) -> Result<BTreeMap<String, String>, BadRow> {
    let word = |value: &AttributeValue| value.as_s().cloned().map_err(|_| BadRow { attribute });
    map_in(item, attribute)?.iter().map(|(name, value)| Ok((name.clone(), word(value)?))).collect()
}

fn optional<T>(
    item: &Item,
    attribute: &'static str,
    read: impl Fn(&Item, &'static str) -> Result<T, BadRow>,
) -> Result<Option<T>, BadRow> {
    item.contains_key(attribute).then(|| read(item, attribute)).transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transitions::{claim, thing};
    use crate::{Transition, next};

    /// A record with everything in it.
    fn full() -> ThingRecord {
        let Transition::Change(change) = next(&thing(), None, &claim('1'), Timestamp::from_millis(7)) else { panic!() };
        ThingRecord {
            described_at: Some(Timestamp::from_millis(8)),
            told: BTreeMap::from([("modelName".to_owned(), "A".to_owned())]),
            capabilities: Some(BTreeSet::new()),
            firmware: Some(json!({"version": 1.10, "big": 123_456_789_012_345_678_u64})),
            initial_desired: json!({"interval": 30}).as_object().cloned(),
            suspended_from: Some(LifeCycle::Paired),
            retirement: Some(Retirement {
                started_at: Timestamp::from_millis(9),
                by: "operator".to_owned(),
                awaiting: BTreeSet::from(["presence".to_owned()]),
            }),
            erasure: Some(EpochErasure {
                through: 2,
                begun_at: Timestamp::from_millis(10),
                awaiting: BTreeSet::from(["catalog".to_owned()]),
            }),
            ..change.record
        }
    }

    #[test]
    fn a_record_with_everything_in_it_is_read_back_as_it_was() {
        assert_eq!(record_of(&record_item(&full()).unwrap()).unwrap(), full());
    }

    #[test]
    fn a_row_that_was_written_before_there_were_erasures_is_read() {
        let mut old = record_item(&full()).unwrap();
        old.remove("erasure");
        assert_eq!(record_of(&old).unwrap(), ThingRecord { erasure: None, ..full() });
    }

    #[test]
    fn a_foreign_row_is_told_by_its_attribute_and_never_a_panic() {
        let good = record_item(&full()).unwrap();
        for (name, value) in &good {
            let wrong = if value.is_bool() { text("x") } else { AttributeValue::Bool(true) };
            let mut bad = good.clone();
            bad.insert(name.clone(), wrong);
            let refused = record_of(&bad).err().map(|bad| bad.attribute);
            assert_eq!(refused, (name != "item").then_some(name.as_str()), "{name}");
        }
        assert_eq!(record_of(&Item::new()), Err(BadRow { attribute: "thing" }));
    }

    #[test]
    fn the_keys_of_things_and_cas_are_apart() {
        assert_eq!(text_in(&record_key(&thing()), "thing").unwrap(), "t1");
        let ca = full().ca_id;
        assert_eq!(text_in(&count_key(&ca), "thing").unwrap(), format!("ca#{ca}"));
    }
}
