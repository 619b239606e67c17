use loam_sealed::{Error, FrameLength, Sealer, UnverifiedHeader};
use proptest::prelude::*;

use crate::sample::{FRAME, context, data_key, frame, header, plaintext, seal};

#[test]
fn a_body_sealed_in_parts_is_the_body_sealed_in_one_go() {
    let header = header(5, FRAME);
    let bytes = plaintext(10 * FRAME + 3);
    let (_, whole) = seal(&header, &bytes);
    for first in 1..=11 {
        let at = usize::try_from(frame(FRAME).plaintext_offset(first)).unwrap();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        Sealer::new(&data_key(), &header).unwrap().update(&bytes[..at], &mut one).unwrap();
        let mut resumed = Sealer::new(&data_key(), &header).unwrap().resume_at(first).unwrap();
        resumed.update(&bytes[at..], &mut other).unwrap();
        resumed.finish(&mut other).unwrap();
        assert_eq!(one.len() as u64, frame(FRAME).body_offset(first));
        assert_eq!([one, other].concat(), whole, "from frame {first} on");
    }
}

#[test]
fn sealing_goes_on_from_the_stored_header_alone() {
    let bytes = plaintext(4 * FRAME + 3);
    let (stored, whole) = seal(&header(5, FRAME), &bytes);
    let header = UnverifiedHeader::parse(&stored).unwrap().0.open(&data_key(), &context()).unwrap().header().clone();
    let mut rest = Vec::new();
    let mut sealer = Sealer::new(&data_key(), &header).unwrap().resume_at(3).unwrap();
    sealer.update(&bytes[2 * FRAME..], &mut rest).unwrap();
    sealer.finish(&mut rest).unwrap();
    assert_eq!(rest, whole[usize::try_from(frame(FRAME).body_offset(3)).unwrap()..]);
}

#[test]
fn a_download_goes_on_at_the_frame_that_was_cut() {
    let bytes = plaintext(10 * FRAME + 3);
    let (header, body) = seal(&header(5, FRAME), &bytes);
    let new_opener = || UnverifiedHeader::parse(&header).unwrap().0.open(&data_key(), &context()).unwrap();
    for cut in 0..body.len() {
        let mut kept = Vec::new();
        let mut opener = new_opener();
        let mut input = &body[..cut];
        while let Some(plaintext) = opener.open(&mut input).unwrap() {
            kept.extend_from_slice(plaintext);
        }
        let next = opener.next_frame();
        assert_eq!(kept.len() as u64, frame(FRAME).plaintext_offset(next));
        let mut opener = new_opener().resume_at(next).unwrap();
        let mut input = &body[usize::try_from(frame(FRAME).body_offset(next)).unwrap()..];
        while let Some(plaintext) = opener.open(&mut input).unwrap() {
            kept.extend_from_slice(plaintext);
        }
        assert_eq!(opener.finish(), Ok(()));
        assert_eq!(kept, bytes, "cut at {cut}");
    }
}

#[test]
fn frames_are_counted_from_1() {
    let sealer = Sealer::new(&data_key(), &header(5, FRAME)).unwrap();
    assert_eq!(sealer.resume_at(0).unwrap_err(), Error::NoFrameZero);
}

#[test]
fn the_last_sequence_number_is_kept_for_the_final_frame() {
    let at = |sequence| Sealer::new(&data_key(), &header(5, 1)).unwrap().resume_at(sequence).unwrap();
    let mut out = Vec::new();
    assert_eq!(at(u32::MAX - 1).update(&[0], &mut out), Ok(()));
    assert_eq!(at(u32::MAX - 1).update(&[0, 0], &mut out), Err(Error::MessageTooLong));
    assert_eq!(at(u32::MAX).finish(&mut out), Ok(()));
    let most = u64::from(u32::MAX - 1);
    assert!(FrameLength::new(1).unwrap().body_length(most).is_ok());
    assert_eq!(FrameLength::new(1).unwrap().body_length(most + 1), Err(Error::MessageTooLong));
}

proptest! {
    #[test]
    fn offset_and_frame_agree(offset in 0_u64..1 << 40, bytes in 512_u32..1 << 24) {
        let length = FrameLength::new(bytes).unwrap();
        let sequence = length.frame_at(offset).unwrap();
        let start = length.plaintext_offset(sequence);
        prop_assert!(start <= offset && offset - start < u64::from(bytes));
        prop_assert_eq!(length.frame_at(start).unwrap(), sequence);
    }
}
