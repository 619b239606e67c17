use std::fmt;

use serde_json::value::RawValue;

use crate::{Refusal, RefusalCode};

/// The longest text that is read as a number, in bytes; no sensor needs more digits.
const MAX_TEXT: usize = 64;

/// A measured value: a finite number, with the digits in which the device wrote it.
///
/// The digits are kept because the classic notice prints a value as it came: `20`, not `20.0`.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    value: f64,
    text: String,
}

impl Measure {
    /// Reads a JSON number, or a JSON string that holds one (AWS IoT SQL compares such a string as a number, and the
    /// classic simulator sends its first reading so).
    ///
    /// # Errors
    /// [`RefusalCode::WrongType`] for any other JSON value, [`RefusalCode::NotANumber`] for a string or number that is
    /// no finite decimal number, or is longer than 64 bytes.
    pub fn from_json(field: &str, raw: &RawValue) -> Result<Self, Refusal> {
        let token = raw.get().trim();
        match token.bytes().next() {
            Some(b'"') => {
                let text: String = serde_json::from_str(token).map_err(|_| not_a_number(field, "an invalid string"))?;
                Self::from_text(field, text.trim())
            }
            Some(b'-' | b'0'..=b'9') => Self::from_text(field, token),
            Some(b'{') => Err(wrong_type(field, "an object")),
            Some(b'[') => Err(wrong_type(field, "an array")),
            _ => Err(wrong_type(field, "a boolean or null")),
        }
    }

    fn from_text(field: &str, text: &str) -> Result<Self, Refusal> {
        if text.len() > MAX_TEXT || !is_decimal(text) {
            return Err(not_a_number(field, "a text that is no decimal number"));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Self { value, text: text.to_owned() }),
            _ => Err(not_a_number(field, "a number beyond the range of a 64-bit float")),
        }
    }

    /// The number; always finite.
    #[must_use]
    pub const fn value(&self) -> f64 {
        self.value
    }
}

impl fmt::Display for Measure {
    /// The digits as the device wrote them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Whether `text` is a decimal number as JSON writes them: `f64::from_str` also takes `inf`, `nan`, `.5` and `1.`.
fn is_decimal(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text)
        .is_ok_and(|raw| raw.get() == text && text.starts_with(|first: char| first == '-' || first.is_ascii_digit()))
}

fn not_a_number(field: &str, found: &str) -> Refusal {
    Refusal::new(RefusalCode::NotANumber, format!("the field `{field}` holds {found}, expected a finite number"))
}

fn wrong_type(field: &str, found: &str) -> Refusal {
    Refusal::new(
        RefusalCode::WrongType,
        format!("the field `{field}` is {found}, expected a number or a string of one"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn measure(json: &str) -> Result<Measure, RefusalCode> {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        Measure::from_json("humidity", &raw).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_number_and_a_string_of_the_same_digits_are_the_same_measure() {
        assert_eq!(measure("20").unwrap(), measure("\"20\"").unwrap());
        assert_eq!(measure("\" 20 \"").unwrap().to_string(), "20");
    }

    #[test]
    fn the_digits_stay_as_they_were_written() {
        for digits in ["20", "20.0", "-0.50", "2e1", "34.999999999999999"] {
            assert_eq!(measure(digits).unwrap().to_string(), digits);
        }
    }

    #[test]
    fn words_and_numbers_beyond_the_range_are_no_numbers() {
        for json in ["\"abc\"", "\"\"", "\"NaN\"", "\"inf\"", "1e400", "\"1e400\"", "\"0x10\"", "\".5\"", "\"1 2\""] {
            assert_eq!(measure(json).unwrap_err(), RefusalCode::NotANumber, "{json}");
        }
        assert_eq!(measure(&"9".repeat(65)).unwrap_err(), RefusalCode::NotANumber);
    }

    #[test]
    fn another_json_type_is_a_wrong_type() {
        for json in ["null", "true", "{}", "[20]", "{\"value\":20}"] {
            assert_eq!(measure(json).unwrap_err(), RefusalCode::WrongType, "{json}");
        }
    }

    proptest! {
        #[test]
        fn every_finite_float_survives_the_way_through_json(value in -1e300..1e300_f64) {
            let json = serde_json::to_string(&value).unwrap();
            prop_assume!(json.len() <= MAX_TEXT);
            prop_assert!((measure(&json).unwrap().value() - value).abs() <= f64::EPSILON * value.abs());
        }

        #[test]
        fn no_string_makes_it_panic(text in ".*") {
            let _ = measure(&serde_json::to_string(&text).unwrap());
        }
    }
}
