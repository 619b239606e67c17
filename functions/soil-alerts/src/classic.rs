//! Classic mode: one notice for each reading below the threshold.

use loam_domain::{Reading, ThingName};

use crate::Notice;

/// What a reading asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The soil is dry: say so.
    Notify(Notice),
    /// The soil is moist enough.
    Nothing,
}

/// Decides on one reading: strictly below `threshold` is dry, `threshold` itself never is.
#[must_use]
pub fn decide(thing: &ThingName, reading: &Reading, threshold: f64) -> Decision {
    if reading.humidity.value() < threshold { Decision::Notify(dry_notice(thing, reading)) } else { Decision::Nothing }
}

/// The classic notice, byte for byte.
#[must_use]
pub fn dry_notice(thing: &ThingName, reading: &Reading) -> Notice {
    let humidity = &reading.humidity;
    Notice {
        id: format!("{thing}:{}:{humidity}", reading.measured_at.as_millis()),
        kind: "dry",
        thing: thing.clone(),
        subject: "Attention:Humidity Under Threshold".to_owned(),
        message: format!("Humidity {humidity} under threshold for device name {}", reading.name),
    }
}

#[cfg(test)]
mod tests {
    use loam_domain::{Readings, Timestamp};

    use super::*;

    fn decision(humidity: &str) -> Decision {
        let payload = format!(r#"{{"name":"soilSensor2","humidity":{humidity},"timeStampEpoch":1598536072677}}"#);
        let readings = Readings::parse(payload.as_bytes(), Timestamp::from_millis(1_598_536_072_700)).unwrap();
        decide(&ThingName::parse("soilSensor2").unwrap(), &readings.accepted[0].1, 35.0)
    }

    #[test]
    fn a_reading_of_34_is_dry_and_one_of_35_is_not() {
        assert!(matches!(decision("34"), Decision::Notify(_)));
        assert!(matches!(decision("34.999"), Decision::Notify(_)));
        assert_eq!(decision("35"), Decision::Nothing);
        assert_eq!(decision("35.0"), Decision::Nothing);
    }

    #[test]
    fn a_reading_of_20_given_as_a_string_is_dry() {
        assert!(matches!(decision("\"20\""), Decision::Notify(_)));
        assert_eq!(decision("\"45\""), Decision::Nothing);
    }

    #[test]
    fn the_notice_is_the_classic_one_byte_for_byte() {
        let Decision::Notify(notice) = decision("32") else { panic!("32 is dry") };
        assert_eq!(notice.subject, "Attention:Humidity Under Threshold");
        assert_eq!(notice.message, "Humidity 32 under threshold for device name soilSensor2");
    }

    #[test]
    fn the_same_reading_has_the_same_notice_id_in_each_delivery() {
        assert_eq!(decision("32"), decision("32"));
        let Decision::Notify(notice) = decision("32") else { panic!("32 is dry") };
        assert_eq!(notice.id, "soilSensor2:1598536072677:32");
    }
}
