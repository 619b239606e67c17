use loam_releases::manifest::Firmware;
use loam_releases::names::Hardware;

use super::{End, Running};

/// What is known of a thing when its turn comes: from its twin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glimpse {
    /// What it says to run.
    pub running: Option<Running>,
    /// What it says to be.
    pub hardware: Option<Hardware>,
    /// Whether it is gone, or about to go.
    pub retired: bool,
}

impl Glimpse {
    /// With what another rollout knows the thing to run, if it heard that later: a twin may lag behind the reports, and who
    /// leads a thing back right after a stop must not take it for one that never left.
    #[must_use]
    pub fn or_later(self, known: Option<&Running>) -> Self {
        let running = self.running.into_iter().chain(known.cloned()).max_by_key(|running| running.at);
        Self { running, ..self }
    }
}

/// Whether a thing is asked at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Go,
    /// It is not.
    No(End),
}

/// Whether a thing is asked to run `firmware`. What is not known of it, it decides itself: it has its own look at everything.
#[must_use]
pub fn admit(firmware: &Firmware, downgrade: bool, glimpse: &Glimpse) -> Admission {
    let running = glimpse.running.as_ref().map(|running| &running.version);
    if glimpse.retired {
        return Admission::No(End::Retired);
    }
    if glimpse.hardware.as_ref().is_some_and(|hardware| !firmware.hardware.contains(hardware)) {
        return Admission::No(End::WrongHardware);
    }
    let Some(running) = running else { return Admission::Go };
    if *running == firmware.version {
        return Admission::No(End::AlreadyInstalled);
    }
    if *running > firmware.version && !downgrade {
        return Admission::No(End::RunsNewer);
    }
    match &firmware.minimum_from {
        Some(minimum) if running < minimum => Admission::No(End::FromTooOld),
        Some(_) | None => Admission::Go,
    }
}
