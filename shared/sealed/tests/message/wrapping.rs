use loam_sealed::{DataKey, EncryptedDataKey, Error, WrappingKey};

use crate::sample::{context, data_key, header, wrapping_key};

#[test]
fn a_wrapped_key_names_its_provider_its_key_and_its_iv() {
    let wrapped = wrapping_key().wrap(&data_key(), &context(), [3; 12]).unwrap();
    assert_eq!(wrapped.provider_id(), "loam");
    let expected = [b"transfer-1".as_slice(), &[0, 0, 0, 128], &[0, 0, 0, 12], &[3; 12]].concat();
    assert_eq!(wrapped.provider_info(), expected);
    assert_eq!(wrapped.ciphertext().len(), 48);
}

#[test]
fn a_key_of_another_name_or_namespace_is_not_tried() {
    let header = header(5, 64);
    for (namespace, name) in [("loam", "transfer-2"), ("moal", "transfer-1"), ("loam", "transfer-")] {
        let other = WrappingKey::new(namespace, name, &[9; 32]).unwrap();
        assert_eq!(other.unwrap(header.encrypted_data_keys(), &context()).unwrap_err(), Error::NoMatchingDataKey);
    }
}

#[test]
fn another_key_of_the_same_name_opens_nothing() {
    let other = WrappingKey::new("loam", "transfer-1", &[8; 32]).unwrap();
    let found = other.unwrap(header(5, 64).encrypted_data_keys(), &context());
    assert_eq!(found.unwrap_err(), Error::DataKeyNotAuthentic);
}

#[test]
fn a_spoiled_copy_before_the_good_one_does_not_hide_it() {
    let wrap = |key: &WrappingKey| key.wrap(&DataKey::new([1; 32]), &context(), [3; 12]).unwrap();
    let spoiled = wrap(&WrappingKey::new("loam", "transfer-1", &[8; 32]).unwrap());
    let good = wrap(&wrapping_key());
    assert!(wrapping_key().unwrap(&[spoiled, good], &context()).is_ok());
}

#[test]
fn the_names_of_a_wrapping_key_are_bounded_and_not_those_of_kms() {
    let code = |namespace: &str, name: &str| WrappingKey::new(namespace, name, &[0; 32]).err().map(|e| e.code());
    assert_eq!(code("n", "k"), None);
    assert_eq!(code("", "k"), Some("invalid-encrypted-data-key"));
    assert_eq!(code("n", ""), Some("invalid-encrypted-data-key"));
    assert_eq!(code(EncryptedDataKey::AWS_KMS, "k"), Some("invalid-encrypted-data-key"));
    assert_eq!(code(&"n".repeat(129), "k"), Some("encrypted-data-key-too-large"));
    assert_eq!(code("n", &"k".repeat(2048 - 20 + 1)), Some("encrypted-data-key-too-large"));
    assert_eq!(code("n", &"k".repeat(2048 - 20)), None);
}
