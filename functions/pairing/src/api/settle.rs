//! An intent, done: what the routes make of what the store says.

use aws_sdk_dynamodb::types::TransactWriteItem;
use loam_domain::{ThingName, Timestamp};
use loam_things::Why as RecordWhy;

use super::Api;
use crate::store::{Came, StoreFailure};
use crate::tenancy::{Intent, Outcome, Tenancy, Why};

/// What came of an intent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Settled {
    /// It is done: the tenancy after it.
    Done(Tenancy),
    /// It was done before: the tenancy as it is.
    Already(Tenancy),
    /// It cannot be.
    Refused(Why),
}

impl Api {
    /// Does what `intent` says, with `also` in the same write.
    pub(super) async fn settle(
        &self,
        thing: &ThingName,
        intent: &Intent,
        also: &[TransactWriteItem],
        now: Timestamp,
    ) -> Result<Settled, StoreFailure> {
        Ok(match self.store.change(thing, intent, also, now).await? {
            Came::Done { change, .. } => Settled::Done(change.tenancy),
            Came::Nothing(Outcome::Already(tenancy)) => Settled::Already(*tenancy),
            Came::Nothing(Outcome::Refused(why)) => Settled::Refused(why),
            Came::Refused(why) => Settled::Refused(meaning(why)),
            Came::NoThing => Settled::Refused(Why::Gone),
        })
    }
}

/// What the record's refusal means for people: a thing on its way to its end is nobody's any more; one that is suspended, or has
/// not described itself, cannot get an owner.
pub(super) const fn meaning(why: RecordWhy) -> Why {
    match why {
        RecordWhy::NotOnboarded => Why::NotOnboarded,
        RecordWhy::EpochOver | RecordWhy::NotPaired => Why::EpochOver,
        RecordWhy::Erasing | RecordWhy::TooEarly => Why::StillErasing,
        RecordWhy::Taken
        | RecordWhy::CertificateGone
        | RecordWhy::UnknownCertificate
        | RecordWhy::Retired
        | RecordWhy::NotRetiring
        | RecordWhy::Awaiting
        | RecordWhy::Stale => Why::Gone,
    }
}
