use std::collections::{BTreeMap, BTreeSet};

use loam_domain::{ThingName, Timestamp};
use loam_things::{Attempt, Description, End, Intent, RetirementOrder, ThingRecord, Things};

use crate::{now, register_active};

/// A thing's record that is active and described, without AWS IoT: anybody may pair it.
///
/// # Panics
/// When the local AWS refuses.
pub async fn register_described(things: &Things, thing: &ThingName) {
    register_active(things, thing).await;
    let description = Description { at: now(), told: BTreeMap::new(), capabilities: None, firmware: None };
    change(things, thing, now(), |_| Intent::Described(description.clone())).await;
}

/// The same in its first owner's time. Who owns it is not written.
///
/// # Panics
/// When the local AWS refuses.
pub async fn register_paired(things: &Things, thing: &ThingName) {
    register_described(things, thing).await;
    change(things, thing, now(), |record| Intent::Paired { epoch: record.epoch }).await;
}

/// Ends the time of a thing's owner, of which these capabilities are to erase what they keep.
///
/// # Panics
/// When it is nobody's, or the local AWS refuses.
pub async fn end_tenure(things: &Things, thing: &ThingName, awaiting: &[&str], at: Timestamp) {
    let end = |record: &ThingRecord| End { epoch: record.epoch, cause: "owner".to_owned(), awaiting: names(awaiting) };
    change(things, thing, at, |record| Intent::Ended(end(record))).await;
}

/// Begins a thing's retirement, before whose end these capabilities are to erase what they keep.
///
/// # Panics
/// When the local AWS refuses.
pub async fn begin_retirement(things: &Things, thing: &ThingName, awaiting: &[&str], at: Timestamp) {
    let order = RetirementOrder { by: "tests".to_owned(), awaiting: names(awaiting), expected_version: None };
    things.begin_retirement(thing, order, at).await.unwrap();
}

fn names(capabilities: &[&str]) -> BTreeSet<String> {
    capabilities.iter().map(|name| (*name).to_owned()).collect()
}

/// What comes of an intent for the record, again while others are faster.
async fn change(things: &Things, thing: &ThingName, at: Timestamp, intent: impl Fn(&ThingRecord) -> Intent) {
    loop {
        let record = things.get(thing).await.unwrap().unwrap();
        match things.attempt(&record, &intent(&record), &[], at).await.unwrap() {
            Attempt::Done(_) => return,
            Attempt::Lost => {}
            Attempt::Nothing(outcome) => panic!("{thing}: {outcome:?}"),
        }
    }
}
