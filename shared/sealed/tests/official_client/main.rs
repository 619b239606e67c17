//! Files of every size class, by way of the official client for Python: what is sealed here opens there, and the other way
//! round. Both sides work on streams.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod client;
mod ours;
mod plaintext;

use std::collections::BTreeSet;

use client::{Job, OfficialClient};
use plaintext::Plaintext;

const MEBIBYTE: usize = 1024 * 1024;
/// From the shortest to the longest that Loam takes.
const FRAMES: [usize; 4] = [512, 4 * 1024, 64 * 1024, MEBIBYTE];

/// A file's length and its frames' length, in bytes.
type Case = (usize, usize);

/// Around the length of a frame, around several lengths that are nobody's frame, and up to 64 MiB.
fn cases() -> Vec<Case> {
    let around = |length: usize| [length - 1, length, length + 1];
    let of_frame = |frame: usize| {
        let mut lengths = BTreeSet::from([0, 1, 3 * frame, 5 * frame + 7, 8 * MEBIBYTE, 64 * MEBIBYTE]);
        FRAMES.into_iter().for_each(|length| lengths.extend(around(length)));
        lengths.into_iter().map(move |length| (length, frame))
    };
    FRAMES.into_iter().flat_map(of_frame).collect()
}

fn seal_here_and_open_there(client: &mut OfficialClient, plaintext: &Plaintext, (length, frame): Case) {
    let mut opened = plaintext.expected();
    let answer = client.run(
        &Job::open(),
        |message| ours::seal(plaintext.pieces(length), frame, message),
        |piece| opened.compare(piece),
    );
    assert_eq!(answer.refused, None, "{length} bytes in frames of {frame}");
    assert_eq!(answer.suite, Some(0x0478));
    assert_eq!(answer.frame_length, Some(frame));
    assert_eq!(answer.context, Some(ours::pairs()));
    assert_eq!(opened.seen(), length, "in frames of {frame}");
}

fn seal_there_and_open_here(client: &mut OfficialClient, plaintext: &Plaintext, (length, frame): Case) {
    let mut opened = plaintext.expected();
    let mut reader = ours::Reader::default();
    let answer = client.run(
        &Job::seal(frame),
        |source| plaintext.pieces(length).for_each(source),
        |piece| reader.read(piece, |bytes| opened.compare(bytes)).unwrap(),
    );
    assert_eq!(answer.refused, None, "{length} bytes in frames of {frame}");
    assert_eq!(reader.finish(), Ok(frame), "{length} bytes");
    assert_eq!(opened.seen(), length, "in frames of {frame}");
}

#[test]
fn files_of_0_bytes_to_64_mebibytes_sealed_here_open_with_the_official_client() {
    let (mut client, plaintext) = (OfficialClient::start(), Plaintext::new());
    let cases = cases();
    cases.iter().for_each(|case| seal_here_and_open_there(&mut client, &plaintext, *case));
    println!("figure: sealed here, opened by the official client: {} files", cases.len());
}

#[test]
fn files_of_0_bytes_to_64_mebibytes_sealed_by_the_official_client_open_here() {
    let (mut client, plaintext) = (OfficialClient::start(), Plaintext::new());
    let cases = cases();
    cases.iter().for_each(|case| seal_there_and_open_here(&mut client, &plaintext, *case));
    println!("figure: sealed by the official client, opened here: {} files", cases.len());
}

/// Without this the tests above could pass with a client that verifies nothing.
#[test]
fn one_bit_changed_in_the_last_byte_and_the_official_client_refuses_the_file_as_we_do() {
    let (mut client, plaintext) = (OfficialClient::start(), Plaintext::new());
    for (length, frame) in [(0, 512), (1, 512), (511, 512), (512, 512), (513, 512), (MEBIBYTE + 1, 65_536)] {
        let mut message = Vec::new();
        ours::seal(plaintext.pieces(length), frame, |piece| message.extend_from_slice(piece));
        *message.last_mut().unwrap() ^= 1;
        let mut opened = plaintext.expected();
        let answer = client.run(&Job::open(), |source| source(&message), |piece| opened.compare(piece));
        assert_eq!(answer.refused.as_deref(), Some("InvalidTag"), "{length} bytes");
        let mut reader = ours::Reader::default();
        assert_eq!(reader.read(&message, |_| ()).unwrap_err().code(), "frame-not-authentic", "{length} bytes");
    }
}
