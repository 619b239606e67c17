//! Messages made by the official client for Python (`vectors/make.py`).

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use loam_sealed::{DataKey, EncryptionContext, Error, Header, MessageId, Sealer, UnverifiedHeader, WrappingKey};
use serde::Deserialize;

use crate::sample::plaintext;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    plaintext_length: usize,
    frame_length: u32,
    namespace: String,
    key_name: String,
    wrapping_key: String,
    context: BTreeMap<String, String>,
    message: String,
    refused: Option<String>,
}

impl Vector {
    fn message(&self) -> Vec<u8> {
        BASE64_STANDARD.decode(&self.message).unwrap()
    }

    fn context(&self) -> EncryptionContext {
        EncryptionContext::new(self.context.clone()).unwrap()
    }

    fn wrapping_key(&self) -> WrappingKey {
        let hex = |at: usize| u8::from_str_radix(&self.wrapping_key[at * 2..at * 2 + 2], 16).unwrap();
        WrappingKey::new(&self.namespace, &self.key_name, &std::array::from_fn(hex)).unwrap()
    }

    fn open(&self) -> Result<(Header, DataKey, Vec<u8>), Error> {
        let message = self.message();
        let (unverified, mut body) = UnverifiedHeader::parse(&message)?;
        let key = unverified.unwrap_key(&self.wrapping_key())?;
        let mut opener = unverified.open(&key, &self.context())?;
        let mut plaintext = Vec::new();
        while let Some(frame) = opener.open(&mut body)? {
            plaintext.extend_from_slice(frame);
        }
        let header = opener.header().clone();
        opener.finish().map(|()| (header, key, plaintext))
    }
}

fn vectors() -> (Vec<Vector>, Vec<Vector>) {
    let all: Vec<Vector> = serde_json::from_str(include_str!("../../vectors/official.json")).unwrap();
    all.into_iter().partition(|vector| vector.refused.is_none())
}

#[test]
fn what_the_official_client_made_opens_here() {
    let (good, _) = vectors();
    assert_eq!(good.len(), 10);
    for vector in good {
        let (header, _, opened) = vector.open().unwrap();
        assert_eq!(opened, plaintext(vector.plaintext_length));
        assert_eq!(header.frame_length().get(), vector.frame_length);
        assert_eq!(header.encrypted_data_keys().len(), 2);
    }
}

#[test]
fn with_its_key_and_id_we_seal_byte_for_byte_what_the_official_client_made() {
    for vector in vectors().0 {
        let (header, key, opened) = vector.open().unwrap();
        let again = Header::new(
            MessageId::new(*header.message_id().as_bytes()),
            vector.context(),
            header.encrypted_data_keys().to_vec(),
            header.frame_length(),
        );
        let again = again.unwrap();
        let mut message = again.seal(&key).unwrap();
        let mut sealer = Sealer::new(&key, &again).unwrap();
        sealer.update(&opened, &mut message).unwrap();
        sealer.finish(&mut message).unwrap();
        assert!(message == vector.message(), "{} bytes", vector.plaintext_length);
    }
}

#[test]
fn other_suites_and_unframed_bodies_of_the_official_client_are_refused() {
    let (_, refused) = vectors();
    assert_eq!(refused.len(), 3);
    for vector in refused {
        let message = vector.message();
        let code = UnverifiedHeader::parse(&message).unwrap_err().code();
        assert_eq!(Some(code), vector.refused.as_deref());
    }
}
