use std::path::{Path, PathBuf};

use serde_json::Value;

/// A resource of the expanded template.
pub(crate) struct Resource {
    pub(crate) id: String,
    pub(crate) properties: Value,
}

/// The template as CloudFormation gets it.
pub(crate) fn resources(kind: &str) -> Vec<Resource> {
    let resources = found(kind);
    assert!(!resources.is_empty(), "the template has no {kind}: this test would prove nothing");
    resources
}

/// The same, where there may be none.
pub(crate) fn found(kind: &str) -> Vec<Resource> {
    let expanded = expanded();
    let all = expanded.pointer("/cloudformation/Resources").and_then(Value::as_object).unwrap();
    let of_kind = all.iter().filter(|(_, resource)| resource.get("Type").is_some_and(|found| found == kind));
    of_kind
        .map(|(id, resource)| Resource {
            id: id.clone(),
            properties: resource.get("Properties").cloned().unwrap_or_default(),
        })
        .collect()
}

/// The template as it is written.
pub(crate) fn written() -> Value {
    expanded().get("sam").cloned().unwrap()
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "a test's own edge")]
fn expanded() -> Value {
    let path = std::env::var("LOAM_TEMPLATE").unwrap_or_else(|_| {
        panic!("LOAM_TEMPLATE is missing: run this test through `cargo xtask test --level contract`")
    });
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

impl Resource {
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.properties.pointer(pointer).unwrap_or(&Value::Null)
    }

    pub(crate) fn text(&self, pointer: &str) -> String {
        self.at(pointer).as_str().unwrap_or_else(|| panic!("{}: no text at {pointer}", self.id)).to_owned()
    }
}

/// The logical id that a `Ref` or `Fn::GetAtt` names.
pub(crate) fn target(value: &Value) -> Option<String> {
    let attribute = value.pointer("/Fn::GetAtt/0").or_else(|| value.get("Ref"))?;
    attribute.as_str().map(str::to_owned)
}
