//! The part of the command line that says where a device gets keys by itself.

use clap::Args;
use loam_device::files::Addresses;

/// How the device asks KMS for the keys of files whose grants bring none.
#[derive(Debug, Args)]
#[command(rename_all = "snake_case", next_help_heading = "Keys of files from KMS, in --mode files")]
pub(crate) struct Keys {
    /// The account's credential provider: https:// and what `aws iot describe-endpoint --endpoint-type
    /// iot:CredentialProvider` says
    #[arg(long, requires = "role_alias", requires = "files")]
    credentials: Option<String>,
    /// The stack's output FilesRoleAlias
    #[arg(long, requires = "credentials")]
    role_alias: Option<String>,
    /// KMS's URL; AWS's own in the region of a file's key if nothing is said
    #[arg(long, requires = "credentials")]
    kms: Option<String>,
}

impl Keys {
    /// Where to ask; `None` for a device that takes keys from its grants alone.
    pub(crate) fn addresses(&self) -> Option<Addresses> {
        let (credentials, role_alias) = (self.credentials.clone()?, self.role_alias.clone()?);
        Some(Addresses { credentials, role_alias, kms: self.kms.clone() })
    }
}
