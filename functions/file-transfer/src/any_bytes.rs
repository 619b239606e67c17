//! Whatever bytes devices send and rows hold: no parser of this crate panics.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::device_word;
use crate::digest::{FileDigest, Kept};
use crate::head::Head;
use crate::ids::TransferId;
use crate::plan::{Layout, Plan};
use crate::transfer::tests::at;

fn fields() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<u64>().prop_map(|number| number.to_string()),
        "[0-9a-f]{30,66}".prop_map(|text| format!("{text:?}")),
        "\\PC{0,8}".prop_map(|text| format!("{text:?}")),
        Just("null".to_owned()),
    ];
    let name = "transferId|attempt|size|sha256|refused|name|frameLength|from|key|header|wrappingKey";
    vec((name, value), 0..7).prop_map(|fields| {
        let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    })
}

proptest! {
    #[test]
    fn no_payload_and_no_topic_break_anything(bytes in vec(any::<u8>(), 0..200), text in fields(), topic in "\\PC{0,80}") {
        for payload in [bytes.as_slice(), text.as_bytes()] {
            for topic in [topic.as_str(), "loam/t1/files/request", "loam/t1/files/complete"] {
                let _ = device_word::parse(topic, payload, at(5));
            }
            if let Ok(head) = serde_json::from_slice::<Head>(payload) {
                let _ = head.data_key_ciphertext();
            }
        }
        let _ = TransferId::parse(&topic);
    }

    #[test]
    fn no_row_and_no_length_break_anything(text in "[A-Za-z0-9+/=]{0,200}", size: u64, frame: u32, part: u32) {
        if let Ok(kept) = serde_json::from_value::<Kept>(text.into()) {
            let _ = FileDigest::go_on(Some(&kept));
        }
        let plan = Plan::new(Layout { size, frame_length: frame });
        if let Ok(plan) = plan {
            let _ = plan.part(part);
        }
        prop_assert!(Layout::new(size, frame).is_err() || plan.is_ok());
    }
}
