use loam_sealed::{HeaderReader, Sealer, UnverifiedHeader};
use proptest::prelude::*;

use crate::sample::{FRAME, context, data_key, frame, header, message, open, open_in_pieces, plaintext, seal};

#[test]
fn sizes_around_a_frame_come_back_whole() {
    for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME - 1, 2 * FRAME, 2 * FRAME + 1, 100 * FRAME + 13] {
        let outcome = open(&message(length));
        assert_eq!(outcome.result, Ok(()), "{length} bytes");
        assert_eq!(outcome.released, plaintext(length), "{length} bytes");
    }
}

#[test]
fn the_body_is_exactly_as_long_as_announced() {
    for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 10 * FRAME] {
        let (_, body) = seal(&header(5, FRAME), &plaintext(length));
        assert_eq!(frame(FRAME).body_length(length as u64).unwrap(), body.len() as u64, "{length} bytes");
    }
}

#[test]
fn a_message_that_arrives_byte_by_byte_is_the_same_message() {
    let outcome = open_in_pieces(&message(3 * FRAME + 1), 1);
    assert_eq!((outcome.result, outcome.released), (Ok(()), plaintext(3 * FRAME + 1)));
}

#[test]
fn a_header_reader_takes_no_byte_of_the_body() {
    let message = message(FRAME);
    let (expected, body) = UnverifiedHeader::parse(&message).unwrap();
    let mut reader = HeaderReader::default();
    let header_length = message.len() - body.len();
    for mut byte in message[..header_length - 1].chunks(1) {
        assert_eq!(reader.read(&mut byte), Ok(None));
    }
    let mut rest = &message[header_length - 1..];
    assert_eq!(reader.read(&mut rest), Ok(Some(expected)));
    assert_eq!(rest, body);
}

#[test]
fn sealing_again_with_the_same_values_gives_the_same_bytes() {
    assert_eq!(message(5 * FRAME), message(5 * FRAME));
}

#[test]
fn neither_key_nor_opener_shows_the_key_in_debug_text() {
    let opener = UnverifiedHeader::parse(&message(1)).unwrap().0.open(&data_key(), &context()).unwrap();
    let sealer = Sealer::new(&data_key(), &header(5, FRAME)).unwrap();
    let text = format!("{:?} {opener:?} {sealer:?} {:?}", data_key(), crate::sample::wrapping_key());
    assert_eq!(
        text,
        r#"DataKey(hidden) Opener { next_frame: 1, .. } Sealer { next_frame: 1, .. } WrappingKey { namespace: "loam", .. }"#
    );
}

proptest! {
    #[test]
    fn any_plaintext_in_any_pieces_comes_back(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        frame_length in 1_usize..300,
        piece in 1_usize..700,
        read in 1_usize..700,
    ) {
        let header = header(5, frame_length);
        let mut sealer = Sealer::new(&data_key(), &header).unwrap();
        let mut message = header.seal(&data_key()).unwrap();
        for part in bytes.chunks(piece) {
            sealer.update(part, &mut message).unwrap();
        }
        sealer.finish(&mut message).unwrap();
        let outcome = open_in_pieces(&message, read);
        prop_assert_eq!(outcome.result, Ok(()));
        prop_assert_eq!(outcome.released, bytes);
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), good in 0_usize..300) {
        let message = message(FRAME);
        let good = good.min(message.len());
        bytes.splice(0..0, message[..good].iter().copied());
        prop_assume!(bytes != message);
        let outcome = open(&bytes);
        prop_assert!(outcome.result.is_err());
        prop_assert!(outcome.released.is_empty());
    }

    #[test]
    fn whatever_is_changed_only_a_prefix_of_the_plaintext_comes_out(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..40, any::<[u8; 4]>(), 0_usize..5), 1..4),
        piece in 1_usize..300,
    ) {
        let length = 3 * FRAME + 9;
        let original = message(length);
        let mut changed = original.clone();
        for (at, removed, inserted, kept) in changes {
            let at = at.index(changed.len());
            let end = changed.len().min(at + removed);
            changed.splice(at..end, inserted[..kept.min(4)].iter().copied());
        }
        prop_assume!(changed != original && !changed.is_empty());
        let outcome = open_in_pieces(&changed, piece);
        prop_assert!(outcome.result.is_err());
        prop_assert!(plaintext(length).starts_with(&outcome.released));
    }
}
