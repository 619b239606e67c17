//! What the queue holds: AWS's events of certificates, our own re-checks, and events of presence.

use loam_domain::{CertificateId, Event, EventType, ThingName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message of the queue, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A certificate was registered, or came back while it waits for its activation.
    Registered(Registered),
    /// Whether what was revoked is really gone.
    Recheck(Recheck),
    /// A thing connected with another certificate than before.
    PrincipalChanged(PrincipalChanged),
}

/// AWS's event of `$aws/events/certificates/registered/{caId}`: sent when a certificate is registered automatically, and
/// each time that it is presented while it is PENDING_ACTIVATION. What else the event says (its status, its account) is
/// asked of AWS anew, since the event may be old.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// Which certificate.
    pub certificate_id: CertificateId,
    /// Under which CA.
    pub ca_certificate_id: CertificateId,
}

/// Our own message: finish a revocation, and see that the device is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recheck {
    /// Always `recheck`.
    pub kind: RecheckKind,
    /// Whose connection.
    pub thing: ThingName,
    /// Which certificates were revoked.
    pub certificates: Vec<CertificateId>,
    /// What they are in AWS IoT from then on.
    pub status: RevokedAs,
    /// Who revoked them.
    pub by: String,
    /// Why: stable codes or an operator's words.
    pub reasons: Vec<String>,
    /// How often it was looked at before, from 0.
    pub attempt: u8,
}

/// The word that tells a re-check apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecheckKind {
    /// The only one.
    #[default]
    Recheck,
}

/// What a certificate becomes that may no longer connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RevokedAs {
    /// For ever.
    #[default]
    Revoked,
    /// For Loam as final as REVOKED: the thing's record never takes the certificate again.
    Inactive,
}

/// A thing connected with another certificate than the last time (`presence.principal-changed`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalChanged {
    /// Which thing.
    pub thing: ThingName,
    /// The certificate that it connected with.
    pub certificate: CertificateId,
}

/// Why a message can never be dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// It is no JSON object.
    #[error("not-json: the message is no JSON object")]
    NotJson,
    /// It is none of those that the queue is for.
    #[error(
        "unknown-message: expected an event of a registered certificate, a re-check, or presence.principal-changed with \
         the certificate's id"
    )]
    Unknown,
}

impl BadMessage {
    /// The stable code; the first word of the message.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotJson => "not-json",
            Self::Unknown => "unknown-message",
        }
    }
}

impl Message {
    /// Reads a message's body.
    ///
    /// # Errors
    /// [`BadMessage`]: it is to be kept and never tried again.
    pub fn parse(body: &str) -> Result<Self, BadMessage> {
        let json: Value = serde_json::from_str(body).map_err(|_| BadMessage::NotJson)?;
        let fields = json.as_object().ok_or(BadMessage::NotJson)?;
        let read = if fields.contains_key("kind") {
            serde_json::from_value(json).ok().map(Self::Recheck)
        } else if fields.contains_key("type") {
            serde_json::from_value(json).ok().and_then(principal_changed).map(Self::PrincipalChanged)
        } else {
            serde_json::from_value(json).ok().map(Self::Registered)
        };
        read.ok_or(BadMessage::Unknown)
    }
}

fn principal_changed(event: Event) -> Option<PrincipalChanged> {
    if event.kind != EventType::PresencePrincipalChanged {
        return None;
    }
    let certificate = CertificateId::parse(event.data.get("principalIdentifier")?.as_str()?).ok()?;
    Some(PrincipalChanged { thing: event.thing?, certificate })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn id(digit: &str) -> String {
        digit.repeat(64)
    }

    #[test]
    fn awss_event_names_certificate_and_ca() {
        let body = json!({
            "certificateId": id("a"), "caCertificateId": id("b"), "timestamp": 1_598_536_072_677_i64,
            "certificateStatus": "PENDING_ACTIVATION", "awsAccountId": "000000000000",
            "certificateRegistrationTimestamp": null,
        });
        let Message::Registered(event) = Message::parse(&body.to_string()).unwrap() else { panic!("registered") };
        assert_eq!((event.certificate_id.to_string(), event.ca_certificate_id.to_string()), (id("a"), id("b")));
    }

    #[test]
    fn a_recheck_is_read_as_it_was_written() {
        let recheck = Recheck {
            kind: RecheckKind::Recheck,
            thing: ThingName::parse("t1").unwrap(),
            certificates: vec![CertificateId::parse(&id("a")).unwrap()],
            status: RevokedAs::Inactive,
            by: "anna".to_owned(),
            reasons: vec!["stolen".to_owned()],
            attempt: 2,
        };
        let text = serde_json::to_string(&recheck).unwrap();
        assert_eq!(Message::parse(&text).unwrap(), Message::Recheck(recheck));
    }

    #[test]
    fn only_a_changed_principal_is_an_event_for_this_queue() {
        let event = |kind: &str, principal: &str| {
            let data = json!({"principalIdentifier": principal});
            json!({"id": "t1.1", "type": kind, "thing": "t1", "at": 1, "epoch": 1, "data": data}).to_string()
        };
        let read = Message::parse(&event("presence.principal-changed", &id("a"))).unwrap();
        assert!(matches!(read, Message::PrincipalChanged(_)));
        assert_eq!(Message::parse(&event("presence.connected", &id("a"))), Err(BadMessage::Unknown));
        assert_eq!(Message::parse(&event("presence.principal-changed", "AROA")), Err(BadMessage::Unknown));
    }

    #[test]
    fn what_is_none_of_these_is_told_apart() {
        for (body, expected) in [("", BadMessage::NotJson), ("[]", BadMessage::NotJson), ("{}", BadMessage::Unknown)] {
            assert_eq!(Message::parse(body), Err(expected), "{body}");
        }
        let short = json!({"certificateId": "a", "caCertificateId": id("b")}).to_string();
        assert_eq!(Message::parse(&short), Err(BadMessage::Unknown));
        for bad in [BadMessage::NotJson, BadMessage::Unknown] {
            assert!(bad.to_string().starts_with(&format!("{}: ", bad.code())));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in r#"[{}\[\]":,a-z0-9]{0,60}"#) {
            let _ = Message::parse(&text);
        }
    }
}
