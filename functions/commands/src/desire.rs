//! Changes what is desired of a thing, on the version that was seen.

use loam_domain::ThingName;

use crate::desired::Patch;
use crate::error::CommandsFailure;
use crate::shadows::{Shadows, Written};
use crate::wait::may_write;

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Desired {
    /// The shadow has this version now, and desires it.
    Yes {
        /// Which.
        version: u64,
    },
    /// It is of this version, and not of the one that was seen.
    Conflict {
        /// Which.
        version: u64,
    },
    /// The shadow would be too large.
    TooLarge,
    /// AWS IoT takes no such document.
    Refused,
}

impl Shadows {
    /// Desires `patch` of a thing; where a version was seen, only on that.
    pub(crate) async fn change(
        &self,
        thing: &ThingName,
        patch: &Patch,
        seen: Option<u64>,
    ) -> Result<Desired, CommandsFailure> {
        if seen.is_some()
            && let Err(version) = may_write(seen, self.get(thing).await?.version)
        {
            return Ok(Desired::Conflict { version });
        }
        // A shadow that nobody wrote yet has no version to expect.
        match self.desire(thing, patch.desired(), seen.filter(|version| *version > 0)).await? {
            Written::Yes { version } => Ok(Desired::Yes { version }),
            Written::TooLarge => Ok(Desired::TooLarge),
            Written::Refused => Ok(Desired::Refused),
            Written::Conflict => {
                let shadow = self.get(thing).await?;
                // Our own write, whose answer was lost on the way.
                let is_ours = seen.is_some_and(|seen| shadow.version == seen + 1);
                if is_ours && patch.undone(&shadow.desired).is_empty() {
                    return Ok(Desired::Yes { version: shadow.version });
                }
                Ok(Desired::Conflict { version: shadow.version })
            }
        }
    }
}
