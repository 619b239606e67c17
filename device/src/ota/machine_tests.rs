use super::*;
use crate::http::Http;
use crate::ota::seal::tests::Sealed;
use crate::stand_in::{Act, Store};
use crate::state::tests::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::Timestamp;
use loam_releases::accept::Refuse;
use loam_releases::journal::{Stage, Verdict};
use loam_releases::manifest::{Firmware, Manifest};
use loam_releases::samples::{self, Signer, hardware, version};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_500_000);
const THING: &str = "fern";

/// A device, the cloud that orders version 2.1.0, and the storage with its image.
struct World {
    signer: Signer,
    machine: Machine,
    store: Store,
    /// What is signed.
    manifest: Manifest,
    /// What the shadow announces, if it is something else.
    announced: Option<Manifest>,
    /// What the signature is of, if it is something else.
    signature_of: Option<Manifest>,
    attempt: u32,
    /// What the device said, in order, without its questions.
    said: Vec<String>,
    asked: usize,
    restarts: usize,
    by_job: bool,
    /// What comes with the URL: header and key.
    seal: Option<(String, String)>,
    _place: Place,
}

/// What somebody does to the order on its way.
type Attack = fn(&mut World);

fn image() -> Vec<u8> {
    (0..200_000_u32).flat_map(|number| number.to_le_bytes()).take(150_000).collect()
}

fn rollout() -> Id {
    Id::of("rollout", &["r"])
}

fn settings(signer: &Signer) -> Settings {
    Settings {
        thing: THING.to_owned(),
        hardware: hardware("c3"),
        version: version("2.0.0"),
        keys: Keyring::new(vec![signer.key()]).unwrap(),
        fault: None,
        power_cut: None,
        trial: Duration::from_millis(20),
        utc_offset_minutes: None,
    }
}

impl World {
    async fn new(name: &str, image: Vec<u8>, acts: &[Act], change: impl FnOnce(&mut Settings)) -> Self {
        let (signer, place) = (Signer::new(), Place::new(name));
        let mut settings = settings(&signer);
        change(&mut settings);
        let machine = Machine::start(settings, &place.0, Http::new(None).unwrap()).unwrap();
        let (size, sha256) = (image.len() as u64, Digest::of(&image));
        let firmware = Firmware { size, sha256, ..samples::firmware("2.1.0") };
        let manifest = Manifest { firmware, ..samples::manifest(17, "2.1.0") };
        let (announced, signature_of, attempt) = (None, None, 1);
        let store = Store::with(image, acts).await;
        let (said, asked, restarts, by_job, seal) = (vec![], 0, 0, false, None);
        Self {
            signer,
            machine,
            store,
            manifest,
            announced,
            signature_of,
            attempt,
            said,
            asked,
            restarts,
            by_job,
            seal,
            _place: place,
        }
    }

    /// A world whose storage holds the image sealed, changed by `change`.
    async fn sealed(name: &str, acts: &[Act], change: impl FnOnce(&mut Sealed)) -> Self {
        Self::new(name, image(), &[], |_| {}).await.seal(acts, change).await
    }

    async fn seal(mut self, acts: &[Act], change: impl FnOnce(&mut Sealed)) -> Self {
        let mut sealed = Sealed::of(&self.manifest.firmware.release, &image());
        change(&mut sealed);
        self.store = Store::with(sealed.body, acts).await;
        self.seal = Some((STANDARD.encode(sealed.header), STANDARD.encode(sealed.key)));
        self
    }

    /// A device that was led to 2.1.0 by manifest 17 and is then offered 2.2.0 by manifest 18, changed by `attack`.
    async fn attacked(name: &str, by_job: bool, attack: Attack) -> Self {
        let mut world = Self::new(&format!("ota-attack-{name}-{by_job}"), image(), &[], |_| {}).await;
        world.by_job = by_job;
        world.live().await;
        assert_eq!(world.runs(), ("2.1.0".to_owned(), Some(Verdict::Succeeded)), "{name}");
        world.offer_the_next();
        attack(&mut world);
        world.live().await;
        world
    }

    fn offer_the_next(&mut self) {
        let Firmware { size, sha256, .. } = self.manifest.firmware;
        let firmware = Firmware { size, sha256, ..samples::firmware("2.2.0") };
        self.manifest = Manifest { firmware, ..samples::manifest(18, "2.2.0") };
        self.attempt = 2;
    }

    fn hear(&mut self, topic: &str, payload: &Value) {
        let (topic, payload) = (topic.to_owned(), payload.to_string().into_bytes());
        let message = Message { topic, payload, response_topic: None, correlation_data: None, duplicate: false };
        self.machine.hear(&message).unwrap();
    }

    fn desire(&mut self, desired: &Value) {
        let shadow = json!({"version": 9, "state": {"desired": {"firmware": desired}}});
        self.hear("$aws/things/fern/shadow/get/accepted", &shadow);
    }

    fn order(&self) -> Value {
        let Manifest { firmware, sequence, .. } = self.announced.as_ref().unwrap_or(&self.manifest);
        json!({
            "rollout": rollout(), "attempt": self.attempt, "release": firmware.release, "version": firmware.version,
            "sequence": sequence, "window": null,
        })
    }

    fn signed(&self) -> Value {
        let (manifest, own) = self.signer.sign(&self.manifest);
        let signature = self.signature_of.as_ref().map_or(own, |other| self.signer.sign(other).1);
        let manifest = String::from_utf8(manifest).unwrap();
        let mut signed =
            json!({"manifest": manifest, "signature": STANDARD.encode(signature), "url": self.store.url, "size": 1});
        if let Some((header, key)) = &self.seal {
            (signed["header"], signed["key"]) = (json!(header), json!(key));
        }
        signed
    }

    fn job(&self, status: &str) -> Value {
        let mut document = self.signed();
        document["operation"] = json!("loam-firmware");
        document["rollout"] = json!(rollout());
        document["attempt"] = json!(self.attempt);
        json!({"execution": {"jobId": "j", "status": status, "jobDocument": document}})
    }

    /// What the cloud answers.
    fn answer(&mut self, word: &Word) {
        match word.topic.strip_prefix("$aws/things/fern/").unwrap_or(&word.topic) {
            "shadow/get" if self.by_job => self.desire(&Value::Null),
            "shadow/get" => self.desire(&self.order()),
            "jobs/$next/get" if self.by_job => {
                self.hear("$aws/things/fern/jobs/$next/get/accepted", &self.job("QUEUED"))
            }
            "jobs/$next/get" => self.hear("$aws/things/fern/jobs/$next/get/accepted", &json!({})),
            "jobs/start-next" => {
                self.asked += 1;
                self.hear("$aws/things/fern/jobs/start-next/accepted", &self.job("IN_PROGRESS"));
            }
            topic if topic.ends_with("/request") => {
                self.asked += 1;
                let grant = self.signed();
                self.hear(&format!("loam/fern/firmware/{}/grant", rollout()), &grant);
            }
            "shadow/update" => {
                let firmware = &word.payload["state"]["reported"]["firmware"];
                self.said.push(format!(
                    "runs {} {}",
                    firmware["version"].as_str().unwrap(),
                    firmware["slot"].as_str().unwrap()
                ));
            }
            topic if topic.ends_with("/update") => {
                self.said.push(format!("job {}", word.payload["status"].as_str().unwrap()))
            }
            _ => {
                let code = word.payload["reasonCode"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
                self.said.push(format!("{}{code}", word.payload["state"].as_str().unwrap()));
            }
        }
    }

    fn connect(&mut self) {
        for word in self.machine.connected() {
            self.answer(&word);
        }
    }

    /// Until there is nothing more to do; connected whenever it can be.
    async fn live(&mut self) {
        self.connect();
        for _ in 0..500 {
            match self.machine.step(NOW, 0).await.unwrap() {
                Turn::On => {}
                Turn::Say(words) => {
                    words.iter().for_each(|word| self.answer(word));
                    self.machine.said();
                }
                Turn::Restart => {
                    self.restarts += 1;
                    self.machine.restart().unwrap();
                    self.connect();
                }
                Turn::Wait(time) if time >= Duration::from_secs(20) => return,
                // A broken line, or a trial that waits in vain.
                Turn::Wait(time) => tokio::time::sleep(time.min(Duration::from_millis(25))).await,
            }
        }
        panic!("it does not come to rest: {:?}", self.said);
    }

    /// What it said without how far it was.
    fn words(&self) -> Vec<&str> {
        let mut words: Vec<_> = self.said.iter().map(String::as_str).collect();
        words.dedup();
        words
    }

    fn runs(&self) -> (String, Option<Verdict>) {
        let verdict = match &self.machine.journal.stage {
            Stage::Over { verdict, told: true, .. } => Some(*verdict),
            Stage::Idle | Stage::Fetching { .. } | Stage::Trying { .. } | Stage::Over { .. } => None,
        };
        (self.machine.journal.running.to_string(), verdict)
    }
}

#[tokio::test]
async fn an_update_is_fetched_tried_and_kept_and_only_then_reported() {
    let mut world = World::new("ota-good", image(), &[], |_| {}).await;
    world.live().await;
    let expected =
        ["runs 2.0.0 a", "downloading", "verifying", "installing", "runs 2.1.0 b", "succeeded"].map(str::to_owned);
    assert_eq!(world.words(), expected);
    assert_eq!((world.asked, world.restarts), (1, 1));
    assert_eq!(world.machine.flash.first(Slot::B, 1 << 20).unwrap(), image());
    assert_eq!(world.store.seen().len(), 1, "one request, however many pieces");
    world.live().await;
    assert_eq!(world.asked, 1, "what is done is not asked for again");
}

#[tokio::test]
async fn a_job_brings_the_same_and_is_ended() {
    let mut world = World::new("ota-job", image(), &[], |_| {}).await;
    world.by_job = true;
    world.live().await;
    // Between restart and commit nobody has begun the job anew; that it is over is said once it is heard of again.
    let expected = ["runs 2.1.0 b", "succeeded", "job SUCCEEDED"];
    assert_eq!(world.words()[world.words().len() - 3..], expected, "{:?}", world.said);
    assert_eq!(world.runs(), ("2.1.0".to_owned(), Some(Verdict::Succeeded)));
}

#[tokio::test]
async fn whatever_goes_wrong_the_old_firmware_runs_and_says_why() {
    for (fault, expected) in [
        (Fault::Download, "rejected image-size"),
        (Fault::Verify, "rejected image-digest"),
        (Fault::Install, "failed damaged"),
        (Fault::Start, "failed does-not-start"),
        (Fault::SelfTest, "failed self-test"),
        (Fault::Connect, "failed no-connection"),
    ] {
        let mut world =
            World::new(&format!("ota-{fault:?}"), image(), &[], |settings| settings.fault = Some(fault)).await;
        world.live().await;
        assert!(world.words().contains(&expected), "{fault:?}: {:?}", world.said);
        assert!(!world.said.iter().any(|word| word.starts_with("runs 2.1.0")), "{fault:?}");
        assert_eq!(world.runs().0, "2.0.0");
    }
}

#[tokio::test]
async fn an_image_that_is_made_to_fail_fails_and_the_next_one_does_not() {
    let mut world = World::new("ota-bad", b"loam-fault=self-test 2.1.0".to_vec(), &[], |_| {}).await;
    world.live().await;
    assert!(world.words().contains(&"failed self-test"), "{:?}", world.said);
}

#[tokio::test]
async fn whenever_the_power_goes_the_update_comes_to_its_end() {
    let mut cuts = 0;
    for write in 1.. {
        let change = |settings: &mut Settings| settings.power_cut = Some(write);
        let mut world = World::new(&format!("ota-power-{write}"), image(), &[], change).await;
        world.live().await;
        assert_eq!(world.runs(), ("2.1.0".to_owned(), Some(Verdict::Succeeded)), "at write {write}");
        // A cut while the boot loader writes costs no restart that anybody sees.
        if world.restarts == 1 && write > 20 {
            break;
        }
        cuts += world.restarts - 1;
    }
    assert!(cuts >= 8, "{cuts} cuts prove little");
}

#[tokio::test]
async fn a_download_goes_on_where_it_was_cut() {
    let acts = [Act::CutAfter(70_000), Act::Answer(503), Act::NoRange];
    let mut world = World::new("ota-cut", image(), &acts, |_| {}).await;
    world.live().await;
    assert_eq!(world.runs().0, "2.1.0");
    let from: Vec<_> = world.store.seen().iter().map(|seen| seen.from).collect();
    assert_eq!(from, [Some(0), Some(65_536), Some(65_536)]);
}

#[tokio::test]
async fn a_url_that_is_over_is_asked_for_anew_but_not_in_a_loop() {
    let mut world = World::new("ota-403", image(), &[Act::Answer(403)], |_| {}).await;
    world.live().await;
    assert_eq!((world.asked, world.runs().0.as_str()), (1, "2.0.0"), "it has asked a moment ago");
    world.machine.asked = None;
    world.live().await;
    assert_eq!((world.asked, world.runs().0.as_str()), (2, "2.1.0"));
}

#[tokio::test]
async fn outside_its_window_the_device_keeps_the_image_and_does_not_restart() {
    let mut world = World::new("ota-window", image(), &[], |_| {}).await;
    world.machine.connected();
    let mut order = world.order();
    // It is Thursday, 00:25.
    order["window"] = json!({"days": ["thu"], "fromMinute": 60, "minutes": 60});
    world.desire(&order);
    let grant = world.signed();
    world.hear(&format!("loam/fern/firmware/{}/grant", rollout()), &grant);
    for _ in 0..40 {
        assert_ne!(world.machine.step(NOW, 0).await.unwrap(), Turn::Restart);
    }
    assert!(matches!(world.machine.step(NOW, 0).await.unwrap(), Turn::Wait(_)));
    assert!(matches!(world.machine.step(NOW, 60).await.unwrap(), Turn::Say(_)), "an hour to the east it is open");
}

#[tokio::test]
async fn what_is_withdrawn_while_it_is_fetched_is_not_started_and_not_spoken_of() {
    let mut world = World::new("ota-withdrawn", image(), &[], |_| {}).await;
    world.connect();
    let grant = world.signed();
    world.hear(&format!("loam/fern/firmware/{}/grant", rollout()), &grant);
    assert!(matches!(world.machine.step(NOW, 0).await.unwrap(), Turn::Say(_)), "it begins");
    world.desire(&Value::Null);
    for _ in 0..5 {
        match world.machine.step(NOW, 0).await.unwrap() {
            Turn::Say(words) => {
                assert_eq!(words, []);
                world.machine.said();
            }
            turn @ (Turn::On | Turn::Restart | Turn::Wait(_)) => assert_ne!(turn, Turn::Restart),
        }
    }
    assert_eq!(world.runs(), ("2.0.0".to_owned(), Some(Verdict::Withdrawn)));
}

#[tokio::test]
async fn a_manifest_by_another_signer_is_refused_before_a_byte_is_fetched() {
    let mut world = World::new("ota-signer", image(), &[], |_| {}).await;
    world.signer = Signer::new();
    world.live().await;
    assert_eq!(world.words(), ["runs 2.0.0 a", "rejected unknown-signer"]);
    assert!(world.store.seen().is_empty());
}

#[tokio::test]
async fn the_next_order_is_obeyed_as_long_as_nobody_changes_it() {
    for by_job in [false, true] {
        let world = World::attacked("none", by_job, |_| {}).await;
        assert_eq!(world.runs(), ("2.2.0".to_owned(), Some(Verdict::Succeeded)), "by job: {by_job}");
        assert_eq!(world.store.seen().len(), 2);
    }
}

#[tokio::test]
async fn every_attack_on_an_order_is_refused_for_its_own_reason_before_a_byte_is_fetched_by_shadow_and_by_job() {
    let attacks: [(&str, Refuse, Attack); 10] = [
        ("rollback", Refuse::OlderVersion, |world| world.manifest.firmware.version = version("1.9.9")),
        ("weaker", Refuse::SecurityCounter, |world| world.manifest.firmware.security_counter = 2),
        ("weaker-back", Refuse::SecurityCounter, |world| {
            world.manifest.firmware.version = version("2.0.0");
            world.manifest.firmware.security_counter = 2;
            world.manifest.downgrade = true;
        }),
        ("replay", Refuse::Replayed, |world| world.manifest.sequence = 16),
        ("same-number", Refuse::Replayed, |world| world.manifest.sequence = 17),
        ("expired", Refuse::Expired, |world| world.manifest.not_after = NOW),
        ("hardware", Refuse::WrongHardware, |world| world.manifest.firmware.hardware = [hardware("c2")].into()),
        ("leap", Refuse::FromTooOld, |world| world.manifest.firmware.minimum_from = Some(version("2.1.1"))),
        ("signature", Refuse::BadSignature, |world| world.signature_of = Some(samples::manifest(17, "2.1.0"))),
        ("signer", Refuse::UnknownSigner, |world| world.signer = Signer::new()),
    ];
    for (name, why, attack) in attacks {
        for by_job in [false, true] {
            is_refused(&World::attacked(name, by_job, attack).await, name, why);
        }
    }
}

#[tokio::test]
async fn an_order_that_is_not_the_announced_one_is_refused_before_a_byte_is_fetched() {
    let attacks: [(&str, Attack); 4] = [
        ("release", |world| announce(world, |other| other.firmware.release = samples::firmware("2.3.0").release)),
        ("version", |world| announce(world, |other| other.firmware.version = version("2.3.0"))),
        ("number", |world| announce(world, |other| other.sequence = 19)),
        ("all", |world| announce(world, |other| *other = samples::manifest(19, "2.3.0"))),
    ];
    for (name, attack) in attacks {
        is_refused(&World::attacked(&format!("mixed-{name}"), false, attack).await, name, Refuse::MixedUp);
    }
}

/// The shadow announces what is signed, but for this.
fn announce(world: &mut World, change: fn(&mut Manifest)) {
    change(world.announced.insert(world.manifest.clone()));
}

fn is_refused(world: &World, name: &str, why: Refuse) {
    let words = world.words();
    assert!(words.contains(&format!("rejected {}", why.as_str()).as_str()), "{name}: {words:?}");
    assert_eq!(world.runs(), ("2.1.0".to_owned(), Some(Verdict::Refused(why))), "{name}");
    assert_eq!((world.store.seen().len(), world.restarts), (1, 1), "{name}: the first order's");
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_order_good_again_after_one_that_was_made_later() {
    let mut world = World::new("ota-attack-clock", image(), &[], |_| {}).await;
    // By the device's clock this one is made in a hundred seconds: the clock was set back.
    let later = Timestamp::from_millis(1_600_000);
    world.manifest.issued_at = later;
    world.live().await;
    assert_eq!(world.runs().0, "2.1.0");
    world.offer_the_next();
    world.manifest.not_after = later;
    world.live().await;
    is_refused(&world, "clock", Refuse::Expired);
}

#[tokio::test]
async fn a_sealed_image_is_opened_on_its_way_into_the_slot() {
    let mut world = World::sealed("ota-sealed", &[], |_| {}).await;
    world.live().await;
    assert_eq!(world.runs(), ("2.1.0".to_owned(), Some(Verdict::Succeeded)));
    assert_eq!(world.machine.flash.first(Slot::B, 1 << 20).unwrap(), image());
    assert_eq!(world.store.seen().len(), 1, "one request, however many frames");
}

#[tokio::test]
async fn a_sealed_download_goes_on_at_the_frame_where_it_was_cut() {
    // The first frame is there, the second is not yet whole.
    let acts = [Act::CutAfter(70_000), Act::Answer(503), Act::NoRange];
    let mut world = World::sealed("ota-sealed-cut", &acts, |_| {}).await;
    world.live().await;
    assert_eq!(world.runs().0, "2.1.0");
    let from: Vec<_> = world.store.seen().iter().map(|seen| seen.from).collect();
    assert_eq!(from, [Some(0), Some(65_568), Some(65_568)]);
}

#[tokio::test]
async fn a_sealed_download_goes_on_within_a_frame_where_pieces_and_frames_do_not_meet() {
    let acts = [Act::CutAfter(70_000)];
    let release = samples::firmware("2.1.0").release;
    let change = |sealed: &mut Sealed| *sealed = Sealed::in_frames(1_000, &release, &image());
    let mut world = World::sealed("ota-sealed-within", &acts, change).await;
    world.live().await;
    assert_eq!(world.runs().0, "2.1.0");
    // A piece of 65,536 bytes is in the slot; the next byte is in the 66th frame, of 1,000 bytes and 32 more each.
    let from: Vec<_> = world.store.seen().iter().map(|seen| seen.from).collect();
    assert_eq!(from, [Some(0), Some(65 * 1_032)]);
}

#[tokio::test]
async fn whenever_the_power_goes_a_sealed_update_comes_to_its_end() {
    let mut cuts = 0;
    for write in 1..=9 {
        let change = |settings: &mut Settings| settings.power_cut = Some(write);
        let world = World::new(&format!("ota-sealed-power-{write}"), image(), &[], change).await;
        let mut world = world.seal(&[], |_| {}).await;
        world.live().await;
        assert_eq!(world.runs(), ("2.1.0".to_owned(), Some(Verdict::Succeeded)), "at write {write}");
        cuts += world.restarts - 1;
    }
    // One restart is the update's own; the ninth write is the boot loader's, which no step waits for.
    assert!(cuts >= 8, "{cuts}");
}

#[tokio::test]
async fn a_sealed_image_that_was_tampered_with_is_refused_with_what_shows_it() {
    type Attack = fn(&mut Sealed);
    let attacks: [(&str, &str, Attack); 8] = [
        ("other-key", "data-key-not-authentic", |sealed| sealed.key[0] ^= 1),
        ("short-key", "data-key-not-authentic", |sealed| sealed.key.truncate(31)),
        ("header", "header-not-authentic", |sealed| *sealed.header.last_mut().unwrap() ^= 1),
        ("half-a-header", "header-not-authentic", |sealed| sealed.header.truncate(100)),
        ("frame", "frame-not-authentic", |sealed| sealed.body[70_000] ^= 1),
        ("swapped", "frame-not-authentic", |sealed| {
            let (first, second) = sealed.body.split_at_mut(65_568);
            first.swap_with_slice(&mut second[..65_568]);
        }),
        ("truncated", "image-size", |sealed| sealed.body.truncate(65_568 * 2)),
        ("longer", "image-size", |sealed| sealed.body.push(0)),
    ];
    for (name, expected, attack) in attacks {
        let mut world = World::sealed(&format!("ota-sealed-{name}"), &[], attack).await;
        world.live().await;
        assert_eq!(world.words().last(), Some(&format!("rejected {expected}").as_str()), "{name}: {:?}", world.said);
        assert_eq!(world.runs().0, "2.0.0", "{name}");
    }
}

#[tokio::test]
async fn a_seal_of_another_release_opens_nothing_and_one_over_another_image_does_not_help() {
    let mut world = World::sealed("ota-sealed-mixed", &[], |sealed| {
        *sealed = Sealed::of(&Id::of("release", &["other"]), &image());
    })
    .await;
    world.live().await;
    assert!(world.words().contains(&"rejected data-key-not-authentic"), "{:?}", world.said);
    let mut other = image();
    other[5] ^= 1;
    let release = world.manifest.firmware.release.clone();
    let mut world = World::sealed("ota-sealed-other", &[], |sealed| *sealed = Sealed::of(&release, &other)).await;
    world.live().await;
    assert!(world.words().contains(&"rejected image-digest"), "{:?}", world.said);
}
