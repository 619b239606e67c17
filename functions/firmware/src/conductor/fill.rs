//! Who is a target: decided once, then written down chunk by chunk.

use std::collections::{BTreeMap, BTreeSet};

use loam_domain::ThingName;
use loam_releases::names::Id;
use loam_releases::version::Version;

use super::{Conductor, Stepped};
use crate::FirmwareFailure;
use crate::aws::executions::CHUNK;
use crate::aws::items::Filled;
use crate::aws::table::Written;
use crate::clock::Clock;
use crate::queue::Work;
use crate::rollout::Rollout;
use crate::rollout::definition::Targets;
use crate::rollout::waves::deal;

impl Conductor {
    /// Decides who is a target, if nobody did and it is time; then writes down what is missing.
    pub(super) async fn fill(&self, rollout: &Rollout, clock: Clock) -> Result<Stepped, FirmwareFailure> {
        let waves = match self.targets.get(&rollout.id).await? {
            Some(waves) => waves,
            None => {
                if let Some(seconds) = rollout.chooses_in(clock.now()) {
                    self.queue.send_later(&Work::Rollout(rollout.id.clone()), seconds).await?;
                    return Ok(Stepped::Still);
                }
                let dealt = deal(&rollout.definition, &rollout.id, Box::pin(self.choose(rollout)).await?);
                self.targets.put_first(&rollout.id, &dealt).await?;
                // Read again, as the first writer decides.
                self.targets.get(&rollout.id).await?.ok_or(FirmwareFailure::BadObject("targets"))?
            }
        };
        if !rollout.is_dealt() {
            let sizes: Vec<usize> = waves.iter().map(Vec::len).collect();
            self.rollouts.replace(&rollout.dealt(&sizes), None).await?;
            return Ok(Stepped::On);
        }
        for (wave, things) in waves.iter().enumerate() {
            if let Some(cut) = self.fill_wave(rollout, wave, things, clock).await? {
                return Ok(cut);
            }
        }
        let things = waves.iter().map(Vec::len).sum();
        self.write(rollout, rollout.filled(things, clock.now()), &[], clock).await
    }

    /// Where writing down a wave was cut off; `None`: all of it is there.
    async fn fill_wave(
        &self,
        rollout: &Rollout,
        wave: usize,
        things: &[ThingName],
        clock: Clock,
    ) -> Result<Option<Stepped>, FirmwareFailure> {
        let mut shards: BTreeMap<u32, Vec<ThingName>> = BTreeMap::new();
        for thing in things {
            shards.entry(rollout.shard_of(wave, thing)).or_default().push(thing.clone());
        }
        for (shard, things) in shards {
            let mut filled = self.executions.filled(rollout, wave, shard).await?;
            while let Some(chunk) = next_chunk(&things, filled) {
                if clock.is_over() {
                    return Ok(Some(Stepped::More));
                }
                if self.executions.fill(rollout, (wave, shard), filled, chunk).await? == Written::Yes {
                    filled = filled.and(chunk.len());
                    continue;
                }
                // Somebody else has written this very chunk, or this run has, and lost the answer; or it was stopped.
                if !self.is_filling(rollout).await? {
                    return Ok(Some(Stepped::On));
                }
                let read = self.executions.filled(rollout, wave, shard).await?;
                if read == filled {
                    return Err(FirmwareFailure::BadRow("filled: more things are written down than it says"));
                }
                filled = read;
            }
        }
        Ok(None)
    }

    /// Whether the rollout is still the one that was read.
    async fn is_filling(&self, rollout: &Rollout) -> Result<bool, FirmwareFailure> {
        let read = self.rollouts.get(&rollout.id).await?;
        Ok(read.is_some_and(|read| read.version == rollout.version))
    }

    /// The things that are targets at this moment.
    async fn choose(&self, rollout: &Rollout) -> Result<BTreeSet<ThingName>, FirmwareFailure> {
        let targets = &rollout.definition.targets;
        if let Targets::Left { rollout, version } = targets {
            return self.left(rollout, version).await;
        }
        // It was parsed when the rollout was created.
        let Ok(Some(filter)) = targets.filter() else { return Err(FirmwareFailure::BadRow("rollout")) };
        let (names, read) = self.twins.names(&filter).await?;
        tracing::info!(rollout.id = rollout.id.as_str(), things = names.len(), read = read.things, "targets chosen");
        Ok(names)
    }

    /// The things of a rollout that left this version for its own.
    async fn left(&self, of: &Id, version: &str) -> Result<BTreeSet<ThingName>, FirmwareFailure> {
        let version = Version::parse(version).map_err(|_| FirmwareFailure::BadRow("rollout"))?;
        let Some(of) = self.rollouts.get(of).await? else { return Ok(BTreeSet::new()) };
        Ok(self.way_back.things(&of).await?.remove(&version).unwrap_or_default())
    }
}

/// What is to be written down next of a shard's things; `None`: nothing.
fn next_chunk(things: &[ThingName], filled: Filled) -> Option<&[ThingName]> {
    let done = usize::try_from(filled.things).unwrap_or(usize::MAX);
    things.get(done..)?.chunks(CHUNK).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_chunk_begins_after_what_is_written_down_however_large_the_chunks_before_were() {
        let things: Vec<_> = (0..CHUNK + 20).map(|number| ThingName::parse(&format!("t{number}")).unwrap()).collect();
        let chunk = |things_done| next_chunk(&things, Filled { chunks: 1, things: things_done }).map(<[_]>::to_vec);
        assert_eq!(chunk(0).unwrap(), things[..CHUNK]);
        assert_eq!(chunk(10).unwrap(), things[10..10 + CHUNK]);
        assert_eq!(chunk(50).unwrap(), things[50..]);
        assert_eq!([chunk(CHUNK as u64 + 20), chunk(u64::MAX)], [None, None]);
    }
}
