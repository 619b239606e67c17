//! JSON as Python's `json.dumps` writes it: what callers and devices of the published sample read, byte for byte.
//!
//! But for whole numbers beyond 64 bits, which become floats here, and names that an object has twice, which stay.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};
use serde_json::value::RawValue;

/// From this decimal exponent on, Python writes a float with an exponent; below the other one as well.
const LARGE: i32 = 16;
const SMALL: i32 = -4;

/// `value` as Python would write it.
///
/// # Errors
/// When `value` is no JSON, for example a map with keys that are no strings.
pub(crate) fn dumps(value: &impl Serialize) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Python))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// JSON text as Python would write what it reads from it. The order of keys stays.
///
/// # Errors
/// When it is nested deeper than 128 levels.
pub(crate) fn again(text: &RawValue) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text.get());
    serde_transcode::transcode(&mut reader, &mut serde_json::Serializer::with_formatter(&mut bytes, Python))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// `", "` and `": "` between things, and nothing but ASCII.
struct Python;

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            // Python keeps DEL as it is; everything beyond ASCII becomes one or two UTF-16 units.
            if character.is_ascii() {
                write!(writer, "{character}")?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Quote => writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::Backspace => writer.write_all(b"\\b"),
            CharEscape::FormFeed => writer.write_all(b"\\f"),
            CharEscape::LineFeed => writer.write_all(b"\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\r"),
            CharEscape::Tab => writer.write_all(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04x}"),
        }
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float(value).as_bytes())
    }
}

/// The shortest digits that read back as the same float, placed as Python's `repr` places them.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let Ok(exponent) = exponent.parse::<i32>() else { return scientific };
    if (SMALL..LARGE).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(text: &str) -> String {
        again(&RawValue::from_string(text.to_owned()).unwrap()).unwrap()
    }

    #[test]
    fn blanks_stand_where_python_puts_them() {
        assert_eq!(
            through(r#"{"b":[1,2,{}],"a":{"x":null,"y":[]}}"#),
            r#"{"b": [1, 2, {}], "a": {"x": null, "y": []}}"#
        );
    }

    #[test]
    fn the_order_of_keys_is_the_device_s() {
        assert_eq!(through(r#"{"z":1,"a":2,"m":3}"#), r#"{"z": 1, "a": 2, "m": 3}"#);
    }

    #[test]
    fn what_is_no_ascii_is_written_as_utf_16_units() {
        assert_eq!(through("\"é 😀 \u{7f}\""), "\"\\u00e9 \\ud83d\\ude00 \u{7f}\"");
        assert_eq!(through(r#""\/\u00e9\n\u0001""#), r#""/\u00e9\n\u0001""#);
    }

    #[test]
    fn floats_are_written_as_python_s_repr_does() {
        for (json, python) in [
            ("1.0", "1.0"),
            ("0.1", "0.1"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1.5e300", "1.5e+300"),
            ("-0.0", "-0.0"),
            ("123456789012345680.0", "1.2345678901234568e+17"),
        ] {
            assert_eq!(through(json), python, "{json}");
        }
    }

    #[test]
    fn a_text_nested_too_deep_is_an_error_and_no_crash() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(serde_json::value::RawValue::from_string(deep).map_or(true, |raw| again(&raw).is_err()));
    }
}
