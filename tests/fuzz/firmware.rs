//! The parsers of firmware: what people upload and order, what S3 tells of it, what devices say, and what they hear.

use std::collections::BTreeSet;

use firmware::intake::Notice;
use firmware::progress::{MOST_BYTES as MOST_WORD_BYTES, MOST_CODE_BYTES, Progress, reported};
use firmware::release::{Descriptor, MOST_DESCRIPTOR_BYTES, MOST_NOTES_BYTES};
use firmware::rollout::definition::{Definition, Size};
use firmware::rollout::waves::deal;
use loam_device::Message;
use loam_device::ota::Notice as Heard;
use loam_domain::{ThingName, Timestamp};
use loam_releases::manifest::{MOST_BYTES, MOST_HARDWARE, Manifest};
use loam_releases::names::{Digest, Id};
use loam_releases::signature::{Keyring, PublicKey};
use serde_json::Value;

/// The input is a descriptor. What is understood makes a manifest that can be signed and is read as it was written.
pub(crate) fn release_descriptor(input: &[u8]) -> bool {
    let descriptor = match Descriptor::parse(input) {
        Ok(descriptor) => descriptor,
        Err(refused) => {
            assert!(!refused.to_string().is_empty());
            return false;
        }
    };
    assert!(input.len() <= MOST_DESCRIPTOR_BYTES && descriptor.notes.len() <= MOST_NOTES_BYTES);
    assert!(!descriptor.image.contains('/') && (1..=MOST_HARDWARE).contains(&descriptor.hardware.len()));
    let issued_at = Timestamp::from_millis(1_800_000_000_000);
    let draft = descriptor.draft("incoming/a/release.json", "v1", 1, Digest::of(input), issued_at);
    let manifest = Manifest {
        signer: Id::of("signer", &["fuzz"]),
        sequence: 1,
        issued_at,
        not_after: issued_at.plus_millis(1),
        firmware: draft.firmware,
        downgrade: false,
    };
    let bytes = manifest.to_bytes();
    assert!(bytes.len() <= MOST_BYTES);
    assert_eq!(Manifest::parse(&bytes), Ok(manifest));
    true
}

/// The input is a message of the bucket. What is understood lies in a folder of uploads, and so does its image.
pub(crate) fn upload_notice(input: &[u8]) -> bool {
    match Notice::parse(&String::from_utf8_lossy(input)) {
        Ok(Notice::Test) => true,
        Ok(Notice::Uploads(uploads)) => {
            for upload in &uploads {
                let folder = upload.key.strip_prefix("incoming/").unwrap().strip_suffix("/release.json").unwrap();
                assert!(!folder.contains('/') && !folder.is_empty() && !upload.version.is_empty());
                assert_eq!(upload.beside("app.bin"), format!("incoming/{folder}/app.bin"));
            }
            !uploads.is_empty()
        }
        Err(refused) => {
            assert!(!refused.code().is_empty() && refused.to_string().len() < 400);
            false
        }
    }
}

/// The input is a definition. What is understood makes sense, is read as it is written, and has a wave for every thing.
pub(crate) fn rollout_definition(input: &[u8]) -> bool {
    let definition = match Definition::parse(input) {
        Ok(definition) => definition,
        Err(refused) => {
            assert!(!refused.code().is_empty() && !refused.to_string().is_empty());
            return false;
        }
    };
    let written = serde_json::to_vec(&definition).unwrap();
    assert_eq!(Definition::parse(&written).as_ref(), Ok(&definition));
    let mut things: BTreeSet<ThingName> =
        (0..20).map(|number| ThingName::parse(&format!("t{number}")).unwrap()).collect();
    for wave in &definition.waves {
        if let Size::List(names) = &wave.size {
            things.extend(names.iter().cloned());
        }
    }
    let dealt = deal(&definition, &Id::of("rollout", &["fuzz"]), things.clone());
    assert_eq!(dealt.len(), definition.waves.len());
    assert_eq!(dealt.concat().len(), things.len());
    true
}

/// The input is what a device says of its update, or what it reports to run.
pub(crate) fn firmware_word(input: &[u8]) -> bool {
    let at = Timestamp::from_millis(7);
    let runs = serde_json::from_slice::<Value>(input).is_ok_and(|value| reported(&value, at).0.is_some());
    match Progress::parse(input) {
        Ok(progress) => {
            assert!(input.len() <= MOST_WORD_BYTES && progress.percent.is_none_or(|percent| percent <= 100));
            assert!(progress.code.as_ref().is_none_or(|code| (1..=MOST_CODE_BYTES).contains(&code.len())));
            let _intent = progress.intent(at);
            true
        }
        Err(refused) => {
            assert!(!refused.to_string().is_empty());
            runs
        }
    }
}

/// The input is what a device hears of its firmware, on each of its topics. What a grant or a job brings is not yet trusted:
/// no key verifies it here.
pub(crate) fn firmware_notice(input: &[u8]) -> bool {
    const ID: &str = "00000000000000000000000000000000";
    // Of no private key that anybody has.
    let keys = Keyring::new(vec![PublicKey::from_point(&[4; 65]).unwrap()]).unwrap();
    let grant = format!("loam/t1/firmware/{ID}/grant");
    let topics = ["$aws/things/t1/shadow/update/documents", "$aws/things/t1/shadow/get/accepted", &grant];
    let mut good = false;
    for topic in
        topics.into_iter().chain(["$aws/things/t1/jobs/notify-next", "$aws/things/t1/jobs/start-next/accepted"])
    {
        let (topic, payload) = (topic.to_owned(), input.to_vec());
        let message = Message { topic, payload, response_topic: None, correlation_data: None, duplicate: false };
        let Ok(heard) = Heard::parse("t1", &message) else { continue };
        let signed = match heard {
            Heard::Grant(rollout, signed) => {
                assert_eq!(rollout.as_str(), ID);
                Some(signed)
            }
            Heard::Job(job) => job.and_then(|job| job.signed),
            Heard::Shadow(..) => None,
        };
        if let Some(signed) = signed {
            assert!(keys.verify(&signed.manifest, &signed.signature).is_err());
        }
        good = true;
    }
    good
}

/// The input is a manifest. There is one form only: what is read is written as it was.
pub(crate) fn firmware_manifest(input: &[u8]) -> bool {
    match Manifest::parse(input) {
        Ok(manifest) => {
            assert_eq!(manifest.to_bytes(), input);
            true
        }
        Err(refused) => {
            assert!(refused.line <= 14);
            false
        }
    }
}
