//! What a thing's twin says of its firmware.

use loam_domain::Timestamp;
use loam_things::LifeCycle;
use loam_things::twins::Twin;
use serde_json::Value;

use crate::execution::Glimpse;
use crate::progress::reported;

/// What is known of a thing by its twin: what its shadow reports, else what it said when it described itself. Of that nobody
/// knows the time, so that any report goes before it.
#[must_use]
pub fn glimpse(twin: &Twin) -> Glimpse {
    let described = twin.record.firmware.as_ref().map(|firmware| reported(firmware, Timestamp::from_millis(0)));
    let (described_running, described_hardware) = described.unwrap_or_default();
    let shadow = twin.shadow.as_ref();
    let reports = shadow.and_then(|shadow| Some(reported(shadow.reported.get("firmware")?, shadow.at)));
    let (running, hardware) = reports.unwrap_or_default();
    Glimpse {
        running: running.or(described_running),
        hardware: hardware.or(described_hardware),
        retired: twin.record.state == LifeCycle::Retired,
    }
}

/// How many minutes a thing's clock is ahead of UTC, by its tag `utcOffsetMinutes`; 0 without one.
#[must_use]
pub fn utc_offset_minutes(twin: &Twin) -> i32 {
    let tag = twin.notes.tags.get("utcOffsetMinutes").and_then(Value::as_i64);
    tag.and_then(|minutes| i32::try_from(minutes).ok()).unwrap_or_default()
}
