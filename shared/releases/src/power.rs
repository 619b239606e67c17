//! Attack 10: the power goes, at every step, before, in the middle of, and after it; also twice. What starts is always the old
//! or the new firmware, whole.

use loam_domain::Timestamp;

use crate::accept::{Refuse, Seen};
use crate::journal::{Fault, Journal, Order, Slot, Stage, Verdict, boot};
use crate::names::{Digest, Id};
use crate::next::{Do, Sight, Wanted, next};
use crate::samples::{firmware, image, version};

/// When the power goes: at this write to the flash, and how much of it is done then.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Done {
    Nothing,
    Half,
    All,
}

#[derive(Debug, Clone, Copy)]
struct Cut {
    write: usize,
    done: Done,
}

/// How the new image behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
enum New {
    Works,
    Crashes,
    SaysNo,
    Isolated,
}

struct PowerGone;

struct Flash {
    slots: [Vec<u8>; 2],
    /// Two copies, each with its number; `None`: torn.
    copies: [Option<(u64, Journal)>; 2],
    writes: usize,
    cuts: Vec<Cut>,
}

fn place(slot: Slot) -> usize {
    usize::from(slot == Slot::B)
}

impl Flash {
    fn factory(cuts: Vec<Cut>) -> Self {
        let slots = [image("2.0.0"), vec![0xff; 64]];
        Self { slots, copies: [Some((1, Journal::factory(version("2.0.0"), 3))), None], writes: 0, cuts }
    }

    fn journal(&self) -> Journal {
        let newest = self.copies.iter().flatten().max_by_key(|copy| copy.0);
        newest.expect("a copy of the journal").1.clone()
    }

    /// How much of this write is done, and whether the power goes with it.
    fn power(&mut self) -> (Done, Result<(), PowerGone>) {
        let write = self.writes;
        self.writes += 1;
        match self.cuts.iter().find(|cut| cut.write == write) {
            Some(cut) => (cut.done, Err(PowerGone)),
            None => (Done::All, Ok(())),
        }
    }

    fn save(&mut self, journal: Journal) -> Result<(), PowerGone> {
        let (done, power) = self.power();
        let number = |copy: &Option<(u64, Journal)>| copy.as_ref().map_or(0, |copy| copy.0);
        let newest = self.copies.iter().map(number).max().unwrap_or(0);
        let oldest = usize::from(number(&self.copies[0]) > number(&self.copies[1]));
        match done {
            Done::Nothing => {}
            Done::Half => self.copies[oldest] = None,
            Done::All => self.copies[oldest] = Some((newest + 1, journal)),
        }
        power
    }

    fn write(&mut self, slot: Slot, from: usize, piece: &[u8]) -> Result<(), PowerGone> {
        let (done, power) = self.power();
        let length = match done {
            Done::Nothing => 0,
            Done::Half => piece.len() / 2,
            Done::All => piece.len(),
        };
        let target = &mut self.slots[place(slot)];
        target[from..from + piece.len()].fill(0xff);
        target[from..from + length].copy_from_slice(&piece[..length]);
        power
    }

    fn digest(&self, slot: Slot, size: u64) -> Digest {
        let size = usize::try_from(size).unwrap();
        Digest::of(&self.slots[place(slot)][..size.min(self.slots[place(slot)].len())])
    }
}

struct World {
    flash: Flash,
    new: New,
    order: Order,
    told: Vec<Verdict>,
    /// The largest piece that is written at once, so that a small image has several.
    piece: u64,
    served: Vec<u8>,
    starts_of_new: u32,
}

fn order() -> (Order, Seen) {
    let firmware = firmware("2.1.0");
    let seen = Seen { sequence: 17, digest: Digest::of(b"manifest"), issued_at: Timestamp::from_millis(5) };
    (Order { rollout: Id::of("rollout", &["r"]), attempt: 1, firmware, sequence: 17 }, seen)
}

impl World {
    fn new(new: New, cuts: Vec<Cut>) -> Self {
        let flash = Flash::factory(cuts);
        let (told, served) = (vec![], image("2.1.0"));
        Self { flash, new, order: order().0, told, piece: 4, served, starts_of_new: 0 }
    }

    /// From one start to the next. `Ok(true)` when there is nothing left to do.
    fn run(&mut self) -> Result<bool, PowerGone> {
        let flash = &self.flash;
        let start = boot(&flash.journal(), |slot, size| flash.digest(slot, size));
        let slot = start.slot;
        if let Some(journal) = start.save {
            self.flash.save(journal)?;
        }
        self.assert_whole(slot);
        let is_new = self.flash.digest(slot, self.order.firmware.size) == self.order.firmware.sha256;
        self.starts_of_new += u32::from(is_new);
        if is_new && self.new == New::Crashes {
            return Ok(false);
        }
        let (order, seen) = order();
        let mut sight = Sight {
            runs: slot,
            wanted: Wanted::Accepted(Box::new(order), seen),
            connected: !(is_new && self.new == New::Isolated),
            may_restart: true,
            source_bytes: None,
            refused: None,
            written: None,
            whole: None,
            healthy: None,
            waited_in_vain: false,
            told: false,
        };
        for _ in 0..200 {
            if let Some(over) = self.act(&mut sight)? {
                return Ok(over);
            }
        }
        panic!("it does not come to an end: {:?}", self.flash.journal());
    }

    fn assert_whole(&self, slot: Slot) {
        let bytes = &self.flash.slots[place(slot)];
        let found = ["2.0.0", "2.1.0"].into_iter().find(|version| bytes.starts_with(&image(version)));
        assert!(found.is_some(), "what starts is neither the old nor the new: {bytes:?}");
    }

    /// One thing; `Some(whether all is done)` when this run ends.
    fn act(&mut self, sight: &mut Sight) -> Result<Option<bool>, PowerGone> {
        let journal = self.flash.journal();
        match next(&journal, sight) {
            Do::Save(journal) => self.flash.save(*journal)?,
            Do::Fetch { from, bytes } => {
                let bytes = usize::try_from(bytes.min(self.piece)).unwrap();
                let first = usize::try_from(from).unwrap();
                sight.source_bytes = Some(self.served.len() as u64);
                let piece: Vec<u8> = self.served.iter().skip(first).take(bytes).copied().collect();
                self.flash.write(journal.active.other(), first, &piece)?;
                sight.written = Some((first + piece.len()) as u64);
            }
            Do::CheckImage => {
                let found = self.flash.digest(journal.active.other(), self.order.firmware.size);
                sight.whole = Some(found == self.order.firmware.sha256);
            }
            Do::Restart => return Ok(Some(false)),
            Do::SelfTest => sight.healthy = Some(self.new != New::SaysNo),
            Do::Tell { verdict, .. } => {
                self.told.push(verdict);
                sight.told = true;
            }
            Do::Wait if matches!(journal.stage, Stage::Trying { .. }) => sight.waited_in_vain = true,
            Do::Wait => return Ok(Some(true)),
        }
        Ok(None)
    }

    /// Until there is nothing left to do, however often the power goes.
    fn live(&mut self) -> Journal {
        for _ in 0..50 {
            if matches!(self.run(), Ok(true)) {
                return self.flash.journal();
            }
        }
        panic!("it starts for ever: {:?}", self.flash.journal());
    }
}

fn verdict(journal: &Journal) -> Verdict {
    let Stage::Over { verdict, told: true, .. } = &journal.stage else { panic!("{journal:?}") };
    *verdict
}

/// Lives through an update with the power going at these moments; the end, and how many writes there were.
fn after(new: New, cuts: Vec<Cut>) -> (Verdict, usize) {
    let mut world = World::new(new, cuts.clone());
    let end = world.live();
    let verdict = verdict(&end);
    assert_eq!(world.told.last(), Some(&verdict), "{cuts:?}");
    let (runs, counter) = match verdict {
        Verdict::Succeeded => ("2.1.0", 3),
        Verdict::Failed(_) | Verdict::Refused(_) | Verdict::Withdrawn => ("2.0.0", 3),
    };
    assert_eq!((end.running.to_string().as_str(), end.security_counter), (runs, counter));
    assert!(world.flash.slots[place(end.active)].starts_with(&image(runs)), "{cuts:?}");
    assert!(world.starts_of_new <= 3 + u32::try_from(cuts.len()).unwrap() + 50 * u32::from(new == New::Works));
    (verdict, world.flash.writes)
}

const HOW: [Done; 3] = [Done::Nothing, Done::Half, Done::All];

/// Every single cut, and every pair of cuts.
fn all_cuts(writes: usize) -> impl Iterator<Item = Vec<Cut>> {
    let cuts: Vec<Cut> = (0..writes + 4).flat_map(|write| HOW.map(|done| Cut { write, done })).collect();
    let pairs: Vec<Vec<Cut>> = cuts
        .iter()
        .flat_map(|one| cuts.iter().filter(|two| two.write > one.write).map(|two| vec![*one, *two]))
        .collect();
    cuts.into_iter().map(|cut| vec![cut]).chain(pairs)
}

#[test]
fn an_update_that_works_survives_every_cut_and_every_pair_of_cuts_and_ends_on_the_new_firmware() {
    let (verdict, writes) = after(New::Works, vec![]);
    assert!(verdict == Verdict::Succeeded && writes >= 8, "{verdict:?} after {writes} writes");
    let mut tried = 0;
    for cuts in all_cuts(writes) {
        tried += 1;
        assert_eq!(after(New::Works, cuts.clone()).0, Verdict::Succeeded, "{cuts:?}");
    }
    assert!(tried > 500, "{tried} prove little");
}

#[test]
fn an_image_that_crashes_says_no_or_reaches_nobody_ends_on_the_old_firmware_whenever_the_power_goes() {
    for (new, fault) in
        [(New::Crashes, Fault::DoesNotStart), (New::SaysNo, Fault::SelfTest), (New::Isolated, Fault::NoConnection)]
    {
        let (verdict, writes) = after(new, vec![]);
        assert_eq!(verdict, Verdict::Failed(fault));
        for cuts in all_cuts(writes) {
            let found = after(new, cuts.clone()).0;
            // A cut between a start and its verdict costs a start; three of them, and it does not start.
            assert!(
                matches!(found, Verdict::Failed(found) if found == fault || found == Fault::DoesNotStart),
                "{cuts:?}"
            );
        }
    }
}

#[test]
fn an_image_that_rots_between_check_and_start_does_not_start() {
    let mut world = World::new(New::Works, vec![]);
    let starts_trial = |journal: &Journal| matches!(journal.stage, Stage::Trying { .. });
    while !starts_trial(&world.flash.journal()) {
        world.flash.cuts = vec![Cut { write: world.flash.writes + 1, done: Done::All }];
        let _cut = world.run();
    }
    world.flash.cuts.clear();
    world.flash.slots[1][3] ^= 1;
    assert_eq!(verdict(&world.live()), Verdict::Failed(Fault::Damaged));
    assert_eq!(world.starts_of_new, 0);
}

#[test]
fn an_image_that_is_longer_shorter_or_another_than_signed_is_never_started() {
    let good = image("2.1.0");
    let mut longer = good.clone();
    longer.push(0);
    let mut other = good.clone();
    other[2] ^= 1;
    let cases = [(longer, "image-size"), (good[..5].to_vec(), "image-size"), (other, "image-digest")];
    for (served, word) in cases {
        let mut world = World::new(New::Works, vec![]);
        world.served = served;
        let Verdict::Refused(why) = verdict(&world.live()) else { panic!() };
        assert_eq!((why.as_str(), world.starts_of_new), (word, 0));
    }
}

#[test]
fn an_order_is_done_once_and_a_second_attempt_again() {
    let mut world = World::new(New::SaysNo, vec![]);
    let end = world.live();
    let writes = world.flash.writes;
    assert_eq!(world.live(), end, "the same order is still wanted");
    assert_eq!(world.flash.writes, writes);
    let (mut again, seen) = order();
    again.attempt = 2;
    let sight = Sight {
        runs: end.active,
        wanted: Wanted::Accepted(Box::new(again), seen),
        connected: true,
        may_restart: false,
        source_bytes: None,
        refused: None,
        written: None,
        whole: None,
        healthy: None,
        waited_in_vain: false,
        told: false,
    };
    assert!(matches!(next(&end, &sight), Do::Save(journal) if matches!(journal.stage, Stage::Fetching { .. })));
    assert_eq!(next(&end, &Sight { wanted: Wanted::Nothing, ..sight.clone() }), Do::Wait);
    let refused = |why| {
        let wanted = Wanted::Refused { rollout: Id::of("rollout", &["next"]), attempt: 1, why };
        next(&end, &Sight { wanted, ..sight.clone() })
    };
    assert_eq!(refused(Refuse::ClockNotSet), Do::Wait, "a verdict would be for ever, and the clock will be set");
    assert!(matches!(refused(Refuse::Expired), Do::Save(_)));
}

#[test]
fn what_is_withdrawn_while_it_is_fetched_is_not_started() {
    let (order, _) = order();
    let journal = Journal::factory(version("2.0.0"), 3).at(Stage::Fetching { order: order.clone(), written: 11 });
    let sight = Sight {
        runs: Slot::A,
        wanted: Wanted::Nothing,
        connected: true,
        may_restart: true,
        source_bytes: None,
        refused: None,
        written: None,
        whole: Some(true),
        healthy: None,
        waited_in_vain: false,
        told: false,
    };
    assert_eq!(next(&journal, &sight), Do::Save(Box::new(journal.over(&order, Verdict::Withdrawn))));
    let waits = Sight { wanted: Wanted::Unknown, may_restart: false, ..sight };
    assert_eq!(next(&journal, &waits), Do::Wait, "outside its window it keeps what it has");
}

#[test]
fn a_sealed_image_that_does_not_open_ends_the_order_with_its_reason_and_what_is_not_wanted_ends_without() {
    let (order, seen) = order();
    let journal = Journal::factory(version("2.0.0"), 3).at(Stage::Fetching { order: order.clone(), written: 4 });
    let sight = Sight {
        runs: Slot::A,
        wanted: Wanted::Accepted(Box::new(order.clone()), seen),
        connected: true,
        may_restart: true,
        source_bytes: Some(11),
        refused: Some(Refuse::FrameNotAuthentic),
        written: None,
        whole: None,
        healthy: None,
        waited_in_vain: false,
        told: false,
    };
    let ends = |verdict| Do::Save(Box::new(journal.over(&order, verdict)));
    assert_eq!(next(&journal, &sight), ends(Verdict::Refused(Refuse::FrameNotAuthentic)));
    assert_eq!(next(&journal, &Sight { wanted: Wanted::Nothing, ..sight }), ends(Verdict::Withdrawn));
}
