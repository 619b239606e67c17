use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ThingName, Timestamp};

/// Something that happened to a thing, as every capability hears of it: the JSON message on the topic `Events`.
///
/// ```
/// # use loam_domain::{Event, EventType};
/// let text = r#"{"id":"t1.1","type":"thing.registered","thing":"t1","at":1598536072677,"epoch":1,"data":{}}"#;
/// let event: Event = serde_json::from_str(text)?;
/// assert_eq!(event.kind, EventType::ThingRegistered);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique, and the same in every repeat: `{thing}.{version}` for what a thing's record went through. A receiver drops
    /// the second of one id.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// To which thing; `None` only for a refused certificate that names no valid one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thing: Option<ThingName>,
    /// When, in milliseconds since the epoch. Never before an earlier event of the same source and thing.
    pub at: Timestamp,
    /// The thing's epoch: which owner's time it belongs to, from 1. 0 where there is no thing.
    pub epoch: u64,
    /// What belongs to this type; the crate that writes it documents it.
    #[serde(default)]
    pub data: Map<String, Value>,
}

impl Event {
    /// The message attributes by which a subscription filters: `type`, and `thing` where there is one.
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let thing = self.thing.as_ref().map(|thing| ("thing", thing.as_str()));
        std::iter::once(("type", self.kind.as_str())).chain(thing)
    }
}

/// What kind of event it is: a stable word, which subscriptions filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum EventType {
    /// `thing.registered`: a certificate won this name; it may not connect yet.
    ThingRegistered,
    /// `thing.active`: its first certificate became active.
    ThingActive,
    /// `thing.onboarded`: it described itself for the first time.
    ThingOnboarded,
    /// `thing.described`: it described itself again, and something in it was new.
    ThingDescribed,
    /// `thing.suspended`: no certificate of it can connect any more.
    ThingSuspended,
    /// `thing.resumed`: a suspended thing has an active certificate again.
    ThingResumed,
    /// `thing.retiring`: every capability is to erase what it keeps of the thing, and to acknowledge.
    ThingRetiring,
    /// `thing.retire-acknowledged`: one capability did.
    ThingRetireAcknowledged,
    /// `thing.retired`: all did. Its name and its certificates are never registered again.
    ThingRetired,
    /// `thing.paired`: it has an owner.
    ThingPaired,
    /// `thing.unpaired`: its owner's time is over, and all access with it: every capability is to erase what people left, and to
    /// acknowledge.
    ThingUnpaired,
    /// `thing.erasure-acknowledged`: one capability did.
    ThingErasureAcknowledged,
    /// `thing.erased`: all did: the next owner's time may begin.
    ThingErased,
    /// `certificate.added`: a further certificate of a thing became active.
    CertificateAdded,
    /// `certificate.refused`: a certificate was refused and revoked: a security notice.
    CertificateRefused,
    /// `certificate.revoked`: a certificate of a thing was revoked: a security notice.
    CertificateRevoked,
    /// `certificate.retired`: an old certificate went after a newer one took its place.
    CertificateRetired,
    /// `presence.connected`.
    PresenceConnected,
    /// `presence.disconnected`.
    PresenceDisconnected,
    /// `presence.principal-changed`: it connected with another certificate than the last time.
    PresencePrincipalChanged,
    /// `member.invited`: its owner invited somebody.
    MemberInvited,
    /// `member.joined`: somebody accepted, or became more than they were.
    MemberJoined,
    /// `member.left`: somebody left, or was removed.
    MemberLeft,
    /// `invitation.revoked`: its owner took an invitation back.
    InvitationRevoked,
    /// `ownership.offered`: its owner offers it.
    OwnershipOffered,
    /// `ownership.withdrawn`: its owner does not any more.
    OwnershipWithdrawn,
    /// `command.queued`: somebody ordered a command.
    CommandQueued,
    /// `command.delivered`: the device has it: it acknowledged the message.
    CommandDelivered,
    /// `command.accepted`: the device says that it will do it.
    CommandAccepted,
    /// `command.progress`: the device says how far it is.
    CommandProgress,
    /// `command.succeeded`: the device says that it is done.
    CommandSucceeded,
    /// `command.failed`: the device says that it failed.
    CommandFailed,
    /// `command.rejected`: the device says that it will not do it.
    CommandRejected,
    /// `command.expired`: its time ran out before the device's final word.
    CommandExpired,
    /// `command.cancelled`: somebody cancelled it.
    CommandCancelled,
    /// `command.late`: the device's final word came after the command's end.
    CommandLate,
    /// `file.ready`: the receiver may have it: a download's device, an upload's people.
    FileReady,
    /// `file.completed`: the receiver has it, whole.
    FileCompleted,
    /// `file.failed`: it cannot be; the data says why.
    FileFailed,
    /// `file.cancelled`: it was taken back.
    FileCancelled,
    /// `file.expired`: its time was over.
    FileExpired,
    /// `release.refused`: what was uploaded is no release; the data says why.
    ReleaseRefused,
    /// `release.published`: a firmware was signed and may be rolled out.
    ReleasePublished,
    /// `release.deprecated`: no new rollout of it may begin.
    ReleaseDeprecated,
    /// `rollout.started`: somebody started it.
    RolloutStarted,
    /// `rollout.wave-opened`: its first wave opened.
    RolloutWaveOpened,
    /// `rollout.wave-passed`: a wave passed, and the next one opened.
    RolloutWavePassed,
    /// `rollout.paused`: nothing begins any more: somebody paused it, or a wave missed its gate.
    RolloutPaused,
    /// `rollout.resumed`: somebody let it go on, perhaps though a wave missed its gate.
    RolloutResumed,
    /// `rollout.stopping`: it takes out what has not come too far: somebody stopped it, or it stops itself.
    RolloutStopping,
    /// `rollout.stopped`: it is over, before its end.
    RolloutStopped,
    /// `rollout.completed`: it is over: all of its waves passed.
    RolloutCompleted,
    /// `firmware.succeeded`: a thing came back on the version that a rollout brought.
    FirmwareSucceeded,
    /// `firmware.failed`: a thing failed at it, or refused it, or fell back, or began and came to no end in time.
    FirmwareFailed,
}

impl EventType {
    /// All types, in the order above.
    pub const ALL: [Self; 54] = [
        Self::ThingRegistered,
        Self::ThingActive,
        Self::ThingOnboarded,
        Self::ThingDescribed,
        Self::ThingSuspended,
        Self::ThingResumed,
        Self::ThingRetiring,
        Self::ThingRetireAcknowledged,
        Self::ThingRetired,
        Self::ThingPaired,
        Self::ThingUnpaired,
        Self::ThingErasureAcknowledged,
        Self::ThingErased,
        Self::CertificateAdded,
        Self::CertificateRefused,
        Self::CertificateRevoked,
        Self::CertificateRetired,
        Self::PresenceConnected,
        Self::PresenceDisconnected,
        Self::PresencePrincipalChanged,
        Self::MemberInvited,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::InvitationRevoked,
        Self::OwnershipOffered,
        Self::OwnershipWithdrawn,
        Self::CommandQueued,
        Self::CommandDelivered,
        Self::CommandAccepted,
        Self::CommandProgress,
        Self::CommandSucceeded,
        Self::CommandFailed,
        Self::CommandRejected,
        Self::CommandExpired,
        Self::CommandCancelled,
        Self::CommandLate,
        Self::FileReady,
        Self::FileCompleted,
        Self::FileFailed,
        Self::FileCancelled,
        Self::FileExpired,
        Self::ReleaseRefused,
        Self::ReleasePublished,
        Self::ReleaseDeprecated,
        Self::RolloutStarted,
        Self::RolloutWaveOpened,
        Self::RolloutWavePassed,
        Self::RolloutPaused,
        Self::RolloutResumed,
        Self::RolloutStopping,
        Self::RolloutStopped,
        Self::RolloutCompleted,
        Self::FirmwareSucceeded,
        Self::FirmwareFailed,
    ];

    /// Its word, for example `thing.registered`. Renaming one breaks every subscription that filters by it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ThingRegistered => "thing.registered",
            Self::ThingActive => "thing.active",
            Self::ThingOnboarded => "thing.onboarded",
            Self::ThingDescribed => "thing.described",
            Self::ThingSuspended => "thing.suspended",
            Self::ThingResumed => "thing.resumed",
            Self::ThingRetiring => "thing.retiring",
            Self::ThingRetireAcknowledged => "thing.retire-acknowledged",
            Self::ThingRetired => "thing.retired",
            Self::ThingPaired => "thing.paired",
            Self::ThingUnpaired => "thing.unpaired",
            Self::ThingErasureAcknowledged => "thing.erasure-acknowledged",
            Self::ThingErased => "thing.erased",
            Self::CertificateAdded => "certificate.added",
            Self::CertificateRefused => "certificate.refused",
            Self::CertificateRevoked => "certificate.revoked",
            Self::CertificateRetired => "certificate.retired",
            Self::PresenceConnected => "presence.connected",
            Self::PresenceDisconnected => "presence.disconnected",
            Self::PresencePrincipalChanged => "presence.principal-changed",
            Self::MemberInvited => "member.invited",
            Self::MemberJoined => "member.joined",
            Self::MemberLeft => "member.left",
            Self::InvitationRevoked => "invitation.revoked",
            Self::OwnershipOffered => "ownership.offered",
            Self::OwnershipWithdrawn => "ownership.withdrawn",
            Self::CommandQueued => "command.queued",
            Self::CommandDelivered => "command.delivered",
            Self::CommandAccepted => "command.accepted",
            Self::CommandProgress => "command.progress",
            Self::CommandSucceeded => "command.succeeded",
            Self::CommandFailed => "command.failed",
            Self::CommandRejected => "command.rejected",
            Self::CommandExpired => "command.expired",
            Self::CommandCancelled => "command.cancelled",
            Self::CommandLate => "command.late",
            Self::FileReady => "file.ready",
            Self::FileCompleted => "file.completed",
            Self::FileFailed => "file.failed",
            Self::FileCancelled => "file.cancelled",
            Self::FileExpired => "file.expired",
            Self::ReleaseRefused => "release.refused",
            Self::ReleasePublished => "release.published",
            Self::ReleaseDeprecated => "release.deprecated",
            Self::RolloutStarted => "rollout.started",
            Self::RolloutWaveOpened => "rollout.wave-opened",
            Self::RolloutWavePassed => "rollout.wave-passed",
            Self::RolloutPaused => "rollout.paused",
            Self::RolloutResumed => "rollout.resumed",
            Self::RolloutStopping => "rollout.stopping",
            Self::RolloutStopped => "rollout.stopped",
            Self::RolloutCompleted => "rollout.completed",
            Self::FirmwareSucceeded => "firmware.succeeded",
            Self::FirmwareFailed => "firmware.failed",
        }
    }
}

/// A word that is no type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown-event-type: expected one of the words of EventType")]
pub struct UnknownEventType;

impl TryFrom<String> for EventType {
    type Error = UnknownEventType;

    fn try_from(word: String) -> Result<Self, UnknownEventType> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(UnknownEventType)
    }
}

impl From<EventType> for &'static str {
    fn from(kind: EventType) -> Self {
        kind.as_str()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn event(thing: Option<&str>) -> Event {
        Event {
            id: "t1.2".to_owned(),
            kind: EventType::CertificateRefused,
            thing: thing.map(|thing| ThingName::parse(thing).unwrap()),
            at: Timestamp::from_millis(7),
            epoch: 1,
            data: Map::new(),
        }
    }

    #[test]
    fn the_envelope_is_what_subscribers_read() {
        let text = json!({"id": "t1.2", "type": "certificate.refused", "thing": "t1", "at": 7, "epoch": 1, "data": {}});
        assert_eq!(serde_json::to_value(event(Some("t1"))).unwrap(), text);
        assert_eq!(serde_json::from_value::<Event>(text).unwrap(), event(Some("t1")));
    }

    #[test]
    fn an_event_of_no_thing_has_no_field_and_no_attribute_for_it() {
        assert!(serde_json::to_value(event(None)).unwrap().get("thing").is_none());
        assert_eq!(event(None).attributes().collect::<Vec<_>>(), [("type", "certificate.refused")]);
        assert_eq!(event(Some("t1")).attributes().last(), Some(("thing", "t1")));
    }

    #[test]
    fn every_type_has_a_word_of_its_own_and_is_read_back_from_it() {
        let words: BTreeSet<_> = EventType::ALL.into_iter().map(EventType::as_str).collect();
        assert_eq!(words.len(), EventType::ALL.len());
        for kind in EventType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(serde_json::from_value::<EventType>(kind.as_str().into()).unwrap(), kind);
        }
    }

    #[test]
    fn a_word_that_is_no_type_a_bad_name_and_data_that_is_no_object_are_refused() {
        let good = serde_json::to_value(event(Some("t1"))).unwrap();
        for (field, value) in
            [("type", json!("thing.Registered")), ("thing", json!("a/b")), ("data", json!([])), ("epoch", json!(-1))]
        {
            let mut bad = good.clone();
            bad[field] = value;
            assert!(serde_json::from_value::<Event>(bad).is_err(), "{field}");
        }
    }
}
