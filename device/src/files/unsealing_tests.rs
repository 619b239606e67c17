use super::*;
use crate::files::Grant;
use crate::files::notice::tests::{body_of, grant_of, thing};
use crate::state::tests::Place;
use std::path::PathBuf;

struct World {
    _place: Place,
    path: PathBuf,
    grant: Grant,
    file: Vec<u8>,
    body: Vec<u8>,
}

impl World {
    fn new(name: &str, size: usize) -> Self {
        let place = Place::new(name);
        std::fs::create_dir_all(&place.0).unwrap();
        let file: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let grant = grant_of(&file, 512, 1_024);
        let body = body_of(&grant, &file);
        Self { path: place.0.join("f"), _place: place, grant, file, body }
    }

    fn begin(&self) -> Unsealing {
        let (_, opener, _) = self.grant.open(&thing()).unwrap();
        Unsealing::begin(opener, &self.path, self.grant.file.size).unwrap()
    }

    fn here(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }

    /// What comes of a body in pieces of some bytes.
    fn read(&self, body: &[u8]) -> Result<Read, NoFile> {
        let _ = std::fs::remove_file(&self.path);
        let mut unsealing = self.begin();
        body.chunks(100).try_for_each(|piece| unsealing.take(piece))?;
        let read = unsealing.finish()?;
        read.check(self.grant.file.size, &self.grant.file.sha256).map(|()| read)
    }
}

#[test]
fn a_body_in_pieces_becomes_the_file() {
    for size in [0, 1, 511, 512, 513, 2_000] {
        let world = World::new(&format!("whole-{size}"), size);
        assert_eq!(world.read(&world.body).unwrap().size, size as u64);
        assert!(world.here() == world.file, "{size}");
    }
}

#[test]
fn after_a_cut_it_goes_on_at_the_byte_and_after_a_power_cut_at_the_frame_wherever_it_was() {
    let world = World::new("cut", 2_000);
    for cut in (0..world.body.len()).step_by(7) {
        let _ = std::fs::remove_file(&world.path);
        let mut unsealing = world.begin();
        unsealing.take(&world.body[..cut]).unwrap();
        assert_eq!(unsealing.offset(), cut as u64);
        drop(unsealing);
        let kept = world.here();
        assert!(world.file.starts_with(&kept) && kept.len().is_multiple_of(512), "{cut}");
        let mut unsealing = world.begin();
        assert_eq!(unsealing.offset(), kept.len() as u64 / 512 * 544);
        let offset = usize::try_from(unsealing.offset()).unwrap();
        unsealing.take(&world.body[offset..]).unwrap();
        let read = unsealing.finish().unwrap();
        read.check(world.grant.file.size, &world.grant.file.sha256).unwrap();
        assert!(world.here() == world.file, "{cut}");
    }
}

#[test]
fn no_byte_of_a_frame_is_written_before_all_of_it_is_authentic() {
    let world = World::new("flips", 1_300);
    for at in 0..world.body.len() {
        let mut body = world.body.clone();
        body[at] ^= 1;
        assert!(world.read(&body).is_err(), "{at}");
        let here = world.here();
        assert!(world.file.starts_with(&here) && here.len() <= at / 544 * 512, "{at}");
    }
}

#[test]
fn what_is_cut_lengthened_or_reordered_is_refused_with_its_reason() {
    let world = World::new("shapes", 1_300);
    let code = |body: &[u8]| world.read(body).unwrap_err().code();
    for cut in [0, 1, 544, 1_088, world.body.len() - 1] {
        assert_eq!(code(&world.body[..cut]), "truncated-body", "{cut}");
    }
    assert_eq!(code(&[world.body.clone(), vec![0]].concat()), "trailing-data");
    let (first, second, rest) = (&world.body[..544], &world.body[544..1_088], &world.body[1_088..]);
    for body in
        [[second, first, rest].concat(), [first, first, rest].concat(), [second, rest].concat(), [first, rest].concat()]
    {
        assert_eq!(code(&body), "frame-out-of-order");
    }
}

#[test]
fn more_bytes_than_were_announced_are_never_written() {
    let world = World::new("endless", 1_300);
    let (_, opener, _) = world.grant.open(&thing()).unwrap();
    let mut unsealing = Unsealing::begin(opener, &world.path, 1_000).unwrap();
    assert_eq!(unsealing.take(&world.body).unwrap_err().code(), "size-differs");
    assert_eq!(world.here().len(), 512);
}

#[test]
fn another_file_that_an_earlier_run_left_is_found_out() {
    let world = World::new("foreign", 1_300);
    std::fs::write(&world.path, vec![7; 600]).unwrap();
    let mut unsealing = world.begin();
    assert_eq!(unsealing.offset(), 544);
    unsealing.take(&world.body[544..]).unwrap();
    let read = unsealing.finish().unwrap();
    assert_eq!(read.check(1_300, &world.grant.file.sha256).unwrap_err().code(), "digest-differs");
}
