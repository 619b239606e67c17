//! Which time a sensor's message carries.

use std::collections::BTreeMap;

use loam_domain::{DeviceClock, Measure, Refusal, Timestamp};
use serde_json::value::RawValue;

/// The fields that hold a device's time in milliseconds since the epoch, the stronger first; neither is a metric.
pub(crate) const TIME_FIELDS: [&str; 2] = ["timeStampEpoch", "timestamp"];

/// When a message was measured: `timeStampEpoch`, else a numeric `timestamp`, else (missing or absurd) its arrival.
///
/// `timeStampEpoch` is Loam's own field, so anything but a number in it is refused; `timestamp` is anybody's word for
/// anything, so a text in it is only no time.
pub(crate) fn measured_at(
    fields: &BTreeMap<String, &RawValue>,
    received_at: Timestamp,
) -> Result<(Timestamp, DeviceClock), Refusal> {
    let field = |name: &str| fields.get(name).filter(|raw| raw.get() != "null");
    let [own, anybodys] = TIME_FIELDS;
    let claimed = match field(own) {
        Some(raw) => Some(Measure::from_json(own, raw)?),
        None => field(anybodys).and_then(|raw| Measure::from_json(anybodys, raw).ok()),
    };
    Ok(claimed.map_or((received_at, DeviceClock::Missing), |millis| DeviceClock::judge(millis.value(), received_at)))
}

#[cfg(test)]
mod tests {
    use loam_domain::{Readings, RefusalCode};

    use super::*;

    const RECEIVED: Timestamp = Timestamp::from_millis(1_598_536_072_700);

    fn time_in(payload: &str) -> Result<(Timestamp, DeviceClock), RefusalCode> {
        measured_at(&serde_json::from_str(payload).unwrap(), RECEIVED).map_err(|refusal| refusal.code)
    }

    #[test]
    fn time_stamp_epoch_goes_before_timestamp() {
        let payload = r#"{"timestamp":1598536072001,"timeStampEpoch":1598536072002}"#;
        assert_eq!(time_in(payload).unwrap(), (Timestamp::from_millis(1_598_536_072_002), DeviceClock::Believed));
        let payload = r#"{"timestamp":1598536072001,"timeStampEpoch":null}"#;
        assert_eq!(time_in(payload).unwrap(), (Timestamp::from_millis(1_598_536_072_001), DeviceClock::Believed));
    }

    #[test]
    fn a_timestamp_that_is_a_text_is_no_time_but_a_wrong_time_stamp_epoch_is_refused() {
        let payload = r#"{"timestamp":"2020-08-27T13:47:52Z"}"#;
        assert_eq!(time_in(payload).unwrap(), (RECEIVED, DeviceClock::Missing));
        assert_eq!(time_in(r#"{"timeStampEpoch":"yesterday"}"#).unwrap_err(), RefusalCode::NotANumber);
    }

    #[test]
    fn a_sensors_clock_is_believed_exactly_when_a_soil_readings_is() {
        let edges = [0, 300_000, 300_001, -604_800_000, -604_800_001];
        for ahead in edges {
            let time = RECEIVED.plus_millis(ahead).as_millis();
            let soil = format!(r#"{{"name":"a","humidity":1,"timeStampEpoch":{time}}}"#);
            let (_, reading) = Readings::parse(soil.as_bytes(), RECEIVED).unwrap().accepted.remove(0);
            let of_sensor = time_in(&format!(r#"{{"timestamp":{time}}}"#)).unwrap();
            assert_eq!(of_sensor, (reading.measured_at, reading.clock), "{ahead}");
        }
    }
}
