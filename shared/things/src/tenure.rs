//! Owners come and go: whose time it is, and what has to be erased between two of them.

use loam_domain::{EventType, Timestamp};
use serde_json::json;

use crate::draft::{Draft, data};
use crate::next::{already, refused};
use crate::{Acknowledged, Acknowledgement, End, EpochErasure, LifeCycle, ThingRecord, Transition, Why};

/// It has an owner, in `epoch`.
pub(crate) fn pair(record: &ThingRecord, epoch: u64, now: Timestamp) -> Transition {
    match record.state {
        _ if record.is_retiring() => refused(record, Why::Retired),
        _ if record.epoch != epoch => refused(record, Why::EpochOver),
        _ if record.is_paired() => already(record),
        _ if record.erasure.is_some() => refused(record, Why::Erasing),
        LifeCycle::Onboarded => {
            let mut draft = Draft::of(record, now);
            own(&mut draft);
            draft.done()
        }
        LifeCycle::Registered | LifeCycle::Active | LifeCycle::Paired | LifeCycle::Suspended | LifeCycle::Retired => {
            refused(record, Why::NotOnboarded)
        }
    }
}

/// Its owner's time is over: the next epoch begins, with an erasure. A suspended thing loses its owner and stays suspended.
pub(crate) fn end(record: &ThingRecord, end: &End, now: Timestamp) -> Transition {
    match record.epoch {
        epoch if epoch > end.epoch => return already(record),
        epoch if epoch < end.epoch => return refused(record, Why::EpochOver),
        _ if record.is_retiring() => return refused(record, Why::Retired),
        _ if !record.is_paired() => return refused(record, Why::NotPaired),
        _ => {}
    }
    let mut draft = Draft::of(record, now);
    let after = &mut draft.record;
    stand(after, LifeCycle::Onboarded);
    after.epoch += 1;
    after.erasure = Some(EpochErasure::begin(record.erasure.as_ref(), end.epoch, &end.awaiting, after.updated_at));
    let told = data([("epoch", json!(end.epoch)), ("cause", json!(end.cause)), ("awaiting", json!(end.awaiting))]);
    draft.tell(EventType::ThingUnpaired, told);
    draft.done()
}

/// A capability erased its own. A repeat, and a word about an erasure that is over, are as good as done.
pub(crate) fn acknowledge(record: &ThingRecord, word: &Acknowledgement, now: Timestamp) -> Transition {
    let Some(erasure) = &record.erasure else { return already(record) };
    match erasure.acknowledge(&word.capability, word.through, word.looked_at) {
        Acknowledged::Already => already(record),
        Acknowledged::TooLittle => refused(record, Why::EpochOver),
        Acknowledged::TooEarly => refused(record, Why::TooEarly),
        Acknowledged::Yes(after) => {
            let told = data([
                ("capability", json!(word.capability)),
                ("through", json!(after.through)),
                ("awaiting", json!(after.awaiting)),
            ]);
            let mut draft = Draft::of(record, now);
            draft.record.erasure = Some(after);
            draft.tell(EventType::ThingErasureAcknowledged, told);
            draft.done()
        }
    }
}

/// Nothing is left through the epoch `through`. Whoever was promised the thing owns it in the same write.
pub(crate) fn erased(record: &ThingRecord, through: u64, paired: bool, now: Timestamp) -> Transition {
    let Some(erasure) = &record.erasure else { return already(record) };
    if record.is_retiring() {
        return refused(record, Why::Retired);
    }
    if through < erasure.through {
        return refused(record, Why::EpochOver);
    }
    if !erasure.is_done() {
        return refused(record, Why::Erasing);
    }
    let mut draft = Draft::of(record, now);
    let told = data([("through", json!(erasure.through))]);
    draft.record.erasure = None;
    draft.tell(EventType::ThingErased, told);
    if paired {
        own(&mut draft);
    }
    draft.done()
}

fn own(draft: &mut Draft) {
    stand(&mut draft.record, LifeCycle::Paired);
    draft.tell(EventType::ThingPaired, data([]));
}

/// Where it stands now, or will stand again when it is suspended no more.
fn stand(record: &mut ThingRecord, stage: LifeCycle) {
    match &mut record.suspended_from {
        Some(from) => *from = stage,
        None => record.state = stage,
    }
}
