//! Whatever bytes devices, uploaders and operators send: no parser of this crate panics, and what it takes keeps its rules.

use loam_domain::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::progress::{Progress, reported, topic};
use crate::release::Descriptor;
use crate::rollout::definition::Definition;

const FIELDS: &str = "state|percent|reasonCode|version|hardware|image|channel|waves|targets|size|release|errors";
const WORDS: &str = "downloading|failed|1\\.2\\.3|rest|c3|filter|[0-9a-f]{32}|\\PC{0,8}";

/// JSON of any depth and kind, or nearly, with the words that the parsers know.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        any::<u64>().prop_map(|number| format!("{number}e{}", number % 400)),
        any::<i8>().prop_map(|number| number.to_string()),
        WORDS.prop_map(|text| format!("{text:?}")),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            vec((FIELDS, inner), 0..6).prop_map(|fields| {
                let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_break_any_parser(bytes in vec(any::<u8>(), 0..300), text in json(), levels in vec("[a-z0-9+#$/]{0,40}", 0..9)) {
        for payload in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(progress) = Progress::parse(payload) {
                prop_assert!(progress.percent.is_none_or(|percent| percent <= 100));
            }
            if let Ok(definition) = Definition::parse(payload) {
                prop_assert_eq!(definition.check(), Ok(()));
            }
            let _ = Descriptor::parse(payload);
        }
        if let Ok(value) = serde_json::from_str(&text) {
            let _ = reported(&value, Timestamp::from_millis(1));
        }
        let _ = topic(&levels.join("/"));
    }
}

#[test]
fn a_thousand_brackets_are_no_json() {
    let deep = format!("{}1{}", "{\"state\":".repeat(1_000), "}".repeat(1_000));
    assert!(Progress::parse(&deep.as_bytes()[..4_096]).is_err());
    assert!(Definition::parse(deep.as_bytes()).is_err() && Descriptor::parse(deep.as_bytes()).is_err());
}
