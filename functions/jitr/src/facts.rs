//! Loads what a decision rests on. Reads only: the dry run asks the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use loam_domain::{CertificateId, ThingName, Timestamp};
use loam_things::{ThingRecord, Things};

use crate::certificate::{Authority, Certificate};
use crate::decide::{Case, Decision, decide};
use crate::error::JitrFailure;
use crate::lists::entries_about;
use crate::name::thing_name;
use crate::profile::Profile;
use crate::profiles::Profiles;
use crate::registry::Registry;

/// The stores that a decision is loaded from.
#[derive(Debug, Clone)]
pub struct Facts {
    pub(crate) profiles: Profiles,
    pub(crate) registry: Registry,
    pub(crate) things: Things,
    prefix: String,
    /// The CAs' certificates: what has this id never changes.
    authorities: Arc<Mutex<HashMap<CertificateId, Authority>>>,
}

impl Facts {
    /// The stores behind these tables; `prefix` is the first level of the topics on which devices answer calls.
    #[must_use]
    pub fn new(sdk: &SdkConfig, profiles_table: String, things_table: String, prefix: String) -> Self {
        Self {
            profiles: Profiles::new(sdk, profiles_table),
            registry: Registry::new(sdk),
            things: Things::new(sdk, things_table),
            prefix,
            authorities: Arc::default(),
        }
    }

    /// What becomes of the certificate; and the record of the thing that it names.
    ///
    /// # Errors
    /// Whatever of it was not read.
    pub async fn decision(
        &self,
        id: &CertificateId,
        ca_id: &CertificateId,
        profile: &Profile,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<(Option<ThingRecord>, Decision), JitrFailure> {
        let authority = self.authority(ca_id).await?;
        let name = thing_name(certificate, profile, &self.prefix).ok();
        let listed = self.profiles.listed(ca_id, &entries_about(certificate, name.as_ref())).await?;
        let (record, in_registry) = match &name {
            Some(name) => self.known(name).await?,
            None => (None, false),
        };
        let record_of = record.as_ref();
        let case = Case {
            id,
            certificate,
            ca_id,
            authority: &authority,
            profile,
            prefix: &self.prefix,
            listed,
            record: record_of,
            in_registry,
            now,
        };
        let decision = decide(&case);
        Ok((record, decision))
    }

    /// The thing's record; where there is none, whether the registry knows a thing of this name all the same.
    async fn known(&self, name: &ThingName) -> Result<(Option<ThingRecord>, bool), JitrFailure> {
        match self.things.get(name).await? {
            Some(record) => Ok((Some(record), false)),
            None => Ok((None, self.registry.knows(name).await?)),
        }
    }

    /// The CA's certificate, asked for once in an environment's life.
    async fn authority(&self, ca_id: &CertificateId) -> Result<Authority, JitrFailure> {
        // A panic elsewhere cannot leave the map half-written.
        let known = self.authorities.lock().unwrap_or_else(PoisonError::into_inner).get(ca_id).cloned();
        if let Some(authority) = known {
            return Ok(authority);
        }
        let authority = self.registry.authority(ca_id).await?;
        self.authorities.lock().unwrap_or_else(PoisonError::into_inner).insert(ca_id.clone(), authority.clone());
        Ok(authority)
    }
}
