//! Whatever bytes devices and apps send: no parser of this crate panics, and what it takes keeps its rules.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::command_id::CommandId;
use crate::feedback::{self, MOST_RESULT_BYTES, Note};
use crate::mailbox::{Address, What};
use crate::order::MOST_PAYLOAD_BYTES;

/// JSON of any depth and kind, or nearly.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        any::<u64>().prop_map(|number| format!("{number}e{}", number % 400)),
        "\\PC{0,8}".prop_map(|text| format!("{text:?}")),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            vec(("[a-zR]{1,3}|desired|name|payload|requestId|result|version", inner), 0..6).prop_map(|fields| {
                let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_payload_breaks_anything(bytes in vec(any::<u8>(), 0..200), text in json()) {
        for payload in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(note) = Note::parse(payload) {
                prop_assert!(note.result.is_none_or(|result| result.to_string().len() <= MOST_RESULT_BYTES));
            }
            for tail in ["desired", "commands/request"] {
                let address = Address::parse(&format!("loam/users/r:i/things/t1/{tail}")).unwrap();
                if let Ok(wish) = address.wish(payload) {
                    match wish.what {
                        What::Desired { patch, .. } => prop_assert!(!patch.desired().contains_key("firmware")),
                        What::Command(order) => prop_assert!(order.payload.len() <= MOST_PAYLOAD_BYTES),
                    }
                }
            }
        }
    }

    #[test]
    fn no_topic_breaks_anything(text in "\\PC{0,300}", levels in vec("[a-z0-9+#$/]{0,40}", 0..9)) {
        for topic in [text, levels.join("/")] {
            let _ = (Address::parse(&topic), CommandId::parse(&topic));
            if let Ok((thing, id, _)) = feedback::topic(&topic) {
                prop_assert!(topic.contains(thing.as_str()) && topic.contains(id.as_str()));
            }
        }
    }
}

#[test]
fn a_thousand_brackets_are_no_json() {
    let deep = format!("{{\"requestId\":\"r\",\"desired\":{}1{}}}", "{\"a\":".repeat(1_000), "}".repeat(1_000));
    let address = Address::parse("loam/users/r:i/things/t1/desired").unwrap();
    assert!(address.wish(deep.as_bytes()).is_err());
    assert!(Note::parse(format!("{{\"result\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000)).as_bytes()).is_err());
}
