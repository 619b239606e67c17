use super::notice::{Desired, Job, Notice, Signed};
use loam_releases::accept::{Device, Reference, accept};
use loam_releases::journal::Order;
use loam_releases::names::Id;
use loam_releases::next::Wanted;
use loam_releases::signature::Keyring;
use loam_releases::window::Window;

/// What the device has heard of its firmware since it started.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    shadow: Option<(u64, Option<Desired>)>,
    job: Option<Option<Job>>,
    grant: Option<(Id, Signed)>,
}

/// What that comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// Something is not yet heard.
    Unknown,
    /// Nothing is wanted.
    Nothing,
    /// This is.
    Order {
        /// By which rollout.
        rollout: &'a Id,
        /// For the how many-th time.
        attempt: u32,
        /// What the manifest must be about; a job says it by the manifest alone.
        reference: Option<Reference>,
        /// When it may restart.
        window: Option<&'a Window>,
        /// What it asked for, once it is there.
        signed: Option<&'a Signed>,
    },
}

impl Heard {
    /// Takes a notice in. Messages overtake each other: an older shadow changes nothing.
    pub fn take(&mut self, notice: Notice) {
        match notice {
            Notice::Shadow(version, desired) => {
                // Version 0 is "there is none": versions count anew after that.
                if version == 0 || self.shadow.as_ref().is_none_or(|(known, _)| version >= *known) {
                    self.forget_grant_unless(desired.as_ref());
                    self.shadow = Some((version, desired));
                }
            }
            Notice::Job(job) => self.job = Some(job),
            Notice::Grant(rollout, signed) => self.grant = Some((rollout, signed)),
        }
    }

    /// A grant is for one order: the next attempt, or a newer manifest, comes with its own.
    fn forget_grant_unless(&mut self, desired: Option<&Desired>) {
        let known = self.shadow.as_ref().and_then(|(_, desired)| desired.as_ref());
        let order = |desired: &Desired| (desired.rollout.clone(), desired.attempt, desired.reference());
        if known.map(order) != desired.map(order) {
            self.grant = None;
        }
    }

    /// After a connect everything is asked for once more, and a shadow that was deleted meanwhile counts anew.
    pub fn forget_versions(&mut self) {
        if let Some((version, _)) = &mut self.shadow {
            *version = 0;
        }
    }

    /// The URL is over: what comes with a new one is waited for.
    pub fn forget_url(&mut self) {
        self.grant = None;
        if let Some(Some(job)) = &mut self.job {
            job.signed = None;
        }
    }

    /// The job, if there is one.
    #[must_use]
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref().and_then(Option::as_ref)
    }

    /// The job is over as far as the device is concerned.
    pub fn forget_job(&mut self) {
        self.job = Some(None);
    }

    /// What all of it comes to. A job is stronger than a shadow: it has a timer.
    #[must_use]
    pub fn told(&self) -> Told<'_> {
        if let Some(job) = self.job() {
            let signed = job.signed.as_ref();
            return Told::Order { rollout: &job.rollout, attempt: job.attempt, reference: None, window: None, signed };
        }
        match &self.shadow {
            Some((_, Some(desired))) => {
                let grant = self.grant.as_ref().filter(|(rollout, _)| *rollout == desired.rollout);
                let signed = grant.map(|(_, signed)| signed);
                let reference = Some(desired.reference());
                let window = desired.window.as_ref();
                Told::Order { rollout: &desired.rollout, attempt: desired.attempt, reference, window, signed }
            }
            Some((_, None)) if self.job.is_some() => Told::Nothing,
            Some(_) | None => Told::Unknown,
        }
    }
}

impl Told<'_> {
    /// What the device makes of it: signatures, numbers and times are looked at here.
    #[must_use]
    pub fn judge(&self, keys: &Keyring, device: &Device, now: loam_domain::Timestamp) -> Wanted {
        let (rollout, attempt, reference, signed) = match self {
            Self::Unknown => return Wanted::Unknown,
            Self::Nothing => return Wanted::Nothing,
            Self::Order { signed: None, .. } => return Wanted::Unknown,
            Self::Order { rollout, attempt, reference, signed: Some(signed), .. } => {
                ((*rollout).clone(), *attempt, reference, signed)
            }
        };
        let verified = match keys.verify(&signed.manifest, &signed.signature) {
            Ok(verified) => verified,
            Err(why) => return Wanted::Refused { rollout, attempt, why: why.into() },
        };
        let firmware = verified.manifest().firmware.clone();
        let sequence = verified.manifest().sequence;
        let own = || Reference { release: firmware.release.clone(), version: firmware.version.clone(), sequence };
        let reference = reference.clone().unwrap_or_else(own);
        match accept(&verified, &reference, device, Some(now)) {
            Ok(seen) => Wanted::Accepted(Box::new(Order { rollout, attempt, firmware, sequence }), seen),
            Err(why) => Wanted::Refused { rollout, attempt, why },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn shadow(version: u64, more: &Value) -> Notice {
        let mut order = json!({"rollout": Id::of("rollout", &["r"]), "attempt": 1, "release": Id::of("release", &["2.1.0"]),
            "version": "2.1.0", "sequence": 17, "window": null});
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Notice::Shadow(version, Some(serde_json::from_value(order).unwrap()))
    }

    fn is_granted(heard: &Heard) -> bool {
        matches!(heard.told(), Told::Order { signed: Some(_), .. })
    }

    #[test]
    fn a_grant_is_for_the_order_that_it_was_asked_for_and_for_no_later_one() {
        let signed = Signed { manifest: vec![1], signature: vec![2], url: String::new(), seal: None };
        let grant = || Notice::Grant(Id::of("rollout", &["r"]), signed.clone());
        for (later, expected) in [
            (json!({}), true),
            (json!({"window": {"days": ["mon"], "fromMinute": 0, "minutes": 60}}), true),
            (json!({"attempt": 2}), false),
            (json!({"sequence": 18}), false),
            (json!({"rollout": Id::of("rollout", &["s"])}), false),
        ] {
            let mut heard = Heard::default();
            heard.take(shadow(1, &json!({})));
            heard.take(grant());
            assert!(is_granted(&heard));
            heard.take(shadow(2, &later));
            assert_eq!(is_granted(&heard), expected, "{later}");
        }
    }

    #[test]
    fn a_grant_of_another_order_does_not_come_back_with_it() {
        let signed = Signed { manifest: vec![1], signature: vec![2], url: String::new(), seal: None };
        let mut heard = Heard::default();
        heard.take(shadow(1, &json!({})));
        heard.take(Notice::Grant(Id::of("rollout", &["r"]), signed));
        heard.take(Notice::Shadow(2, None));
        heard.take(shadow(3, &json!({})));
        assert!(!is_granted(&heard));
    }
}
