/// Why a device has no key for a file whose grant brings none. Each has a stable [code](Self::code). No text holds a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoKey {
    /// The grant brings no key, and the device was not told how to ask KMS.
    #[error(
        "the grant brings no key, since the transfer was created with \"key\": \"kms\": run this device with --credentials and \
         --role_alias, or create the transfer without it"
    )]
    NoWay,
    /// The header has no data key that KMS could decrypt.
    #[error(
        "the header has no aws-kms data key that names a KMS key of AWS: the cloud made it otherwise, or it was changed"
    )]
    NoKmsDataKey,
    /// 403 of the credential provider.
    #[error(
        "the credential provider refused (403{0}): the certificate must be ACTIVE, belong to the thing of this name, and have a \
         policy that allows iot:AssumeRoleWithCertificate on the role alias; a change of that takes up to 8 minutes"
    )]
    CredentialsRefused(String),
    /// 404 of the credential provider.
    #[error(
        "the credential provider knows no such role alias (404{0}): give --role_alias the stack's output FilesRoleAlias"
    )]
    NoRoleAlias(String),
    /// Any other refusal of the credential provider.
    #[error(
        "the credential provider cannot give credentials ({status}{said}): the role of the role alias must be there, trust \
         credentials.iot.amazonaws.com, and allow sessions as long as the alias's"
    )]
    RoleNotAssumed {
        /// The HTTP status.
        status: u16,
        /// Its own words.
        said: String,
    },
    /// KMS knows the credentials, and their role must not do this.
    #[error(
        "KMS does not open the data key for this device: the role of its role alias allows that for files of the credentials' own \
         thing alone, and under the stack's key alone"
    )]
    Denied,
    /// The data key is not that of this thing, transfer and direction.
    #[error(
        "KMS cannot open the data key: it was made for another thing, transfer or direction, or the header was changed"
    )]
    NotAuthentic,
    /// Another final answer of KMS, such as that its key is disabled.
    #[error("KMS refused: {0}; look at the stack's key of files")]
    KmsRefused(String),
    /// The credentials are good no more, or this device's clock is wrong.
    #[error("KMS takes the credentials no more ({0}); others will be asked for; check this device's clock")]
    Stale(String),
    /// The line, the credential provider or KMS failed: again.
    #[error("no key for now: {0}")]
    Later(String),
}

impl NoKey {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoWay => "kms-not-set-up",
            Self::NoKmsDataKey => "no-kms-data-key",
            Self::CredentialsRefused(_) => "credentials-refused",
            Self::NoRoleAlias(_) => "no-such-role-alias",
            Self::RoleNotAssumed { .. } => "role-not-assumed",
            Self::Denied => "kms-access-denied",
            Self::NotAuthentic => "kms-key-not-authentic",
            Self::KmsRefused(_) => "kms-refused",
            Self::Stale(_) => "credentials-stale",
            Self::Later(_) => "kms-unavailable",
        }
    }

    /// Whether another try may end better.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Stale(_) | Self::Later(_))
    }
}
