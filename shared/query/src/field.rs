use serde_json::Value;

/// A field of a thing: its names from the outside in, for example `properties`, `reported`, `humidity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    parts: Vec<String>,
}

impl Field {
    /// The field with these names, if a thing can have it.
    pub(crate) fn new(parts: Vec<String>) -> Option<Self> {
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        let known = matches!(
            names.as_slice(),
            ["deviceId" | "groups"]
                | ["tags" | "connectivity" | "firmware", _, ..]
                | ["properties", "desired" | "reported", _, ..]
        );
        known.then_some(Self { parts })
    }

    pub(crate) fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The only field that is always a list.
    pub(crate) fn is_groups(&self) -> bool {
        self.parts == ["groups"]
    }

    /// The only field that is always a string.
    pub(crate) fn is_device_id(&self) -> bool {
        self.parts == ["deviceId"]
    }

    /// The value in `document`; `None` where the source says `undefined`.
    pub(crate) fn value<'d>(&self, document: &'d Value) -> Option<&'d Value> {
        self.parts.iter().try_fold(document, |value, part| value.as_object()?.get(part.as_str()))
    }
}
