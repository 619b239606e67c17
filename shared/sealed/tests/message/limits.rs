use loam_sealed::{DataKey, EncryptedDataKey, EncryptionContext, Error, FrameLength, Header, HeaderReader, MessageId};

use crate::sample::{FRAME, context, frame, header, message, open};

/// Where the fields of the sample header stand.
const CONTEXT_LENGTH: usize = 1 + 2 + 32;

fn context_bytes() -> usize {
    usize::from(u16::from_be_bytes(message(0)[CONTEXT_LENGTH..][..2].try_into().unwrap()))
}

fn code_with(at: usize, bytes: &[u8]) -> &'static str {
    let mut changed = message(FRAME);
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    let outcome = open(&changed);
    assert!(outcome.released.is_empty());
    outcome.code()
}

fn content_type_at() -> usize {
    header(5, FRAME).seal(&DataKey::new([7; 32])).unwrap().len() - 16 - 32 - 4 - 1
}

#[test]
fn declared_lengths_of_two_to_the_16_and_32_are_refused_before_they_are_believed() {
    let keys = CONTEXT_LENGTH + 2 + context_bytes();
    assert_eq!(code_with(CONTEXT_LENGTH, &[0xFF; 2]), "context-too-large");
    assert_eq!(code_with(keys, &[0xFF; 2]), "too-many-encrypted-data-keys");
    assert_eq!(code_with(keys, &[0; 2]), "no-encrypted-data-key");
    assert_eq!(code_with(keys + 2, &[0xFF; 2]), "encrypted-data-key-too-large");
    assert_eq!(code_with(content_type_at() + 1, &[0xFF; 4]), "invalid-frame-length");
    assert_eq!(code_with(content_type_at() + 1, &[0; 4]), "invalid-frame-length");
}

#[test]
fn a_final_frame_of_two_to_the_32_bytes_is_refused_before_it_is_read() {
    let (header, mut body) = crate::sample::seal(&header(5, FRAME), &[]);
    body[20..24].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(open(&[header, body].concat()).result, Err(Error::FinalFrameTooLong(u32::MAX)));
}

#[test]
fn an_unframed_body_of_two_to_the_63_bytes_is_refused_by_its_content_type() {
    let mut changed = message(0);
    let at = content_type_at();
    changed[at..at + 5].copy_from_slice(&[1, 0, 0, 0, 0]);
    changed.truncate(at + 5 + 32 + 16);
    changed.extend([0; 12]);
    changed.extend((1_u64 << 63).to_be_bytes());
    assert_eq!(open(&changed).result, Err(Error::UnsupportedContentType(1)));
}

#[test]
fn a_header_that_declares_the_most_everywhere_is_never_held_beyond_its_limits() {
    // Sixteen keys of the largest size: the reader stops asking at the sum of the limits.
    let context = EncryptionContext::new([("k", "v".repeat(8192 - 2 - 4 - 1))]).unwrap();
    let key = EncryptedDataKey::aws_kms(&"a".repeat(2048), vec![0; 6144]).unwrap();
    let full = Header::new(MessageId::new([0; 32]), context, vec![key; 16], frame(FRAME)).unwrap();
    let bytes = full.seal(&DataKey::new([7; 32])).unwrap();
    assert!(bytes.len() < 141 * 1024, "{}", bytes.len());
    assert!(HeaderReader::default().read(&mut bytes.as_slice()).unwrap().is_some());
}

#[test]
fn a_frame_length_is_1_byte_to_16_mebibytes() {
    assert_eq!(FrameLength::new(0), Err(Error::InvalidFrameLength(0)));
    assert_eq!(FrameLength::new(1).unwrap().get(), 1);
    assert_eq!(FrameLength::new(16 * 1024 * 1024).unwrap().get(), 16 * 1024 * 1024);
    assert_eq!(FrameLength::new(16 * 1024 * 1024 + 1), Err(Error::InvalidFrameLength(16 * 1024 * 1024 + 1)));
}

#[test]
fn a_context_of_8192_bytes_passes_and_of_8193_does_not() {
    let of = |bytes: usize| EncryptionContext::new([("k", "v".repeat(bytes - 2 - 4 - 1))]);
    assert!(of(8192).is_ok());
    assert_eq!(of(8193), Err(Error::ContextTooLarge(8193)));
}

#[test]
fn a_context_key_that_comes_twice_or_is_reserved_is_refused() {
    assert_eq!(EncryptionContext::new([("a", "1"), ("a", "2")]).unwrap_err().code(), "invalid-context");
    assert_eq!(EncryptionContext::new([("aws-crypto-public-key", "x")]).unwrap_err().code(), "invalid-context");
}

#[test]
fn sixteen_encrypted_data_keys_pass_and_none_or_seventeen_do_not() {
    let of = |count| {
        let key = EncryptedDataKey::aws_kms("arn", vec![0]).unwrap();
        Header::new(MessageId::new([0; 32]), context(), vec![key; count], frame(FRAME)).map(|_| ())
    };
    assert_eq!(of(0), Err(Error::NoEncryptedDataKey));
    assert_eq!(of(1), Ok(()));
    assert_eq!(of(16), Ok(()));
    assert_eq!(of(17), Err(Error::TooManyEncryptedDataKeys(17)));
}

#[test]
fn an_encrypted_data_key_holds_what_kms_gives_at_most() {
    let arn = |bytes| EncryptedDataKey::aws_kms(&"a".repeat(bytes), vec![0]).map(|_| ());
    let ciphertext = |bytes| EncryptedDataKey::aws_kms("arn", vec![0; bytes]).map(|_| ());
    assert_eq!((arn(2048), ciphertext(6144)), (Ok(()), Ok(())));
    for refused in [arn(2049), ciphertext(6145)] {
        assert_eq!(refused.unwrap_err().code(), "encrypted-data-key-too-large");
    }
    for refused in [arn(0), ciphertext(0)] {
        assert_eq!(refused.unwrap_err().code(), "invalid-encrypted-data-key");
    }
}

#[test]
fn every_error_says_what_to_do_and_has_its_own_code() {
    let errors = [Error::UnsupportedVersion(1), Error::UnsupportedSuite(0x0178), Error::InvalidFrameLength(0)];
    let texts = errors.map(|error| format!("{}: {error}", error.code()));
    assert!(texts[1].starts_with("unsupported-suite: the message's algorithm suite is 0x0178; only 0x0478"));
    assert!(texts[2].ends_with("is 0 bytes; it must be 1 to 16777216"), "{}", texts[2]);
}
