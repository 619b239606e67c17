//! What a certificate's thing would be called.

use loam_domain::ThingName;

use crate::certificate::{Certificate, Field};
use crate::profile::{NameFrom, Profile};
use crate::reason::Reason;

/// The name that the profile takes from the certificate; where there is none, every reason why. `prefix` is the first
/// level of the topics on which devices answer calls.
///
/// # Errors
/// At least one reason. A name that keeps the rules and only breaks the pattern is no name either.
pub fn thing_name(certificate: &Certificate, profile: &Profile, prefix: &str) -> Result<ThingName, Vec<Reason>> {
    let field = match profile.document().name_from {
        NameFrom::Cn => &certificate.common_name,
        NameFrom::Serial => &certificate.subject_serial,
    };
    let text = match field {
        Field::Missing => return Err(vec![Reason::NameMissing]),
        Field::Several => return Err(vec![Reason::NameAmbiguous]),
        Field::Odd => return Err(vec![Reason::InvalidName]),
        Field::Text(text) => text,
    };
    let mut reasons = Vec::new();
    if !profile.names(text) {
        reasons.push(Reason::NamePattern);
    }
    match ThingName::parse(text) {
        Ok(_) if is_reserved(text, prefix) => reasons.push(Reason::ReservedName),
        Ok(name) if reasons.is_empty() => return Ok(name),
        Ok(_) => {}
        Err(_) if has_the_form_of_a_name(text) => reasons.push(Reason::ReservedName),
        Err(_) => reasons.push(Reason::InvalidName),
    }
    Err(reasons)
}

/// A thing of such a name could read everybody's answers: a policy's `*` matches `/` as well.
fn is_reserved(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// A text of this form that is no [`ThingName`] is a reserved one.
fn has_the_form_of_a_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":_-".contains(&byte);
    (1..=ThingName::MAX_LENGTH).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    macro_rules! read {
        ($name:literal) => {
            Certificate::from_pem(include_str!(concat!("../tests/certificates/", $name, ".pem"))).unwrap()
        };
    }

    fn profile(document: serde_json::Value) -> Profile {
        Profile::check(serde_json::from_value(document).unwrap()).unwrap()
    }

    fn open() -> Profile {
        profile(json!({"enabled": true}))
    }

    fn codes(certificate: &Certificate, profile: &Profile) -> Vec<&'static str> {
        thing_name(certificate, profile, "call").unwrap_err().into_iter().map(Reason::as_str).collect()
    }

    fn named(name: &str, prefix: &str) -> Result<ThingName, Vec<Reason>> {
        let mut certificate = read!("p256");
        certificate.common_name = Field::Text(name.to_owned());
        thing_name(&certificate, &open(), prefix)
    }

    #[test]
    fn a_thing_is_called_by_its_common_name_or_its_subjects_serial_number() {
        assert_eq!(thing_name(&read!("p256"), &open(), "call").unwrap().as_str(), "sensor7");
        let by_serial = profile(json!({"enabled": true, "nameFrom": "serial"}));
        assert_eq!(thing_name(&read!("p256"), &by_serial, "call").unwrap().as_str(), "4711");
        assert_eq!(codes(&read!("p384"), &by_serial), ["name-missing"]);
    }

    #[test]
    fn a_name_that_is_missing_doubled_or_no_name_is_told_apart() {
        assert_eq!(codes(&read!("no-name"), &open()), ["name-missing"]);
        assert_eq!(codes(&read!("two-names"), &open()), ["name-ambiguous"]);
        for certificate in
            [read!("name-with-nul"), read!("name-with-wildcard"), read!("name-bmp"), read!("name-umlaut")]
        {
            assert_eq!(codes(&certificate, &open()), ["invalid-name"]);
        }
    }

    #[test]
    fn a_broken_pattern_and_a_bad_name_are_both_told() {
        let strict = profile(json!({"enabled": true, "namePattern": "soil.*"}));
        assert_eq!(codes(&read!("p256"), &strict), ["name-pattern"]);
        assert_eq!(codes(&read!("name-with-wildcard"), &strict), ["name-pattern", "invalid-name"]);
        assert_eq!(codes(&read!("name-reserved"), &strict), ["name-pattern", "reserved-name"]);
    }

    #[test]
    fn loams_own_topics_and_the_prefix_of_answers_are_reserved() {
        for name in ["device", "lwt", "loam", "call", "call_", "call_7"] {
            assert_eq!(named(name, "call"), Err(vec![Reason::ReservedName]), "{name}");
        }
        for name in ["call7", "cal", "xcall", "Call", "loam-call"] {
            assert!(named(name, "call").is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_of_128_characters_is_taken_and_one_of_129_is_not() {
        assert!(named(&"a".repeat(128), "call").is_ok());
        assert_eq!(named(&"a".repeat(129), "call"), Err(vec![Reason::InvalidName]));
        assert_eq!(named("", "call"), Err(vec![Reason::InvalidName]));
    }
}
