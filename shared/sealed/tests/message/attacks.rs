use std::collections::BTreeMap;

use loam_sealed::{DataKey, EncryptionContext, Error, UnverifiedHeader};

use crate::sample::{CONTEXT, FRAME, context, data_key, header, message, open, plaintext, seal};

const FRAMES: usize = 5;
const SEALED_FRAME: usize = FRAME + 32;
const LENGTH: usize = FRAMES * FRAME + 10;

/// Header, regular frames, final frame.
fn pieces() -> (Vec<u8>, Vec<Vec<u8>>, Vec<u8>) {
    let (header, body) = seal(&header(5, FRAME), &plaintext(LENGTH));
    let (regular, last) = body.split_at(FRAMES * SEALED_FRAME);
    (header, regular.chunks(SEALED_FRAME).map(<[u8]>::to_vec).collect(), last.to_vec())
}

fn join(header: &[u8], frames: &[&[u8]]) -> Vec<u8> {
    [header, &frames.concat()].concat()
}

/// The message is refused with this code, after exactly so many good frames (`FRAMES + 1`: also the final one).
fn assert_refused(message: &[u8], code: &str, good_frames: usize, case: &str) {
    let outcome = open(message);
    assert_eq!(outcome.result.as_ref().map_err(Error::code), Err(code), "{case}");
    assert_eq!(outcome.released, plaintext(LENGTH)[..(good_frames * FRAME).min(LENGTH)], "{case}");
}

#[test]
fn every_bit_of_the_header_counts() {
    let (header, _) = seal(&header(5, FRAME), &plaintext(LENGTH));
    let mut codes = BTreeMap::<_, usize>::new();
    for bit in 0..header.len() * 8 {
        let mut changed = message(LENGTH);
        changed[bit / 8] ^= 1 << (bit % 8);
        let outcome = open(&changed);
        assert!(outcome.result.is_err() && outcome.released.is_empty(), "bit {bit}");
        *codes.entry(outcome.code()).or_default() += 1;
    }
    let version_and_suite = codes["unsupported-version"] + codes["unsupported-suite"];
    assert_eq!(version_and_suite, 3 * 8, "{codes:?}");
    // Message id (256 bits) and commitment (256) change what is committed to.
    assert_eq!(codes["commitment-mismatch"], 512, "{codes:?}");
    assert!(codes["header-not-authentic"] >= 128 + 184 * 8, "tag and the other reader's key: {codes:?}");
}

#[test]
fn every_bit_of_the_first_a_middle_and_the_last_regular_frame_counts() {
    let header_length = pieces().0.len();
    for frame in [0, FRAMES / 2, FRAMES - 1] {
        for bit in 0..SEALED_FRAME * 8 {
            let mut changed = message(LENGTH);
            changed[header_length + frame * SEALED_FRAME + bit / 8] ^= 1 << (bit % 8);
            let code = match bit / 8 {
                0..4 => "frame-out-of-order",
                4..16 => "unexpected-iv",
                _ => "frame-not-authentic",
            };
            assert_refused(&changed, code, frame, &format!("frame {frame} bit {bit}"));
        }
    }
}

#[test]
fn every_bit_of_the_final_frame_counts() {
    let (header, frames, last) = pieces();
    let start = header.len() + frames.len() * SEALED_FRAME;
    for bit in 0..last.len() * 8 {
        let mut changed = message(LENGTH);
        changed[start + bit / 8] ^= 1 << (bit % 8);
        let code = open(&changed).code();
        let expected: &[_] = match bit / 8 {
            0..8 => &["frame-out-of-order"],
            8..20 => &["unexpected-iv"],
            20..24 => &["final-frame-too-long", "truncated-body", "frame-not-authentic"],
            _ => &["frame-not-authentic"],
        };
        assert!(expected.contains(&code), "bit {bit}: {code}");
        assert_refused(&changed, code, FRAMES, &format!("bit {bit}"));
    }
}

#[test]
fn a_message_cut_anywhere_is_refused_after_its_whole_frames() {
    let message = message(LENGTH);
    let header_length = pieces().0.len();
    for cut in 0..message.len() {
        let code = if cut < header_length { "truncated-header" } else { "truncated-body" };
        let good = (cut.saturating_sub(header_length) / SEALED_FRAME).min(FRAMES);
        assert_refused(&message[..cut], code, good, &format!("cut at {cut}"));
    }
}

#[test]
fn a_body_without_its_beginning_is_refused() {
    let (header, frames, last) = pieces();
    assert_refused(&join(&header, &[&frames[1..].concat(), &last]), "frame-out-of-order", 0, "first frame dropped");
    assert_refused(&join(&header, &[&last]), "frame-out-of-order", 0, "only the final frame");
}

#[test]
fn two_frames_swapped_are_refused() {
    let (header, frames, last) = pieces();
    for (one, other) in [(0, 1), (0, FRAMES - 1), (2, 3)] {
        let mut swapped = frames.clone();
        swapped.swap(one, other);
        assert_refused(&join(&header, &[&swapped.concat(), &last]), "frame-out-of-order", one, "swapped");
        // Even with the numbers put right: the tag covers them.
        for frame in [one, other] {
            let number = u32::try_from(frame + 1).unwrap().to_be_bytes();
            swapped[frame][..4].copy_from_slice(&number);
            swapped[frame][12..16].copy_from_slice(&number);
        }
        assert_refused(&join(&header, &[&swapped.concat(), &last]), "frame-not-authentic", one, "renumbered");
    }
}

#[test]
fn a_frame_doubled_is_refused_at_its_second_coming() {
    let (header, frames, last) = pieces();
    for frame in [0, 2, FRAMES - 1] {
        let mut doubled = frames.clone();
        doubled.insert(frame, frames[frame].clone());
        assert_refused(&join(&header, &[&doubled.concat(), &last]), "frame-out-of-order", frame + 1, "doubled");
    }
    assert_refused(&join(&header, &[&frames.concat(), &last, &last]), "trailing-data", FRAMES + 1, "final doubled");
}

#[test]
fn a_frame_dropped_is_refused_at_its_place() {
    let (header, frames, last) = pieces();
    for frame in [0, 2, FRAMES - 1] {
        let mut dropped = frames.clone();
        dropped.remove(frame);
        assert_refused(&join(&header, &[&dropped.concat(), &last]), "frame-out-of-order", frame, "dropped");
    }
}

#[test]
fn a_regular_frame_dressed_as_the_final_one_is_refused() {
    let (header, frames, _) = pieces();
    let length = u32::try_from(FRAME).unwrap().to_be_bytes();
    let (front, content) = frames[2].split_at(16);
    let dressed = [&u32::MAX.to_be_bytes(), front, &length, content].concat();
    assert_refused(&join(&header, &[&frames[..2].concat(), &dressed]), "frame-not-authentic", 2, "dressed");
}

#[test]
fn the_final_frame_dressed_as_a_regular_one_is_refused() {
    let (header, body) = seal(&header(5, 10), &plaintext(9));
    let padded = [&body[4..20], &body[24..], &[0]].concat();
    let outcome = open(&[header, padded].concat());
    assert_eq!((outcome.code(), outcome.released), ("frame-not-authentic", vec![]));
}

#[test]
fn frames_of_another_message_under_the_same_data_key_are_refused() {
    let (header, frames, last) = pieces();
    let (other_header, other_body) = seal(&crate::sample::header(6, FRAME), &plaintext(LENGTH));
    for splice in 0..FRAMES {
        let tail = &other_body[splice * SEALED_FRAME..];
        let spliced = join(&header, &[&frames[..splice].concat(), tail]);
        assert_refused(&spliced, "frame-not-authentic", splice, &format!("from frame {splice} on"));
    }
    let other_end = &other_body[FRAMES * SEALED_FRAME..];
    assert_refused(&join(&header, &[&frames.concat(), other_end]), "frame-not-authentic", FRAMES, "other end");
    assert_refused(&join(&other_header, &[&frames.concat(), &last]), "frame-not-authentic", 0, "other header");
}

#[test]
fn two_messages_one_after_the_other_are_not_one() {
    assert_refused(&[message(LENGTH), message(LENGTH)].concat(), "trailing-data", FRAMES + 1, "joined");
}

#[test]
fn one_byte_behind_the_final_frame_is_refused() {
    let mut longer = message(LENGTH);
    longer.push(0);
    // The last frame itself was authentic; the whole is refused all the same.
    let outcome = open(&longer);
    assert_eq!((outcome.code(), outcome.released), ("trailing-data", plaintext(LENGTH)));
}

#[test]
fn each_changed_pair_of_the_expected_context_is_a_mismatch() {
    let message = message(LENGTH);
    for pair in 0..CONTEXT.len() {
        let mut pairs = CONTEXT;
        pairs[pair].1 = "another";
        let changed_value = EncryptionContext::new(pairs).unwrap();
        let one_missing = EncryptionContext::new(pairs.into_iter().filter(|p| p.1 != "another")).unwrap();
        let one_more = EncryptionContext::new(CONTEXT.into_iter().chain([("more", "")])).unwrap();
        for expected in [changed_value, one_missing, one_more, EncryptionContext::default()] {
            let header = UnverifiedHeader::parse(&message).unwrap().0;
            assert_eq!(header.open(&data_key(), &expected).unwrap_err(), Error::ContextMismatch);
        }
    }
}

#[test]
fn each_changed_pair_in_the_header_is_refused_even_if_it_is_expected() {
    for (key, value) in CONTEXT {
        let message = message(LENGTH);
        let needle = [key.as_bytes(), &u16::try_from(value.len()).unwrap().to_be_bytes(), value.as_bytes()].concat();
        let at = message.windows(needle.len()).position(|window| window == needle).unwrap();
        for byte in [at + key.len() - 1, at + needle.len() - 1] {
            let mut changed = message.clone();
            changed[byte] ^= 1;
            let header = UnverifiedHeader::parse(&changed).unwrap().0;
            let stated = header.stated_context().clone();
            assert_ne!(stated, context());
            assert_eq!(header.unwrap_key(&crate::sample::wrapping_key()).unwrap_err(), Error::DataKeyNotAuthentic);
            assert_eq!(header.open(&data_key(), &stated).unwrap_err(), Error::HeaderNotAuthentic);
        }
    }
}

#[test]
fn another_data_key_is_refused_by_the_commitment() {
    let message = message(LENGTH);
    for bit in 0..256 {
        let mut bytes = [7; 32];
        bytes[bit / 8] ^= 1 << (bit % 8);
        let header = UnverifiedHeader::parse(&message).unwrap().0;
        assert_eq!(header.open(&DataKey::new(bytes), &context()).unwrap_err(), Error::CommitmentMismatch);
    }
}

#[test]
fn every_suite_but_the_committing_one_without_signature_is_refused() {
    let mut downgraded = message(1);
    for suite in (0..=u16::MAX).filter(|suite| *suite != 0x0478) {
        downgraded[1..3].copy_from_slice(&suite.to_be_bytes());
        assert_eq!(open(&downgraded).result, Err(Error::UnsupportedSuite(suite)));
    }
    let mut version_1 = message(1);
    version_1[..4].copy_from_slice(&[1, 0x80, 0x01, 0x78]);
    assert_eq!(open(&version_1).code(), "unsupported-version");
}

#[test]
fn after_an_error_the_rest_of_the_message_stays_closed() {
    let (header, frames, last) = pieces();
    let mut opener = UnverifiedHeader::parse(&header).unwrap().0.open(&data_key(), &context()).unwrap();
    let mut bad = frames[0].clone();
    bad[20] ^= 1;
    assert_eq!(opener.open(&mut bad.as_slice()).unwrap_err(), Error::FrameNotAuthentic(1));
    for mut input in [frames[0].as_slice(), frames[1].as_slice(), &last, &[]] {
        assert_eq!(opener.open(&mut input).unwrap_err(), Error::FrameNotAuthentic(1));
    }
    assert_eq!(opener.finish().unwrap_err(), Error::FrameNotAuthentic(1));
}

#[test]
fn nothing_of_a_frame_comes_out_before_its_last_byte_is_in() {
    let (header, frames, _) = pieces();
    let mut opener = UnverifiedHeader::parse(&header).unwrap().0.open(&data_key(), &context()).unwrap();
    for mut byte in frames[0][..SEALED_FRAME - 1].chunks(1) {
        assert_eq!(opener.open(&mut byte), Ok(None));
    }
    assert_eq!(opener.open(&mut &frames[0][SEALED_FRAME - 1..]), Ok(Some(&plaintext(FRAME)[..])));
}
