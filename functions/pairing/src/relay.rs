//! What happens to a thing, told to the people whose it is: who hears of it, and where.
//!
//! An app has one mailbox, `loam/users/{identityId}/...`, and one constant policy for it. Who hears of which thing is decided
//! for every message, so that access ends with the membership.

mod config;
mod error;
mod handler;
mod news;
#[cfg(test)]
mod sample_events;
mod shadow;

use std::collections::BTreeMap;
use std::fmt;

use loam_domain::{MAX_TOPIC_BYTES, ThingName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::people::{Role, UserId};
use crate::tenancy::Tenancy;

pub use config::RelayConfig;
pub use error::{Refused, RelayFailure};
pub use handler::Handler;
pub use news::{Message, News};

/// So long after an app asked for credentials its mailbox is filled, in milliseconds: 25 hours. The credentials can open a
/// WebSocket for one hour, and AWS IoT keeps it open for 24. Sources: Cognito developer guide, "Identity pools authentication
/// flow"; AWS general reference, "AWS IoT Core protocol quotas", "WebSocket connection duration".
pub const LIVE_MILLIS: i64 = 90_000_000;

/// An identity of the identity pool, for example `eu-west-1:6f1c7f2e-38ab-4d6a-9c53-0d6f2b1f0a11`: 1 to 55 characters of
/// `[A-Za-z0-9_:-]`, as Cognito gives them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdentityId(String);

/// No identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no identity: expected region:id, {max} characters at most", max = IdentityId::MAX_LENGTH)]
pub struct NoIdentity;

impl IdentityId {
    /// The longest identity. Source: Cognito Federated Identities API reference, `IdentityId`.
    pub const MAX_LENGTH: usize = 55;

    /// An identity that keeps the rule of this type.
    ///
    /// # Errors
    /// [`NoIdentity`] for any other text.
    pub fn parse(text: &str) -> Result<Self, NoIdentity> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte));
        let parts = text.split_once(':').is_some_and(|(region, id)| !region.is_empty() && !id.is_empty());
        if plain && parts && text.len() <= Self::MAX_LENGTH { Ok(Self(text.to_owned())) } else { Err(NoIdentity) }
    }

    /// The identity as text; also the app's MQTT client id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdentityId {
    type Error = NoIdentity;

    fn try_from(text: String) -> Result<Self, NoIdentity> {
        Self::parse(&text)
    }
}

impl From<IdentityId> for String {
    fn from(identity: IdentityId) -> Self {
        identity.0
    }
}

impl fmt::Display for IdentityId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A person's mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mailbox {
    /// Whose.
    pub identity: IdentityId,
    /// From then on nobody listens.
    pub live_until: Timestamp,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Desired and reported state.
    State,
    /// Whether it is there.
    Presence,
    /// Notices.
    Alerts,
    /// What became of a command.
    Commands,
    /// Who joined or left.
    Members,
    /// What became of a transfer.
    Files,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::State, Self::Presence, Self::Alerts, Self::Commands, Self::Members, Self::Files];

    /// The topic's last level.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Presence => "presence",
            Self::Alerts => "alerts",
            Self::Commands => "commands",
            Self::Members => "members",
            Self::Files => "files",
        }
    }

    /// Who hears of it: who may ask for the same over HTTP.
    #[must_use]
    pub const fn least(self) -> Role {
        match self {
            Self::State | Self::Presence | Self::Alerts | Self::Commands | Self::Members => Role::Viewer,
            Self::Files => Role::Controller,
        }
    }
}

/// Where `identity` hears of `thing`; 217 bytes at most, so that the topic always fits.
#[must_use]
pub fn topic(identity: &IdentityId, thing: &ThingName, subject: Subject) -> String {
    let topic = format!("loam/users/{identity}/things/{thing}/{}", subject.as_str());
    debug_assert!(topic.len() <= MAX_TOPIC_BYTES);
    topic
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happening {
    /// In which epoch; `None` where its source does not know (a shadow's document).
    pub epoch: Option<u64>,
    /// When AWS IoT, or the table, took it.
    pub at: Timestamp,
}

/// Who hears of it at `now`: those who are members now with the role that it takes, from their own time on, and listen.
#[must_use]
pub fn hears<'a>(
    tenancy: &Tenancy,
    subject: Subject,
    happening: Happening,
    mailboxes: &'a BTreeMap<UserId, Mailbox>,
    now: Timestamp,
) -> Vec<&'a IdentityId> {
    let in_time = |since| happening.epoch.map_or(happening.at >= since, |epoch| epoch == tenancy.epoch);
    let concerned = tenancy.members.iter().filter(|(_, member)| member.role >= subject.least());
    let members = concerned.filter(|(_, member)| happening.at >= member.since && in_time(member.since));
    let live = members.filter_map(|(user, _)| mailboxes.get(user)).filter(|mailbox| now < mailbox.live_until);
    live.map(|mailbox| &mailbox.identity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::Guest;
    use crate::tenancy::tests::{Home, accept, at, invite, offer, pair, remove, take_over, unpair, user};

    fn identity(id: &str) -> IdentityId {
        IdentityId::parse(&format!("eu-west-1:{id}")).unwrap()
    }

    fn mailboxes() -> BTreeMap<UserId, Mailbox> {
        let of = |name: &str| (user(name), Mailbox { identity: identity(name), live_until: at(50_000) });
        ["ann", "bob", "cid"].map(of).into()
    }

    fn heard(home: &Home, epoch: Option<u64>, millis: i64) -> Vec<String> {
        let mailboxes = mailboxes();
        let happening = Happening { epoch, at: at(millis) };
        hears(&home.tenancy, Subject::State, happening, &mailboxes, at(40_000))
            .into_iter()
            .map(|each| each.0[10..].to_owned())
            .collect()
    }

    /// Ann pairs at 1 s, Bob joins at 3 s.
    fn shared() -> Home {
        Home::after([pair("ann", 1), invite("ann", "i", Guest::Viewer), accept("bob", "i", 1)])
    }

    #[test]
    fn each_member_hears_what_happens_in_their_own_time() {
        assert_eq!(heard(&shared(), None, 3_000), ["ann", "bob"]);
        assert_eq!(heard(&shared(), Some(1), 2_999), ["ann"]);
        assert_eq!(heard(&shared(), None, 999), [""; 0]);
        assert_eq!(heard(&shared(), Some(0), 9_000), [""; 0]);
    }

    #[test]
    fn of_files_a_viewer_hears_nothing() {
        let (mailboxes, happening) = (mailboxes(), Happening { epoch: Some(1), at: at(9_000) });
        let home = shared();
        let heard = |subject| hears(&home.tenancy, subject, happening, &mailboxes, at(40_000));
        assert_eq!(heard(Subject::Files), [&identity("ann")]);
        assert_eq!(heard(Subject::Commands), [&identity("ann"), &identity("bob")]);
    }

    #[test]
    fn who_was_removed_hears_nothing_more() {
        let mut home = shared();
        home.change(&remove("ann", "bob"));
        assert_eq!(heard(&home, Some(1), 3_500), ["ann"]);
    }

    #[test]
    fn after_an_unpair_nobody_hears_anything_and_an_heir_nothing_of_the_time_before() {
        let mut home = shared();
        home.change(&unpair("ann"));
        assert_eq!(heard(&home, Some(1), 3_500), [""; 0]);
        let mut home = Home::after([pair("ann", 1), offer("ann", "o"), take_over("cid", "o", 2)]);
        assert_eq!(heard(&home, None, 9_000), [""; 0]);
        home.change(&crate::tenancy::Intent::Erased { through: 1 });
        assert_eq!((heard(&home, Some(1), 4_500), heard(&home, Some(2), 4_500)), (vec![], vec!["cid".to_owned()]));
    }

    #[test]
    fn nothing_is_sent_where_nobody_can_listen_any_more() {
        let (mailboxes, happening) = (mailboxes(), Happening { epoch: Some(1), at: at(9_000) });
        let heard = |now| hears(&shared().tenancy, Subject::State, happening, &mailboxes, at(now)).len();
        assert_eq!((heard(49_999), heard(50_000)), (2, 0));
    }

    #[test]
    fn every_mailboxs_topic_fits() {
        let thing = ThingName::parse(&"t".repeat(128)).unwrap();
        let longest = IdentityId::parse(&format!("r:{}", "i".repeat(53))).unwrap();
        for subject in Subject::ALL {
            assert!(topic(&longest, &thing, subject).len() <= 217);
        }
        for text in ["", "x", ":a", "a:", "a:b/c", "a:+", "a:#", &format!("r:{}", "i".repeat(54))] {
            assert_eq!(IdentityId::parse(text), Err(NoIdentity), "{text}");
        }
    }
}
