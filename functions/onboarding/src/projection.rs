use aws_config::SdkConfig;
use loam_domain::{ThingName, Timestamp};
use loam_things::{Outcome, ThingRecord, Things, Why};

use crate::OnboardingFailure;
use crate::description::shown;
use crate::registry::{Registry, Written};
use crate::shadows::Shadows;
use crate::{registry_plan, shadow_plan};

/// How often registry or shadow are tried while others are faster.
const MOST_TRIES: u32 = 8;

/// What the record says of a thing, shown in the registry and in the initial shadow.
///
/// Both are projections: always from a record that was read after the version that the write is conditional on. So of
/// two that run at once, whoever writes last has seen the newest record.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    things: Things,
    registry: Registry,
    shadows: Shadows,
}

impl Projection {
    /// With the function's clients.
    pub(crate) fn new(sdk: &SdkConfig, things: Things) -> Self {
        Self { things, registry: Registry::new(sdk), shadows: Shadows::new(sdk) }
    }

    /// Shows what the record says now; answers the word for what came of it.
    pub(crate) async fn show(&self, thing: &ThingName, now: Timestamp) -> Result<&'static str, OnboardingFailure> {
        let Some(record) = self.show_in_registry(thing).await? else { return Ok("thing-retired") };
        if record.shadow_seeded {
            return Ok("shown");
        }
        self.seed(thing, &record).await?;
        match self.things.shadow_seeded(thing, now).await? {
            // It began to retire in this moment, and its shadow may have been deleted before ours was written.
            Outcome::Refused(Why::Retired, _) => {
                self.shadows.delete(thing, None).await?;
                Ok("thing-retired")
            }
            Outcome::Done(_) | Outcome::Already(_) | Outcome::Refused(..) | Outcome::Missing => Ok("seeded"),
        }
    }

    /// Brings the registry up to date; answers the record that it shows, or `None` when the thing retires.
    async fn show_in_registry(&self, thing: &ThingName) -> Result<Option<ThingRecord>, OnboardingFailure> {
        for _ in 0..MOST_TRIES {
            let found = self.registry.find(thing).await?;
            let record = self.things.get(thing).await?.filter(|record| !record.is_retiring());
            let Some(record) = record else { return Ok(None) };
            let Some((found, version)) = found else { return Err(OnboardingFailure::NotInRegistry) };
            let plan = registry_plan::plan(&found, shown(&record.told));
            if !plan.left_out.is_empty() {
                let detail = format!("no room in the registry for {}", plan.left_out.join(", "));
                tracing::warn!(
                    thing.name = thing.as_str(),
                    code = "registry-full",
                    detail,
                    "not shown in the registry"
                );
            }
            if plan.attributes.is_empty() {
                return Ok(Some(record));
            }
            if self.registry.merge(thing, &plan.attributes, version).await? == Written::Yes {
                return Ok(Some(record));
            }
        }
        Err(OnboardingFailure::Contended { what: "the registry's thing", tries: MOST_TRIES })
    }

    async fn seed(&self, thing: &ThingName, record: &ThingRecord) -> Result<(), OnboardingFailure> {
        let initial = record.initial_desired.clone().unwrap_or_default();
        for _ in 0..MOST_TRIES {
            let found = self.shadows.find(thing).await?;
            let Some(update) = shadow_plan::plan(found.as_ref(), &initial, shown(&record.told)) else { return Ok(()) };
            if self.shadows.update(thing, &update).await? == Written::Yes {
                return Ok(());
            }
        }
        Err(OnboardingFailure::Contended { what: "the shadow", tries: MOST_TRIES })
    }
}
