//! Allow and deny lists of a profile: by certificate, serial number or name.

use loam_domain::{CertificateId, ThingName};
use serde::{Deserialize, Serialize};

use crate::certificate::Certificate;

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum List {
    /// Who may join a profile in mode `listed`.
    Allow,
    /// Who may not join, whatever the mode.
    Deny,
}

impl List {
    /// Its word in paths and keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// What an entry names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A certificate by AWS's id.
    Certificate,
    /// The serial number in the subject (2.5.4.5), or the certificate's own in lower-case hexadecimal digits.
    Serial,
    /// The name of the thing that it would become.
    Name,
}

impl Kind {
    /// Its word in paths and keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Serial => "serial",
            Self::Name => "name",
        }
    }

    /// What a value of this kind must be.
    #[must_use]
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Certificate => "expected 64 lower-case hexadecimal digits",
            Self::Serial => "expected 1 to 128 characters of [A-Za-z0-9 ._:-]",
            Self::Name => "expected the name of a thing: 1 to 128 characters of [A-Za-z0-9:_-]",
        }
    }
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Which list.
    pub list: List,
    /// What it names.
    pub kind: Kind,
    value: String,
}

impl Entry {
    /// An entry whose value its kind can have; `None` for any other text.
    #[must_use]
    pub fn new(list: List, kind: Kind, value: &str) -> Option<Self> {
        let fits = match kind {
            Kind::Certificate => CertificateId::parse(value).is_ok(),
            Kind::Serial => is_serial(value),
            Kind::Name => ThingName::parse(value).is_ok(),
        };
        fits.then(|| Self { list, kind, value: value.to_owned() })
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Its sort key, for example `deny#serial#4711`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}#{}#{}", self.list.as_str(), self.kind.as_str(), self.value)
    }

    /// The entry of a sort key; `None` for a key that is none.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        let mut parts = key.splitn(3, '#');
        let list = [List::Allow, List::Deny].into_iter().find(|list| parts.clone().next() == Some(list.as_str()))?;
        parts.next();
        let word = parts.next()?;
        let kind = [Kind::Certificate, Kind::Serial, Kind::Name].into_iter().find(|kind| kind.as_str() == word)?;
        Self::new(list, kind, parts.next()?)
    }
}

fn is_serial(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ._:-".contains(&byte))
}

/// What the lists say of one certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listed {
    /// On the allow list.
    pub allowed: bool,
    /// On the deny list.
    pub denied: bool,
}

/// Every entry that would be about this certificate: at most eight, so that one read of the table decides.
#[must_use]
pub fn entries_about(certificate: &Certificate, name: Option<&ThingName>) -> Vec<Entry> {
    let subject = certificate.subject_serial.text();
    let named = [
        (Kind::Certificate, Some(certificate.id.as_str())),
        (Kind::Serial, Some(certificate.serial.as_str())),
        (Kind::Serial, subject.filter(|serial| *serial != certificate.serial)),
        (Kind::Name, name.map(ThingName::as_str)),
    ];
    let both = [List::Allow, List::Deny];
    let entry = |(kind, value): (Kind, Option<&str>)| both.map(|list| Entry::new(list, kind, value?));
    named.into_iter().flat_map(entry).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_back_from_its_key() {
        for (list, kind, value) in [
            (List::Allow, Kind::Certificate, "a".repeat(64)),
            (List::Deny, Kind::Serial, "47:11".to_owned()),
            (List::Deny, Kind::Name, "soil-1".to_owned()),
        ] {
            let entry = Entry::new(list, kind, &value).unwrap();
            assert_eq!(Entry::from_key(&entry.key()), Some(entry));
        }
        for key in ["profile", "deny#name", "deny#name#", "other#name#a", "deny#other#a", "deny#name#a#b", ""] {
            assert_eq!(Entry::from_key(key), None, "{key}");
        }
    }

    #[test]
    fn a_value_that_its_kind_cannot_have_is_no_entry() {
        for (kind, value) in [
            (Kind::Certificate, "A".repeat(64)),
            (Kind::Serial, String::new()),
            (Kind::Serial, "a#b".to_owned()),
            (Kind::Serial, "a".repeat(129)),
            (Kind::Name, "loam".to_owned()),
            (Kind::Name, "a/b".to_owned()),
        ] {
            assert_eq!(Entry::new(List::Deny, kind, &value), None, "{value}");
        }
        assert!(Entry::new(List::Deny, Kind::Serial, &"a".repeat(128)).is_some());
    }
}
