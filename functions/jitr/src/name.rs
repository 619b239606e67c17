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
