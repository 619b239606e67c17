//! Amazon Cognito's identity pool, and AWS IoT's policies of identities.

use std::fmt;

use aws_config::SdkConfig;
use loam_domain::Timestamp;

use super::{CredentialsConfig, CredentialsFailure, IdToken};
use crate::relay::IdentityId;

/// Who gives identities, and what they may do.
#[derive(Debug, Clone)]
pub(super) struct Vendor {
    identities: aws_sdk_cognitoidentity::Client,
    iot: aws_sdk_iot::Client,
    config: CredentialsConfig,
}

/// A temporary key.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) session_token: String,
    pub(super) expires_at: Timestamp,
}

/// Never the key: it goes into no log.
impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key until {}", self.expires_at)
    }
}

impl Vendor {
    pub(super) fn new(sdk: &SdkConfig, config: CredentialsConfig) -> Self {
        let identities = aws_sdk_cognitoidentity::Client::new(sdk);
        Self { identities, iot: aws_sdk_iot::Client::new(sdk), config }
    }

    /// The identity of whoever has the token, made when they come for the first time.
    pub(super) async fn identity(&self, token: &IdToken) -> Result<IdentityId, CredentialsFailure> {
        let ask = self.identities.get_id().identity_pool_id(&self.config.identity_pool);
        let answer = ask.logins(&self.config.identity_provider, &token.text).send().await;
        let answer = answer.map_err(|error| match error.as_service_error() {
            Some(refused) if refused.is_not_authorized_exception() => CredentialsFailure::TokenRefused,
            _ => CredentialsFailure::NoIdentity(Box::new(error)),
        })?;
        IdentityId::parse(answer.identity_id().unwrap_or_default()).map_err(|_| CredentialsFailure::OddAnswer)
    }

    /// Gives the identity its AWS IoT policy, which is the same for all. Again changes nothing.
    pub(super) async fn let_use_mailbox(&self, identity: &IdentityId) -> Result<(), CredentialsFailure> {
        let ask = self.iot.attach_policy().policy_name(&self.config.app_policy).target(identity.as_str());
        ask.send().await.map(drop).map_err(|error| CredentialsFailure::NotAttached(Box::new(error)))
    }

    /// A temporary key of the identity's.
    pub(super) async fn key(&self, identity: &IdentityId, token: &IdToken) -> Result<Key, CredentialsFailure> {
        let ask = self.identities.get_credentials_for_identity().identity_id(identity.as_str());
        let answer = ask.logins(&self.config.identity_provider, &token.text).send().await;
        let answer = answer.map_err(|error| match error.as_service_error() {
            Some(refused) if refused.is_not_authorized_exception() => CredentialsFailure::TokenRefused,
            _ => CredentialsFailure::NoCredentials(Box::new(error)),
        })?;
        let key = || {
            let key = answer.credentials?;
            let expires_at = Timestamp::from_millis(key.expiration?.to_millis().ok()?);
            Some(Key { id: key.access_key_id?, secret: key.secret_key?, session_token: key.session_token?, expires_at })
        };
        key().ok_or(CredentialsFailure::OddAnswer)
    }
}
