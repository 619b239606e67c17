use super::*;
use crate::files::Grant;
use crate::files::notice::tests::{body_of, grant_of, thing, wire};
use crate::state::tests::Place;
use serde_json::json;
use std::path::PathBuf;

struct World {
    place: Place,
    grant: Grant,
    body: PathBuf,
    to: PathBuf,
}

impl World {
    fn new(name: &str) -> Self {
        let place = Place::new(name);
        fs::create_dir_all(&place.0).unwrap();
        let grant = grant_of(b"hello", 512, 1_024);
        let (body, to) = (place.0.join("body"), place.0.join("file"));
        fs::write(&body, body_of(&grant, b"hello")).unwrap();
        Self { place, grant, body, to }
    }

    fn open(&self, asked: &serde_json::Value, thing: Option<ThingName>, sealed: &Path) -> Result<Read, NoFile> {
        let _ = fs::remove_file(&self.to);
        open_file(asked.to_string().as_bytes(), thing, sealed, &self.to)
    }
}

#[test]
fn the_answer_of_a_refresh_opens_a_body_and_a_grant_does_with_the_things_name() {
    let world = World::new("open");
    let grant = wire(&world.grant);
    let answer = json!({"transfer": {"thing": "t1", "state": "ready"}, "grant": grant});
    assert_eq!(world.open(&answer, None, &world.body).unwrap().size, 5);
    assert_eq!(fs::read(&world.to).unwrap(), b"hello");
    assert_eq!(world.open(&grant, Some(thing()), &world.body).unwrap().sha256, world.grant.file.sha256);
    assert_eq!(world.open(&grant, None, &world.body).unwrap_err().code(), "bad-grant");
}

#[test]
fn a_key_alone_opens_a_message_that_begins_with_its_header() {
    let world = World::new("open-message");
    let header = STANDARD.decode(&world.grant.header).unwrap();
    let message = world.place.0.join("message");
    fs::write(&message, [header, fs::read(&world.body).unwrap()].concat()).unwrap();
    let whole = wire(&world.grant);
    let key = json!({"transferId": whole["transferId"], "direction": "download", "key": whole["key"]});
    assert_eq!(world.open(&key, Some(thing()), &message).unwrap().size, 5);
    assert_eq!(world.open(&key, Some(thing()), &world.body).unwrap_err().code(), "unsupported-version");
}

#[test]
fn what_is_not_authentic_or_for_another_thing_leaves_nothing() {
    let world = World::new("open-bad");
    let grant = wire(&world.grant);
    let other = ThingName::parse("t2").unwrap();
    assert_eq!(world.open(&grant, Some(other), &world.body).unwrap_err().code(), "context-mismatch");
    let mut body = fs::read(&world.body).unwrap();
    *body.last_mut().unwrap() ^= 1;
    fs::write(&world.body, &body).unwrap();
    assert_eq!(world.open(&grant, Some(thing()), &world.body).unwrap_err().code(), "frame-not-authentic");
    fs::write(&world.body, &body[..20]).unwrap();
    assert_eq!(world.open(&grant, Some(thing()), &world.body).unwrap_err().code(), "truncated-body");
    assert_eq!(world.open(&json!({}), Some(thing()), &world.body).unwrap_err().code(), "bad-grant");
    assert_eq!(fs::read_dir(&world.place.0).unwrap().count(), 1, "the body alone");
}
