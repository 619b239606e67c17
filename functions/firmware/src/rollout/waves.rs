//! Which thing is in which wave.

use std::collections::BTreeSet;

use loam_domain::{ThingName, Timestamp};
use loam_releases::names::{Digest, Id};

use super::Rollout;
use super::definition::{Definition, Size};
use super::plan::minute;

/// The targets of `rollout`, dealt out to its waves. The same targets give the same waves, in whatever order they come.
///
/// Names have to do with places and years of manufacture, so their order would make poor samples: the order is that of a
/// digest of rollout and name, so that the first wave of each rollout is another one.
#[must_use]
pub fn deal(definition: &Definition, rollout: &Id, targets: BTreeSet<ThingName>) -> Vec<Vec<ThingName>> {
    let all = targets.len();
    let mut placed: Vec<(u64, ThingName)> = targets.into_iter().map(|thing| (place(rollout, &thing), thing)).collect();
    placed.sort_unstable();
    // Whoever is named in a wave is in that one, and in none before it.
    let mut named: Vec<(usize, ThingName)> = vec![];
    let mut left: Vec<ThingName> = vec![];
    for (_, thing) in placed {
        match wave_of(definition, &thing) {
            Some(wave) => named.push((wave, thing)),
            None => left.push(thing),
        }
    }
    let mut left = left.into_iter();
    let mut waves: Vec<Vec<ThingName>> = Vec::with_capacity(definition.waves.len());
    for wave in &definition.waves {
        let most = match wave.size {
            Size::List(_) => 0,
            Size::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Size::Percent(percent) => all.saturating_mul(usize::from(percent)).div_ceil(100),
            Size::Rest => usize::MAX,
        };
        waves.push(left.by_ref().take(most).collect());
    }
    for (wave, thing) in named {
        if let Some(wave) = waves.get_mut(wave) {
            wave.push(thing);
        }
    }
    waves
}

fn wave_of(definition: &Definition, thing: &ThingName) -> Option<usize> {
    definition.waves.iter().position(|wave| matches!(&wave.size, Size::List(names) if names.contains(thing)))
}

/// Where a thing stands in its rollout's order.
#[must_use]
pub fn place(rollout: &Id, thing: &ThingName) -> u64 {
    Digest::of(format!("{rollout}\n{thing}").as_bytes()).place()
}

/// In which shard of its wave's counters a thing is counted.
#[must_use]
pub fn shard(rollout: &Id, thing: &ThingName, shards: u32) -> u32 {
    // The low bits: the high ones order the waves.
    u32::try_from((place(rollout, thing) & 0xffff) % u64::from(shards.max(1))).unwrap_or_default()
}

impl Rollout {
    /// All shards of all waves: where its things are.
    pub fn places(&self) -> impl Iterator<Item = (usize, u32)> {
        let waves = self.waves.iter().enumerate();
        waves.flat_map(|(wave, standing)| (0..standing.shards).map(move |shard| (wave, shard)))
    }

    /// The shards of one wave.
    pub fn shards(&self, wave: usize) -> impl Iterator<Item = u32> + Clone + use<> {
        0..self.waves.get(wave).map_or(0, |standing| standing.shards)
    }

    /// The same, from another one on in each minute: whoever is cut off before the end comes to all of them in time.
    pub fn shards_by_turns(&self, wave: usize, now: Timestamp) -> impl Iterator<Item = u32> {
        let shards = self.shards(wave).count();
        let turn = usize::try_from(minute(now)).unwrap_or_default();
        self.shards(wave).cycle().skip(turn.checked_rem(shards).unwrap_or_default()).take(shards)
    }

    /// Where a thing of this wave is counted, and its row is.
    #[must_use]
    pub fn shard_of(&self, wave: usize, thing: &ThingName) -> u32 {
        shard(&self.id, thing, self.waves.get(wave).map_or(1, |wave| wave.shards))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::definition::tests::{wave, with_waves};
    use super::*;

    fn dealt(sizes: &[Value], things: usize, rollout: &str) -> Vec<Vec<ThingName>> {
        let waves: Vec<_> = sizes.iter().map(wave).collect();
        let definition = Definition::parse(with_waves(&waves).to_string().as_bytes()).unwrap();
        let targets = (0..things).map(|number| ThingName::parse(&format!("t{number}")).unwrap()).collect();
        deal(&definition, &Id::of("rollout", &[rollout]), targets)
    }

    fn sizes(waves: &[Vec<ThingName>]) -> Vec<usize> {
        waves.iter().map(Vec::len).collect()
    }

    #[test]
    fn every_target_is_in_one_wave_whatever_the_waves_are() {
        let percent = |percent: u8| json!({ "percent": percent });
        for (waves, things, expected) in [
            (vec![percent(10), percent(30), percent(60)], 30, vec![3, 9, 18]),
            (vec![percent(1), percent(99)], 5, vec![1, 4]),
            (vec![percent(33), percent(33), percent(34)], 1, vec![1, 0, 0]),
            (vec![json!({"count": 10}), json!("rest")], 4, vec![4, 0]),
            (vec![json!({"list": ["t1", "t2", "gone"]}), json!({"count": 3}), json!("rest")], 10, vec![2, 3, 5]),
            (vec![json!("rest")], 0, vec![0]),
        ] {
            let dealt = dealt(&waves, things, "r");
            assert_eq!(sizes(&dealt), expected);
            assert_eq!(dealt.concat().into_iter().collect::<BTreeSet<_>>().len(), things);
        }
    }

    #[test]
    fn who_is_named_in_a_later_wave_is_not_in_an_earlier_one() {
        let dealt = dealt(&[json!({"count": 9}), json!({"list": ["t1"]}), json!("rest")], 10, "r");
        assert_eq!((sizes(&dealt), dealt[1][0].as_str()), (vec![9, 1, 0], "t1"));
    }

    #[test]
    fn another_rollout_begins_with_other_things() {
        let waves = [json!({"count": 10}), json!("rest")];
        assert_eq!(dealt(&waves, 100, "r"), dealt(&waves, 100, "r"));
        let [one, other] = ["r", "s"].map(|name| dealt(&waves, 100, name)[0].clone());
        assert!(one.iter().filter(|thing| other.contains(thing)).count() < 8);
    }

    #[test]
    fn shards_are_even() {
        let rollout = Id::of("rollout", &["r"]);
        let mut counts = [0; 16];
        for number in 0..16_000 {
            counts[shard(&rollout, &ThingName::parse(&format!("t{number}")).unwrap(), 16) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
