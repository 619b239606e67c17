//! Whatever bytes strangers send: no parser of this crate panics, and what it takes keeps its rules.

use loam_domain::{ThingName, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::claim_code::ClaimCode;
use crate::code_hash::CodeHash;
use crate::device_key::{Algorithm, DeviceKey};
use crate::device_word::Reset;
use crate::people::UserId;
use crate::relay::IdentityId;
use crate::token::{ShareId, Token, TokenHash};
use crate::window::{MOST_SECONDS, Press};

const PEM: &str = include_str!("../tests/keys/p256.pem");

proptest! {
    #[test]
    fn no_payload_of_a_device_breaks_anything(payload in vec(any::<u8>(), 0..200), time: i64) {
        if let Ok(press) = Press::parse(&payload) {
            prop_assert!((0..=MOST_SECONDS).contains(&press.seconds));
        }
        if let Ok(reset) = Reset::parse(&payload, Timestamp::from_millis(time)) {
            prop_assert!(reset.epoch != Some(0));
        }
    }

    #[test]
    fn no_text_of_a_caller_breaks_anything(text in "\\PC{0,80}") {
        let _ = (Token::parse(&text), TokenHash::parse(&text), CodeHash::parse(&text), Algorithm::parse(&text));
        let _ = (ShareId::parse(&text), IdentityId::parse(&text), ThingName::parse(&text));
        if let Ok(code) = ClaimCode::parse(&text) {
            prop_assert_eq!(ClaimCode::parse(&code.spelled()), Ok(code));
        }
        if let Ok(user) = UserId::parse(&text) {
            prop_assert!(!user.as_str().contains(['\n', '=']));
        }
    }

    #[test]
    fn no_certificate_with_a_broken_byte_breaks_anything(place in 0..PEM.len(), byte in any::<u8>()) {
        let mut bytes = PEM.as_bytes().to_vec();
        bytes[place] = byte;
        if let Ok(key) = DeviceKey::from_pem(&String::from_utf8_lossy(&bytes)) {
            for algorithm in Algorithm::ALL {
                prop_assert!(key.verify(algorithm, "text", &bytes).is_err());
            }
        }
    }

    #[test]
    fn no_bytes_are_a_signature_of_anybody(signature in vec(any::<u8>(), 0..1_100)) {
        let key = DeviceKey::from_pem(PEM).unwrap();
        for algorithm in Algorithm::ALL {
            prop_assert!(key.verify(algorithm, "text", &signature).is_err());
        }
    }
}
