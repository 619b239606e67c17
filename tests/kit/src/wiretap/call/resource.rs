//! What a call acts on, and its ARN.

use std::fmt;

/// What a call acts on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A resource that the request names by its whole ARN.
    Arn(String),
    /// A resource of the caller's own account and region, named by less than its ARN.
    Local {
        /// The ARN's service part, e.g. `dynamodb`.
        service: &'static str,
        /// The ARN's last part, e.g. `table/readings/index/by-day`.
        path: String,
    },
    /// The request does not say which resource (a KMS ciphertext names its own key; a KMS alias stands for a key that
    /// only KMS knows). A grant of the action on any resource is taken as enough.
    Unstated,
    /// The action has no resource form, or the whole service is meant: only `Resource: "*"` grants it.
    Everything,
}

impl Resource {
    pub(super) fn local(service: &'static str, path: impl Into<String>) -> Self {
        Self::Local { service, path: path.into() }
    }

    /// `name` as given when it is an ARN already, else the local `prefix` + `name`.
    pub(super) fn named(service: &'static str, prefix: &str, name: &str) -> Self {
        if name.starts_with("arn:") {
            Self::Arn(name.to_owned())
        } else {
            Self::local(service, format!("{prefix}{name}"))
        }
    }

    /// The ARN that a policy has to match; `None` where the request does not state the resource.
    #[must_use]
    pub fn arn(&self, account: &Account) -> Option<String> {
        match self {
            Self::Arn(arn) => Some(arn.clone()),
            Self::Local { service, path } => {
                let Account { partition, region, id } = account;
                Some(format!("arn:{partition}:{service}:{region}:{id}:{path}"))
            }
            Self::Unstated => None,
            Self::Everything => Some("*".to_owned()),
        }
    }
}

impl fmt::Display for Resource {
    /// The last part of the ARN; `?` where it is unstated, `*` for everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arn(arn) => arn.splitn(6, ':').nth(5).unwrap_or(arn),
            Self::Local { path, .. } => path,
            Self::Unstated => "?",
            Self::Everything => "*",
        })
    }
}

/// Whose resources a call's short names mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// E.g. `eu-central-1`.
    pub region: String,
    /// Twelve digits.
    pub id: String,
}

impl Default for Account {
    /// The account and region of a local AWS without settings: `000000000000` in `us-east-1`.
    fn default() -> Self {
        Self { partition: "aws".to_owned(), region: "us-east-1".to_owned(), id: "000000000000".to_owned() }
    }
}
