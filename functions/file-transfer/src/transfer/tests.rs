use super::*;
use crate::digest::FileDigest;
use crate::order::Asked;
use crate::plan::{FRAME_LENGTH, PART_BYTES};

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn transfer(direction: Direction, size: u64) -> Transfer {
    let asked = Asked { name: "f".to_owned(), size: Some(size), ttl_seconds: Some(60), ..Asked::default() };
    let order = Order::check(direction, asked).unwrap();
    let thing = ThingName::parse("t1").unwrap();
    Transfer::created(TransferId::new(at(0), [7; 10]), thing, 1, Some("ann".to_owned()), order, at(0))
}

pub(crate) fn attempt(number: u8, size: u64, sha256: Option<Sha256Hex>) -> Attempt {
    let layout = Layout::new(size, FRAME_LENGTH).unwrap();
    Attempt { id: AttemptId::new([number; 16]), upload: format!("u{number}"), layout, sha256 }
}

pub(crate) fn id(number: u8) -> AttemptId {
    AttemptId::new([number; 16])
}

pub(crate) fn digest_of(bytes: &[u8]) -> FileDigest {
    let mut digest = FileDigest::default();
    digest.update(bytes);
    digest
}

fn then(before: &Transfer, intent: Intent) -> Transfer {
    let came = next(before, &intent, at(10));
    let Transition::Change(change) = came else { panic!("{intent:?}: {came:?}") };
    assert_eq!(next(&change.transfer, &intent, at(10)), Transition::Nothing(Outcome::Already), "{intent:?}");
    change.transfer
}

fn refused(before: &Transfer, intent: &Intent) -> Why {
    let came = next(before, intent, at(10));
    let Transition::Nothing(Outcome::Refused(why)) = came else { panic!("{intent:?}: {came:?}") };
    why
}

fn pin(version: &str, bytes: u64) -> Intent {
    Intent::Pin { version: version.to_owned(), bytes }
}

fn begin(number: u8, size: u64, sha256: Option<Sha256Hex>, replaces: Option<u8>) -> Intent {
    Intent::Begin { attempt: attempt(number, size, sha256), replaces: replaces.map(id) }
}

fn done(number: u8, part: u32, bytes: &[u8]) -> Intent {
    Intent::Done { attempt: id(number), part, digest: digest_of(bytes).keep(true) }
}

fn refuse(number: u8) -> Intent {
    Intent::Refuse { attempt: id(number), reason: "x".to_owned() }
}

fn assembled(number: u8) -> Intent {
    Intent::Assembled { attempt: id(number), body: "e".to_owned() }
}

/// A download of one part whose bytes are `abc`, up to `ready`.
fn ready() -> Transfer {
    let sealing = then(&then(&transfer(Direction::Download, 3), pin("v1", 3)), begin(1, 3, None, None));
    let whole = then(&then(&sealing, done(1, 1, b"abc")), assembled(1));
    then(&whole, Intent::Finish { attempt: id(1) })
}

#[test]
fn a_download_goes_from_its_source_to_its_device() {
    let created = transfer(Direction::Download, 3);
    assert_eq!((created.state(at(10)), work(&created, at(10))), (State::AwaitingSource, Work::Nothing));
    let pinned = then(&created, pin("v1", 3));
    assert_eq!((pinned.state(at(10)), work(&pinned, at(10))), (State::Sealing, Work::Begin));
    let begun = then(&pinned, begin(1, 3, None, None));
    assert!(matches!(work(&begun, at(10)), Work::Seal(_, part) if part.number == 1));
    let sealed = then(&begun, done(1, 1, b"abc"));
    assert_eq!(work(&sealed, at(10)), Work::Assemble(attempt(1, 3, None)));
    let whole = then(&sealed, assembled(1));
    assert_eq!(work(&whole, at(10)), Work::Finish(attempt(1, 3, None)));
    let ready = ready();
    assert_eq!((ready.state(at(10)), work(&ready, at(10))), (State::Ready, Work::Nothing));
    let sha256 = ready.ready.as_ref().map(|ready| ready.sha256.clone());
    let over = then(&ready, Intent::Receive { sha256, bytes: Some(3) });
    assert_eq!((over.state(at(10)), work(&over, at(10))), (State::Over(How::Completed), Work::Erase));
    let erased = then(&over, Intent::Erased);
    assert_eq!(work(&erased, at(10)), Work::Nothing);
}

#[test]
fn an_upload_is_assembled_before_it_is_verified() {
    let sha256 = Some(digest_of(b"abc").finish());
    let begun = then(&transfer(Direction::Upload, 9), begin(1, 3, sha256, None));
    assert_eq!((begun.state(at(10)), work(&begun, at(10))), (State::AwaitingUpload, Work::Nothing));
    assert_eq!(refused(&begun, &assembled(1)), Why::OutOfOrder);
    let all_there = then(&begun, Intent::Uploaded { attempt: id(1) });
    assert!(matches!(work(&all_there, at(10)), Work::Assemble(_)));
    assert_eq!(refused(&all_there, &done(1, 1, b"abc")), Why::OutOfOrder);
    let whole = then(&all_there, assembled(1));
    assert!(matches!(work(&whole, at(10)), Work::Verify(_, part) if part.number == 1));
    let ready = then(&then(&whole, done(1, 1, b"abc")), Intent::Finish { attempt: id(1) });
    assert_eq!(ready.state(at(10)), State::Ready);
}

#[test]
fn a_device_gives_up_an_upload_until_it_has_said_that_all_is_there() {
    let sha256 = || Some(digest_of(b"abc").finish());
    let created = transfer(Direction::Upload, 9);
    assert_eq!(refused(&created, &refuse(1)), Why::OtherAttempt);
    let begun = then(&created, begin(1, 3, sha256(), None));
    let given_up = then(&begun, refuse(1));
    assert_eq!((given_up.state(at(10)), work(&given_up, at(10))), (State::Over(How::Failed), Work::Erase));
    let all_there = then(&begun, Intent::Uploaded { attempt: id(1) });
    let ready = then(&then(&then(&all_there, assembled(1)), done(1, 1, b"abc")), Intent::Finish { attempt: id(1) });
    for late in [all_there, ready] {
        assert_eq!(refused(&late, &refuse(1)), Why::OutOfOrder);
    }
}

#[test]
fn another_source_than_the_pinned_one_never_comes_in() {
    let pinned = then(&transfer(Direction::Download, 3), pin("v1", 3));
    assert_eq!(refused(&pinned, &pin("v2", 3)), Why::OtherSource);
    let begun = then(&pinned, begin(1, 3, None, None));
    assert_eq!(refused(&begun, &begin(2, 3, None, None)), Why::OtherAttempt);
    assert_eq!(refused(&begun, &begin(2, 3, None, Some(1))), Why::OtherAttempt);
}

#[test]
fn a_source_of_another_length_is_refused() {
    for bytes in [2, 4] {
        assert_eq!(refused(&transfer(Direction::Download, 3), &pin("v1", bytes)), Why::SizeDiffers);
    }
    assert_eq!(refused(&transfer(Direction::Upload, 3), &pin("v1", 3)), Why::OtherDirection);
    assert_eq!(refused(&transfer(Direction::Download, 3), &begin(1, 3, None, None)), Why::OutOfOrder);
}

#[test]
fn a_changed_file_of_a_device_gets_an_attempt_of_its_own_until_all_is_there() {
    let digest = |bytes: &[u8]| Some(digest_of(bytes).finish());
    let first = then(&transfer(Direction::Upload, 9), begin(1, 3, digest(b"abc"), None));
    assert_eq!(refused(&first, &begin(2, 3, digest(b"abd"), None)), Why::OtherAttempt);
    assert_eq!(refused(&first, &begin(2, 10, digest(b"abd"), Some(1))), Why::TooLarge);
    assert_eq!(refused(&first, &begin(2, 3, None, Some(1))), Why::NoDigest);
    let second = then(&first, begin(2, 3, digest(b"abd"), Some(1)));
    assert_eq!(refused(&second, &Intent::Uploaded { attempt: id(1) }), Why::OtherAttempt);
    let all_there = then(&second, Intent::Uploaded { attempt: id(2) });
    assert_eq!(refused(&all_there, &begin(3, 3, digest(b"x"), Some(2))), Why::OutOfOrder);
}

#[test]
fn parts_are_done_in_their_order_and_not_beyond_the_last() {
    let size = PART_BYTES;
    let begun = then(&then(&transfer(Direction::Download, size), pin("v1", size)), begin(1, size, None, None));
    assert_eq!(refused(&begun, &done(1, 2, b"")), Why::OutOfOrder);
    assert_eq!(refused(&begun, &done(2, 1, b"")), Why::OtherAttempt);
    let one = then(&begun, done(1, 1, b"x"));
    assert_eq!(next(&one, &done(1, 1, b"other"), at(10)), Transition::Nothing(Outcome::Already));
    assert_eq!(refused(&one, &assembled(1)), Why::OutOfOrder);
    let two = then(&one, done(1, 2, b"x"));
    assert_eq!(refused(&two, &done(1, 3, b"x")), Why::OutOfOrder);
    assert_eq!(refused(&two, &Intent::Finish { attempt: id(1) }), Why::OutOfOrder);
}

#[test]
fn what_was_sealed_must_be_what_was_ordered_and_what_arrived_what_was_sealed() {
    let expected = Some(digest_of(b"abc").finish());
    let pinned = then(&transfer(Direction::Download, 3), pin("v1", 3));
    let other = then(&then(&then(&pinned, begin(1, 3, expected, None)), done(1, 1, b"abd")), assembled(1));
    let failed = then(&other, Intent::Finish { attempt: id(1) });
    assert_eq!(failed.end.unwrap().reason.as_deref(), Some("digest-differs"));
    for receive in [
        Intent::Receive { sha256: Some(digest_of(b"abd").finish()), bytes: Some(3) },
        Intent::Receive { sha256: None, bytes: Some(4) },
    ] {
        assert_eq!(then(&ready(), receive).state(at(10)), State::Over(How::Failed));
    }
    assert_eq!(refused(&pinned, &Intent::Receive { sha256: None, bytes: None }), Why::NotReady);
    assert_eq!(refused(&then(&pinned, begin(1, 3, None, None)), &refuse(1)), Why::NotReady);
    assert_eq!(refused(&ready(), &refuse(2)), Why::OtherAttempt);
    assert_eq!(then(&ready(), refuse(1)).end.unwrap().reason.as_deref(), Some("x"));
}

#[test]
fn a_transfer_is_over_at_its_last_millisecond_though_nobody_wrote_so() {
    let ready = ready();
    assert_eq!(ready.state(at(59_999)), State::Ready);
    assert_eq!((ready.state(at(60_000)), work(&ready, at(60_000))), (State::Over(How::Expired), Work::Expire));
    let received = Intent::Receive { sha256: None, bytes: None };
    assert_eq!(next(&ready, &received, at(60_000)), Transition::Nothing(Outcome::Refused(Why::Over)));
    assert_eq!(next(&ready, &Intent::Erased, at(60_000)), Transition::Nothing(Outcome::Refused(Why::NotOver)));
    let Transition::Change(change) = next(&ready, &Intent::Expire, at(60_000)) else { panic!() };
    assert_eq!((change.told, change.frees), (Some(State::Over(How::Expired)), true));
    assert_eq!(work(&change.transfer, at(60_000)), Work::Erase);
}

#[test]
fn what_is_over_stays_as_it_ended() {
    let cancelled = then(&ready(), Intent::Cancel);
    assert_eq!(refused(&cancelled, &Intent::Receive { sha256: None, bytes: None }), Why::Over);
    assert_eq!(refused(&cancelled, &Intent::Fail { attempt: Some(id(1)), reason: "x".to_owned() }), Why::Over);
    assert_eq!(next(&cancelled, &Intent::Close { reason: "unpaired" }, at(10)), Transition::Nothing(Outcome::Already));
    let closed = then(&ready(), Intent::Close { reason: "unpaired" });
    assert_eq!(closed.end.unwrap().reason.as_deref(), Some("unpaired"));
    assert_eq!(refused(&ready(), &Intent::Expire), Why::NotOver);
}

#[test]
fn a_worker_that_fails_too_late_spoils_nothing() {
    let fail = |number| Intent::Fail { attempt: Some(id(number)), reason: "source-gone".to_owned() };
    assert_eq!(refused(&ready(), &fail(1)), Why::OtherAttempt);
    let begun = then(&then(&transfer(Direction::Download, 3), pin("v1", 3)), begin(1, 3, None, None));
    assert_eq!(refused(&begun, &fail(2)), Why::OtherAttempt);
    assert_eq!(then(&begun, fail(1)).state(at(10)), State::Over(How::Failed));
}
