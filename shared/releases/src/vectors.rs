//! The orders that a device in another language is checked with (`vectors/README.md`): this crate judges them as they say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use loam_domain::Timestamp;

use crate::accept::{Device, Reference, Refuse, Seen, accept};
use crate::image::Check;
use crate::manifest::Manifest;
use crate::samples::{hardware, version};
use crate::signature::{Keyring, PublicKey};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name)
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The lines of a table without the first, cell by cell.
fn table(name: &str) -> Vec<Vec<String>> {
    let text = String::from_utf8(file(name)).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// The names of a folder's files, without what comes after the point.
fn stems(folder: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(path(folder)).unwrap();
    files.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn manifest(order: &str) -> Manifest {
    Manifest::parse(&file(&format!("orders/{order}.manifest"))).unwrap()
}

/// The one device, with what differs from line to line.
fn look(order: &str, seen: Option<&str>, announced: Option<&str>, clock: Option<&str>) -> Result<Seen, Refuse> {
    let [bytes, signature] = ["manifest", "sig"].map(|kind| file(&format!("orders/{order}.{kind}")));
    let trusted = PublicKey::from_spki(&file("trusted.der")).unwrap();
    let verified = Keyring::new(vec![trusted]).unwrap().verify(&bytes, &signature)?;
    let Manifest { firmware, sequence, .. } = announced.map_or_else(|| verified.manifest().clone(), manifest);
    let reference = Reference { release: firmware.release, version: firmware.version, sequence };
    let seen = seen.map(manifest).map(|seen| {
        let digest = seen.digest();
        Seen { sequence: seen.sequence, digest, issued_at: seen.issued_at }
    });
    let (hardware, running) = (hardware("board-c3"), version("2.0.0"));
    let device = Device { hardware, running, security_counter: 3, seen, slot_bytes: 1_048_576 };
    accept(&verified, &reference, &device, clock.map(|clock| Timestamp::from_millis(clock.parse().unwrap())))
}

#[test]
fn each_order_is_judged_as_its_line_says() {
    for row in table("orders.tsv") {
        let [verdict, order, seen, announced, clock] = row.as_slice() else { panic!("{row:?}") };
        let [seen, announced, clock] =
            [seen, announced, clock].map(|cell| Some(cell.as_str()).filter(|cell| *cell != "-"));
        let found = look(order, seen, announced, clock).map_or_else(Refuse::as_str, |_| "accepted");
        assert_eq!(found, verdict, "{row:?}");
    }
}

#[test]
fn each_image_is_judged_as_its_line_says() {
    for row in table("images.tsv") {
        let [verdict, image] = row.as_slice() else { panic!("{row:?}") };
        let mut check = Check::new(&manifest("good").firmware);
        let judged = check.update(&file(&format!("images/{image}.bin"))).and_then(|()| check.finish());
        assert_eq!(judged.map_or_else(Refuse::as_str, |()| "accepted"), verdict, "{image}");
    }
}

#[test]
fn each_file_is_in_a_line_and_each_reason_is_shown_but_those_of_seals() {
    let (orders, images) = (table("orders.tsv"), table("images.tsv"));
    let column = |rows: &[Vec<String>], at: usize| rows.iter().map(|row| row[at].clone()).collect::<BTreeSet<_>>();
    let mut named: BTreeSet<_> = [1, 2, 3].iter().flat_map(|at| column(&orders, *at)).collect();
    named.remove("-");
    assert_eq!((named, column(&images, 1)), (stems("orders"), stems("images")));
    let of_seals = [Refuse::DataKeyNotAuthentic, Refuse::HeaderNotAuthentic, Refuse::FrameNotAuthentic];
    let reasons = Refuse::ALL.into_iter().filter(|why| !of_seals.contains(why)).map(Refuse::as_str);
    let expected: BTreeSet<_> = reasons.chain(["accepted"]).map(str::to_owned).collect();
    assert_eq!(&column(&orders, 0) | &column(&images, 0), expected);
}
