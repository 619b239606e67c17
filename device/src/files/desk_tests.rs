use super::*;
use crate::files::credentials::tests::credentials;
use crate::files::kms::tests::{opened, way};
use crate::files::notice::tests::{ATTEMPT, ID, body_of, grant_of, thing};
use crate::files::{PartUrl, Read};
use crate::stand_in::{Act, Store};
use crate::state::tests::Place;

fn desk(place: &Place, offers: &[&str]) -> Desk {
    let offers = offers.iter().map(|name| (*name).to_owned()).collect();
    Desk::open(&thing(), &place.0, Http::new(None).unwrap(), offers).unwrap()
}

async fn told(desk: &mut Desk, notice: Notice, now: i64) -> Vec<Word> {
    desk.hear(notice, now).await.unwrap().words
}

fn granted(grant: &Grant) -> Notice {
    Notice::Grant(Box::new(grant.clone()))
}

fn rejected(code: &str) -> Notice {
    Notice::Rejected(Rejected { transfer_id: ID.to_owned(), code: code.to_owned(), missing: vec![] })
}

#[tokio::test]
async fn a_download_is_done_once_and_a_repeat_hears_the_same_word_also_after_a_power_cut() {
    let place = Place::new("desk-down");
    let mut grant = grant_of(b"hello", 512, 1_024);
    let store = Store::with(body_of(&grant, b"hello"), &[]).await;
    grant.body = Some(store.url.clone());
    let said = told(&mut desk(&place, &[]), granted(&grant), 999).await;
    let word = json!({"transferId": ID, "attempt": ATTEMPT, "size": 5, "sha256": grant.file.sha256});
    assert_eq!(said, [Word::complete(word)]);
    assert_eq!(fs::read(place.0.join(format!("inbox/{ID}-f"))).unwrap(), b"hello");
    // Long after its time: an attempt that is done is not begun again.
    assert_eq!(told(&mut desk(&place, &[]), granted(&grant), 9_999).await, said);
    assert_eq!(store.seen().len(), 1);
}

#[tokio::test]
async fn an_expired_grant_is_left_alone_and_asked_for_later() {
    let place = Place::new("desk-expired");
    let store = Store::with(vec![], &[]).await;
    let grant = Grant { body: Some(store.url.clone()), ..grant_of(b"hello", 512, 1_024) };
    let heard = desk(&place, &[]).hear(granted(&grant), 1_000).await.unwrap();
    assert_eq!((heard.words, heard.ask_later, store.seen().len()), (vec![], true, 0));
}

#[tokio::test]
async fn urls_that_a_server_takes_never_are_asked_for_at_once_only_once_a_minute() {
    let place = Place::new("desk-again");
    let store = Store::with(vec![], &[Act::Answer(403); 4]).await;
    let grant = Grant { body: Some(store.url.clone()), ends_at: 9_000_000, ..grant_of(b"hello", 512, 1_024) };
    let grant = Grant { expires_at: 9_000_000, ..grant };
    let mut desk = desk(&place, &[]);
    let mut asked = vec![];
    for now in [1, 2, 60_002, 120_001] {
        let heard = desk.hear(granted(&grant), now).await.unwrap();
        asked.push((heard.words.len(), heard.ask_later));
    }
    assert_eq!(asked, [(1, false), (0, true), (1, false), (0, true)]);
    assert_eq!(store.seen().len(), 4);
}

#[tokio::test]
async fn what_is_refused_is_told_with_its_reason_and_never_taken_again() {
    let place = Place::new("desk-refused");
    let mut grant = grant_of(b"hello", 512, 1_024);
    let mut body = body_of(&grant, b"hello");
    body[24] ^= 1;
    let store = Store::with(body, &[]).await;
    grant.body = Some(store.url.clone());
    let mut desk = desk(&place, &[]);
    let said = told(&mut desk, granted(&grant), 1).await;
    let word = json!({"transferId": ID, "attempt": ATTEMPT, "refused": "frame-not-authentic"});
    assert_eq!(said, [Word::complete(word)]);
    assert_eq!(told(&mut desk, granted(&grant), 1).await, said);
    assert_eq!(store.seen().len(), 1);
}

/// An upload's grant for these bytes, all parts of which go to `url`.
fn upload_of(file: &[u8], url: &str, wanted: std::ops::RangeInclusive<u32>, missing: u32) -> Grant {
    let mut grant = grant_of(file, 512, 1_024);
    // The header of the tests' grants is one of a download; an upload's has its own context.
    grant = crate::files::notice::tests::of_an_upload(grant);
    let (_, _, parts) = grant.open(&thing()).unwrap();
    grant.uploads = wanted
        .map(|part| PartUrl { part, bytes: parts.part(part).unwrap().bytes, url: format!("{url}/{part}") })
        .collect();
    Grant { missing, ..grant }
}

/// A desk that asks these stand-ins for keys.
fn desk_with_kms(place: &Place, lender: &Store, kms: &Store, offers: &[&str]) -> Desk {
    desk(place, offers).with_kms(way(lender, kms))
}

#[tokio::test]
async fn by_kms_a_file_comes_and_goes_without_a_key_in_its_grant() {
    let place = Place::new("desk-kms");
    fs::create_dir_all(place.0.join("outbox")).unwrap();
    fs::write(place.0.join("outbox/log"), "hello").unwrap();
    let (lender, kms) = (Store::with(credentials(), &[]).await, Store::with(opened(), &[]).await);
    let mut desk = desk_with_kms(&place, &lender, &kms, &["log"]);
    assert_eq!(desk.ask(1).await.unwrap()[1].payload["key"], "kms", "what it offers");
    let mut down = grant_of(b"hello", 512, 1_024);
    let store = Store::with(body_of(&down, b"hello"), &[]).await;
    down = Grant { body: Some(store.url.clone()), key: None, ..down };
    let said = told(&mut desk, granted(&down), 1).await;
    assert_eq!(said[0].payload["sha256"], down.file.sha256);
    let up = upload_of(b"hello", &store.url, 1..=1, 1);
    let body = body_of(&up, b"hello");
    let up = Grant { attempt: ID.to_owned(), key: None, ..up };
    assert_eq!(told(&mut desk, granted(&up), 1).await[0].payload["size"], 5);
    assert!(store.seen()[1].body == body);
    let asked: Vec<Value> = kms.seen().iter().map(|seen| serde_json::from_slice(&seen.body).unwrap()).collect();
    let directions: Vec<_> =
        asked.iter().map(|asked| asked["EncryptionContext"]["direction"].as_str().unwrap()).collect();
    assert_eq!((directions, lender.seen().len()), (vec!["download", "upload"], 1));
}

#[tokio::test]
async fn without_a_way_to_kms_or_its_leave_a_file_is_refused_and_while_kms_is_busy_it_waits() {
    let place = Place::new("desk-no-kms");
    let grant = Grant { key: None, body: Some("https://x".to_owned()), ..grant_of(b"hello", 512, 1_024) };
    let refused = told(&mut desk(&place, &[]), granted(&grant), 1).await;
    assert_eq!(refused[0].payload["refused"], "kms-not-set-up");
    let lender = Store::with(credentials(), &[]).await;
    let acts =
        [Act::Say(400, r#"{"__type":"ThrottlingException"}"#), Act::Say(400, r#"{"__type":"AccessDeniedException"}"#)];
    let kms = Store::with(opened(), &acts).await;
    let grant = Grant { attempt: ID.to_owned(), ..grant };
    let mut desk = desk_with_kms(&place, &lender, &kms, &[]);
    let heard = desk.hear(granted(&grant), 1).await.unwrap();
    assert_eq!((heard.words, heard.ask_later), (vec![], true));
    assert_eq!(told(&mut desk, granted(&grant), 1).await[0].payload["refused"], "kms-access-denied");
}

fn wanted(name: &str) -> Notice {
    Notice::Wanted(Wanted { transfer_id: ID.to_owned(), wanted: name.to_owned(), most_bytes: 9_999, ends_at: 2_000 })
}

#[tokio::test]
async fn a_wanted_file_is_announced_sealed_as_it_was_then_and_sent_part_by_part() {
    let place = Place::new("desk-up");
    let file: Vec<u8> = (0..2_500_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let mut desk = desk(&place, &[]);
    fs::write(place.0.join("outbox/log"), &file).unwrap();
    let said = told(&mut desk, wanted("log"), 1).await;
    let read = Read::of(&place.0.join("outbox/log")).unwrap();
    let asked = json!({"transferId": ID, "size": 2_500, "sha256": read.sha256, "from": 1});
    assert_eq!(said, [Word::request(asked)]);
    fs::write(place.0.join("outbox/log"), "changed since").unwrap();
    let store = Store::with(vec![], &[Act::Answer(500)]).await;
    let first = upload_of(&file, &store.url, 1..=2, 3);
    let more = told(&mut desk, granted(&first), 1).await;
    assert_eq!(more[0].payload["from"], 3);
    let last = upload_of(&file, &store.url, 3..=3, 1);
    let word = json!({"transferId": ID, "attempt": ATTEMPT, "size": 2_500, "sha256": read.sha256});
    assert_eq!(told(&mut desk, granted(&last), 1).await, [Word::complete(word)]);
    let seen = store.seen();
    let parts: Vec<_> =
        seen.iter().map(|seen| seen.first_line.split('/').nth(2).unwrap().split(' ').next().unwrap()).collect();
    assert_eq!(parts, ["1", "1", "2", "3"], "the first was answered 500");
    let body: Vec<u8> = seen[1..].iter().flat_map(|seen| seen.body.clone()).collect();
    assert!(body == body_of(&last, &file) && seen[0].body == seen[1].body);
}

#[tokio::test]
async fn a_copy_that_was_changed_is_never_sealed() {
    let place = Place::new("desk-changed");
    let mut desk = desk(&place, &[]);
    fs::write(place.0.join("outbox/log"), "hello").unwrap();
    told(&mut desk, wanted("log"), 1).await;
    let store = Store::with(vec![], &[]).await;
    let grant = upload_of(b"hello", &store.url, 1..=1, 1);
    fs::write(place.0.join(".copies").join(&grant.file.sha256), "other").unwrap();
    assert_eq!(told(&mut desk, granted(&grant), 1).await[0].payload["refused"], "digest-differs");
    let never = upload_of(b"never promised", &store.url, 1..=1, 1);
    let never = Grant { attempt: ID.to_owned(), ..never };
    assert_eq!(told(&mut desk, granted(&never), 1).await[0].payload["refused"], "no-such-file");
    assert_eq!(store.seen(), []);
}

#[tokio::test]
async fn after_a_power_cut_what_was_promised_is_promised_again_until_it_is_over() {
    let place = Place::new("desk-again");
    fs::create_dir_all(place.0.join("outbox")).unwrap();
    fs::write(place.0.join("outbox/log"), "hello").unwrap();
    let promised = told(&mut desk(&place, &[]), wanted("log"), 1).await;
    let mut desk = desk(&place, &["log", "none"]);
    // Offered as well, but it is on its way already.
    assert_eq!(desk.ask(1).await.unwrap(), [vec![Word::request(json!({}))], promised.clone()].concat());
    assert_eq!(told(&mut desk, rejected("part-missing"), 1).await, promised);
    assert_eq!(told(&mut desk, rejected("transfer-over"), 1).await, []);
    assert_eq!(desk.ask(1).await.unwrap().len(), 1);
    assert_eq!(fs::read_dir(place.0.join(".copies")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_nobody_asked_for_is_offered_once_and_a_name_that_leads_elsewhere_is_not_heard() {
    let place = Place::new("desk-offer");
    fs::create_dir_all(place.0.join("outbox")).unwrap();
    fs::write(place.0.join("outbox/log"), "hello").unwrap();
    let mut desk = desk(&place, &["log"]);
    let words = desk.ask(1).await.unwrap();
    assert_eq!((&words[1].payload["name"], &words[1].payload["size"]), (&json!("log"), &json!(5)));
    assert_eq!(desk.ask(1).await.unwrap().len(), 1);
    assert_eq!(told(&mut desk, wanted("../.state/files.json"), 1).await, []);
}
