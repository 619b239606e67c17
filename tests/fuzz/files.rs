//! The parsers of files: sealed messages, what devices say of their transfers, and what is said to them.

use file_transfer::device_word::{MOST_CODE_BYTES, Word};
use file_transfer::event::Message as Heard;
use file_transfer::plan::{MOST_BYTES, Plan};
use loam_device::Message;
use loam_device::files::{Notice, Parts};
use loam_domain::ThingName;
use loam_sealed::{EncryptionContext, Error, HeaderReader, WrappingKey};

use crate::parsers::event;

/// A message that the official client made (`shared/sealed/vectors`), and what opens it.
const SEALED: &[u8] = include_bytes!("corpus/sealed-message/of-the-official-client");
const KEY: [u8; 32] = [
    0x3f, 0xce, 0x1c, 0xfb, 0xd6, 0xc2, 0xd5, 0xb9, 0x40, 0x0e, 0x53, 0xa7, 0xb7, 0x30, 0x0d, 0x69, 0xa8, 0x98, 0x78,
    0xfb, 0xda, 0xb4, 0x9c, 0x83, 0x55, 0xc6, 0x4d, 0x3b, 0x21, 0xfa, 0xb5, 0xe9,
];
const CONTEXT: [(&str, &str); 4] =
    [("thing", "sensor-1"), ("transferId", "0190-7b3a"), ("direction", "device-to-cloud"), ("Ümläut", "木")];
/// The rule by which its file was made.
fn byte_of_the_file(at: usize) -> u8 {
    u8::try_from((at * 7 + at / 256) % 251).unwrap()
}

/// The input is a sealed message, and comes in two pieces. No byte leaves but those of the file, in their order; and only
/// the one message is whole. Understood is what has a header.
pub(crate) fn sealed_message(input: &[u8]) -> bool {
    let (first, second) = input.split_at(input.len() / 2);
    let mut reader = HeaderReader::default();
    let mut opener = None;
    let mut released = 0;
    let mut broken = false;
    for mut piece in [first, second] {
        if opener.is_none() {
            match reader.read(&mut piece) {
                Ok(None) => continue,
                Ok(Some(header)) => match open(header) {
                    Ok(opened) => opener = Some(opened),
                    Err(error) => return !error.code().is_empty(),
                },
                Err(error) => return error.code().is_empty(),
            }
        }
        let Some(opener) = opener.as_mut() else { continue };
        loop {
            match opener.open(&mut piece) {
                Ok(Some(plaintext)) => {
                    assert!(plaintext.iter().zip(released..).all(|(byte, at)| *byte == byte_of_the_file(at)));
                    released += plaintext.len();
                }
                Ok(None) => break,
                Err(_) => {
                    broken = true;
                    break;
                }
            }
        }
    }
    let Some(opener) = opener else { return false };
    let whole = opener.finish().is_ok();
    assert_eq!(whole, input == SEALED && !broken, "only what was sealed is whole");
    true
}

fn open(header: loam_sealed::UnverifiedHeader) -> Result<loam_sealed::Opener, Error> {
    let key = header.unwrap_key(&WrappingKey::new("loam", "transfer-1", &KEY)?)?;
    header.open(&key, &EncryptionContext::new(CONTEXT)?)
}

/// The input is a message of the queue of files, or else what a device says of one. What it offers can be cut into parts.
pub(crate) fn file_message(input: &[u8]) -> bool {
    let topics = ["loam/t1/files/request", "loam/t1/files/complete"];
    let around = topics.map(|topic| event(topic, input).to_string());
    let mut good = false;
    for body in around.iter().map(String::as_str).chain([&*String::from_utf8_lossy(input)]) {
        match Heard::parse(body) {
            Ok(Heard::Said(thing, word)) => {
                assert!(ThingName::parse(thing.as_str()).is_ok());
                match word {
                    Word::Upload { layout, .. } => {
                        assert!(layout.size <= MOST_BYTES && Plan::new(layout).is_ok_and(|plan| plan.parts() > 0));
                    }
                    Word::Refuse { code, .. } => assert!((1..=MOST_CODE_BYTES).contains(&code.len())),
                    Word::Waiting | Word::Again { .. } | Word::Complete { .. } => {}
                }
                good = true;
            }
            Ok(_) => good = true,
            Err(refused) => assert!(!refused.code().is_empty() && refused.to_string().len() < 400),
        }
    }
    good
}

/// The input is what the cloud says to a device of a file. A grant that it would follow has parts within their bounds.
pub(crate) fn file_notice(input: &[u8]) -> bool {
    const ID: &str = "00000000000000000000000000000000";
    let mut good = false;
    for kind in ["grant", "rejected"] {
        let (topic, payload) = (format!("loam/t1/files/{ID}/{kind}"), input.to_vec());
        let message = Message { topic, payload, response_topic: None, correlation_data: None, duplicate: false };
        let Ok(notice) = Notice::parse("t1", &message) else { continue };
        assert_eq!(notice.transfer(), ID);
        if let Notice::Grant(grant) = notice {
            assert!(grant.open(&ThingName::parse("t1").unwrap()).is_err(), "no header here is for t1");
            if let Ok(parts) = Parts::of(&grant.file) {
                assert!(parts.part(1).is_some() && parts.part(grant.file.parts).is_some_and(|part| part.is_last));
            }
        }
        good = true;
    }
    good
}
