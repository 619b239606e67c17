//! People, and what they are to a thing.

pub use loam_domain::{NoUser, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person is to a thing. Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees.
    Viewer,
    /// And acts.
    Controller,
    /// And decides who else may. Exactly one person, while a thing is paired.
    Owner,
}

impl Role {
    /// Its word in rows and answers, for example `viewer`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Controller => "controller",
            Self::Owner => "owner",
        }
    }
}

impl From<Guest> for Role {
    fn from(guest: Guest) -> Self {
        match guest {
            Guest::Viewer => Self::Viewer,
            Guest::Controller => Self::Controller,
        }
    }
}

/// What an owner may share: never the ownership itself, which changes hands by a transfer only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Guest {
    /// [`Role::Viewer`].
    Viewer,
    /// [`Role::Controller`].
    Controller,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_invited_as_an_owner() {
        assert!(serde_json::from_str::<Guest>("\"owner\"").is_err());
        assert!([Guest::Viewer, Guest::Controller].into_iter().all(|guest| Role::from(guest) < Role::Owner));
    }
}
