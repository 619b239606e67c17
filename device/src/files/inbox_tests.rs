use super::*;
use crate::files::notice::tests::{body_of, grant_of, thing};
use crate::stand_in::{Act, Store};
use crate::state::tests::Place;
use loam_sealed::Error;

const SIZE: usize = 3_000;

struct World {
    place: Place,
    store: Store,
    grant: Grant,
    file: Vec<u8>,
}

impl World {
    async fn new(name: &str, acts: &[Act], spoil: impl Fn(&mut Vec<u8>)) -> Self {
        let place = Place::new(name);
        fs::create_dir_all(&place.0).unwrap();
        let file: Vec<u8> = (0..SIZE).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut grant = grant_of(&file, 512, 1_024);
        let mut body = body_of(&grant, &file);
        spoil(&mut body);
        let store = Store::with(body, acts).await;
        grant.body = Some(store.url.clone());
        grant.file.name = "../hello world.txt".to_owned();
        Self { place, store, grant, file }
    }

    async fn download(&self) -> Result<(PathBuf, Read), Stop> {
        let (_, opener, _) = self.grant.open(&thing()).unwrap();
        download(&Http::new(None).unwrap(), &thing(), &self.grant, opener, &self.place.0).await
    }

    fn names(&self) -> Vec<String> {
        fs::read_dir(&self.place.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn refusal(outcome: Result<(PathBuf, Read), Stop>) -> NoFile {
    match outcome {
        Err(Stop::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_was_cut_and_ends_under_a_harmless_name() {
    let world = World::new("down-cut", &[Act::CutAfter(700), Act::Answer(503), Act::CutAfter(1)], |_| {}).await;
    let (path, read) = world.download().await.unwrap();
    assert_eq!((read.size, fs::read(&path).unwrap()), (SIZE as u64, world.file.clone()));
    assert_eq!(path.file_name().unwrap().to_str().unwrap(), format!("{}-.._hello_world.txt", world.grant.transfer_id));
    let asked: Vec<_> = world.store.seen().iter().map(|seen| seen.from.unwrap()).collect();
    assert_eq!(asked, [0, 700, 700, 701]);
    assert_eq!(world.names().len(), 1);
}

#[tokio::test]
async fn a_url_that_expires_in_mid_download_is_asked_for_again_and_what_came_is_kept() {
    let world = World::new("down-403", &[Act::CutAfter(700), Act::Answer(403)], |_| {}).await;
    assert!(matches!(world.download().await, Err(Stop::Again)));
    world.download().await.unwrap();
    let asked: Vec<_> = world.store.seen().iter().map(|seen| seen.from.unwrap()).collect();
    assert_eq!(asked, [0, 700, 544], "the next run goes on at the frame");
}

#[tokio::test]
async fn a_server_without_ranges_is_borne() {
    let world = World::new("down-whole", &[Act::CutAfter(700), Act::NoRange], |_| {}).await;
    let (path, _) = world.download().await.unwrap();
    assert!(fs::read(path).unwrap() == world.file);
}

#[tokio::test]
async fn what_is_not_authentic_or_another_file_leaves_nothing() {
    let flipped = World::new("down-flip", &[], |body| body[600] ^= 1).await;
    assert!(matches!(refusal(flipped.download().await), NoFile::Sealed(Error::FrameNotAuthentic(2))));
    assert_eq!(flipped.names(), [""; 0]);
    let longer = World::new("down-longer", &[], |body| body.push(0)).await;
    assert_eq!(refusal(longer.download().await).code(), "trailing-data");
    let mut other = World::new("down-other", &[], |_| {}).await;
    other.grant.file.sha256 = "0".repeat(64);
    assert_eq!(refusal(other.download().await).code(), "digest-differs");
    assert_eq!(other.names(), [""; 0]);
    let mut foreign = World::new("down-url", &[], |_| {}).await;
    foreign.grant.body = Some("http://example.com/object".to_owned());
    assert_eq!(refusal(foreign.download().await).code(), "url-refused");
}

#[tokio::test]
async fn a_line_that_breaks_without_a_byte_is_given_up_for_now() {
    let world = World::new("down-later", &[Act::Answer(500); 5], |_| {}).await;
    assert!(matches!(world.download().await, Err(Stop::Later(_))));
    assert_eq!(world.store.seen().len(), 5);
}

#[tokio::test]
async fn what_a_power_cut_made_of_an_unfinished_file_is_fetched_once_more_from_the_beginning() {
    let world = World::new("down-spoilt", &[Act::CutAfter(700), Act::Answer(403)], |_| {}).await;
    assert!(matches!(world.download().await, Err(Stop::Again)));
    let part = world.place.0.join(&world.names()[0]);
    let mut left = fs::read(&part).unwrap();
    left[..512].fill(0);
    fs::write(&part, left).unwrap();
    assert!(matches!(world.download().await, Err(Stop::Again)), "only what an earlier run left can be wrong");
    let (path, _) = world.download().await.unwrap();
    assert!(fs::read(path).unwrap() == world.file);
    let asked: Vec<_> = world.store.seen().iter().map(|seen| seen.from.unwrap()).collect();
    assert_eq!(asked, [0, 700, 544, 0]);
}
