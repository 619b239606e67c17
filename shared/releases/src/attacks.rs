//! Ten attacks on a device's firmware; each is refused, and for its own reason.

use loam_domain::Timestamp;

use crate::accept::{Device, Reference, Refuse, Seen, accept};
use crate::image::Check;
use crate::manifest::Manifest;
use crate::samples::{Signer, firmware, hardware, image, manifest, version};
use crate::signature::Keyring;

const NOW: Timestamp = Timestamp::from_millis(1_500_000);

fn device() -> Device {
    Device { hardware: hardware("c3"), running: version("2.0.0"), security_counter: 3, seen: None, slot_bytes: 1_000 }
}

fn reference(manifest: &Manifest) -> Reference {
    Reference {
        release: manifest.firmware.release.clone(),
        version: manifest.firmware.version.clone(),
        sequence: manifest.sequence,
    }
}

/// A device's whole look at what it is offered, with its own key and the reference that belongs to the manifest.
fn look(manifest: &Manifest, device: &Device, clock: Option<Timestamp>) -> Result<Seen, Refuse> {
    let signer = Signer::new();
    let (bytes, signature) = signer.sign(manifest);
    let verified = Keyring::new(vec![signer.key()]).unwrap().verify(&bytes, &signature)?;
    accept(&verified, &reference(manifest), device, clock)
}

fn refused(manifest: &Manifest, device: &Device) -> Refuse {
    look(manifest, device, Some(NOW)).unwrap_err()
}

#[test]
fn what_is_newer_signed_and_announced_is_accepted() {
    let seen = look(&manifest(17, "2.1.0"), &device(), Some(NOW)).unwrap();
    assert_eq!((seen.sequence, seen.issued_at), (17, Timestamp::from_millis(1_000_000)));
    let mut again = device();
    again.seen = Some(seen);
    assert_eq!(look(&manifest(18, "2.1.0"), &again, Some(NOW)).unwrap().sequence, 18);
}

#[test]
fn attack_1_an_image_with_one_changed_bit_is_refused_whichever_it_is() {
    for place in 0..image("2.1.0").len() * 8 {
        let mut bytes = image("2.1.0");
        bytes[place / 8] ^= 1 << (place % 8);
        let mut check = Check::new(&firmware("2.1.0"));
        check.update(&bytes).unwrap();
        assert_eq!(check.finish(), Err(Refuse::ImageDigest));
    }
}

#[test]
fn attack_2_a_manifest_with_one_changed_bit_is_refused_whichever_it_is() {
    let signer = Signer::new();
    let keys = Keyring::new(vec![signer.key()]).unwrap();
    let (bytes, signature) = signer.sign(&manifest(17, "2.1.0"));
    let mut reasons = std::collections::BTreeSet::new();
    for place in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[place / 8] ^= 1 << (place % 8);
        reasons.insert(Refuse::from(keys.verify(&changed, &signature).unwrap_err()));
    }
    assert_eq!(
        reasons.into_iter().collect::<Vec<_>>(),
        [Refuse::Unsigned, Refuse::UnknownSigner, Refuse::BadSignature]
    );
}

#[test]
fn attack_3_another_signer_is_refused_and_so_is_one_who_takes_the_right_name() {
    let (ours, other) = (Signer::new(), Signer::new());
    let keys = Keyring::new(vec![ours.key()]).unwrap();
    let (bytes, signature) = other.sign(&manifest(17, "2.1.0"));
    assert_eq!(keys.verify(&bytes, &signature).map_err(Refuse::from), Err(Refuse::UnknownSigner));
    let (bytes, _) = ours.sign(&manifest(17, "2.1.0"));
    assert_eq!(keys.verify(&bytes, &other.sign_bytes(&bytes)).map_err(Refuse::from), Err(Refuse::BadSignature));
}

#[test]
fn attack_4_a_rollback_by_version_or_by_security_counter_is_refused() {
    assert_eq!(refused(&manifest(17, "1.9.9"), &device()), Refuse::OlderVersion);
    assert_eq!(refused(&manifest(17, "2.0.0-rc.1"), &device()), Refuse::OlderVersion);
    assert_eq!(refused(&manifest(17, "2.0.0"), &device()), Refuse::AlreadyInstalled);
    let mut weaker = manifest(17, "2.1.0");
    weaker.firmware.security_counter = 2;
    assert_eq!(refused(&weaker, &device()), Refuse::SecurityCounter);
    // An operator's roll back is signed as one; the counter holds even then.
    let meant = Manifest { downgrade: true, ..manifest(17, "1.9.9") };
    assert!(look(&meant, &device(), Some(NOW)).is_ok());
    let mut weaker = meant;
    weaker.firmware.security_counter = 2;
    assert_eq!(refused(&weaker, &device()), Refuse::SecurityCounter);
}

#[test]
fn attack_5_an_older_valid_manifest_is_refused_and_so_is_another_of_the_same_number() {
    let newest = manifest(17, "2.1.0");
    let signer = Signer::new();
    let keys = Keyring::new(vec![signer.key()]).unwrap();
    let verified = |manifest: &Manifest| {
        let (bytes, signature) = signer.sign(manifest);
        keys.verify(&bytes, &signature).unwrap()
    };
    let order = verified(&newest);
    let seen = accept(&order, &reference(&newest), &device(), Some(NOW)).unwrap();
    let device = Device { seen: Some(seen), ..device() };
    let try_again = |manifest: &Manifest| accept(&verified(manifest), &reference(manifest), &device, Some(NOW));
    assert_eq!(try_again(&manifest(16, "2.2.0")), Err(Refuse::Replayed));
    assert_eq!(try_again(&manifest(17, "2.2.0")), Err(Refuse::Replayed));
    assert_eq!(try_again(&newest), Ok(seen), "its own order, after a power cut");
}

#[test]
fn attack_6_a_frozen_manifest_is_refused_from_its_last_millisecond_on_and_a_clock_set_back_does_not_help() {
    let at = |millis| Some(Timestamp::from_millis(millis));
    let order = manifest(17, "2.1.0");
    assert!(look(&order, &device(), at(1_999_999)).is_ok());
    assert_eq!(look(&order, &device(), at(2_000_000)), Err(Refuse::Expired));
    assert_eq!(look(&order, &device(), None), Err(Refuse::ClockNotSet));
    let issued_at = Timestamp::from_millis(2_000_000);
    let seen = Seen { sequence: 16, digest: order.digest(), issued_at };
    assert_eq!(look(&order, &Device { seen: Some(seen), ..device() }, at(0)), Err(Refuse::Expired));
    let tomorrow = Manifest {
        issued_at: Timestamp::from_millis(86_400_000),
        not_after: Timestamp::from_millis(86_400_001),
        ..order
    };
    assert!(look(&tomorrow, &device(), at(0)).is_ok());
    assert_eq!(look(&tomorrow, &device(), at(-1)), Err(Refuse::NotYetValid));
}

#[test]
fn attack_7_firmware_for_other_hardware_is_refused() {
    assert_eq!(
        refused(&manifest(17, "2.1.0"), &Device { hardware: hardware("c2"), ..device() }),
        Refuse::WrongHardware
    );
}

#[test]
fn attack_8_data_without_an_end_is_refused_at_the_first_byte_too_many_and_an_image_that_does_not_fit_before_any() {
    let mut check = Check::new(&firmware("2.1.0"));
    let taken = (0..).take_while(|_| check.update(&[7]).is_ok()).count();
    assert_eq!((taken as u64, check.update(&[7])), (firmware("2.1.0").size, Err(Refuse::ImageSize)));
    let slot_bytes = firmware("2.1.0").size;
    assert!(look(&manifest(17, "2.1.0"), &Device { slot_bytes, ..device() }, Some(NOW)).is_ok());
    let short = Device { slot_bytes: slot_bytes - 1, ..device() };
    assert_eq!(refused(&manifest(17, "2.1.0"), &short), Refuse::DoesNotFit);
}

#[test]
fn attack_9_parts_of_several_orders_do_not_make_one() {
    let signer = Signer::new();
    let keys = Keyring::new(vec![signer.key()]).unwrap();
    let [one, two] = [(17, "2.1.0"), (18, "2.2.0")].map(|(sequence, version)| manifest(sequence, version));
    let ((bytes, of_one), (_, of_two)) = (signer.sign(&one), signer.sign(&two));
    assert_eq!(keys.verify(&bytes, &of_two).map_err(Refuse::from), Err(Refuse::BadSignature));
    let verified = keys.verify(&bytes, &of_one).unwrap();
    let announced = [
        reference(&two),
        Reference { release: reference(&two).release, ..reference(&one) },
        Reference { version: version("2.2.0"), ..reference(&one) },
        Reference { sequence: 18, ..reference(&one) },
    ];
    for announced in announced {
        assert_eq!(accept(&verified, &announced, &device(), Some(NOW)), Err(Refuse::MixedUp));
    }
    let mut check = Check::new(&one.firmware);
    check.update(&image("2.2.0")).unwrap();
    assert_eq!(check.finish(), Err(Refuse::ImageDigest));
}

// Attack 10, the power that goes, is `power.rs`.

#[test]
fn a_device_below_the_minimum_must_go_through_a_version_between() {
    let mut order = manifest(17, "2.1.0");
    order.firmware.minimum_from = Some(version("2.0.0"));
    assert!(look(&order, &device(), Some(NOW)).is_ok());
    order.firmware.minimum_from = Some(version("2.0.1"));
    assert_eq!(refused(&order, &device()), Refuse::FromTooOld);
}

#[test]
fn every_refusal_has_a_word_of_its_own_which_is_the_one_in_json() {
    let words: std::collections::BTreeSet<_> = Refuse::ALL.iter().map(|refuse| refuse.as_str()).collect();
    assert_eq!(words.len(), Refuse::ALL.len());
    for refuse in Refuse::ALL {
        assert_eq!(serde_json::to_value(refuse).unwrap(), refuse.as_str());
    }
}
