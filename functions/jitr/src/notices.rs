//! Security notices of refused certificates: events on the stack's topic.

use aws_config::SdkConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use loam_domain::{CertificateId, Event, EventType, ThingName, Timestamp};
use serde_json::{Map, json};

use crate::error::{Call, JitrFailure};
use crate::reason::Reason;

/// The topic of events.
#[derive(Debug, Clone)]
pub(crate) struct Notices {
    client: aws_sdk_sns::Client,
    topic_arn: String,
}

impl Notices {
    /// The topic with this ARN.
    #[must_use]
    pub(crate) fn new(sdk: &SdkConfig, topic_arn: String) -> Self {
        Self { client: aws_sdk_sns::Client::new(sdk), topic_arn }
    }

    /// Tells that a certificate is refused: `certificate.refused`, at least once, with the same id each time. There may be
    /// no thing to tell it of, so it is published here and not by a thing's record.
    ///
    /// # Errors
    /// [`Call::Notify`].
    pub(crate) async fn refused(
        &self,
        certificate: &CertificateId,
        ca_id: &CertificateId,
        thing: Option<&ThingName>,
        reasons: &[Reason],
        at: Timestamp,
    ) -> Result<(), JitrFailure> {
        let event = refusal(certificate, ca_id, thing, reasons, at);
        let mut request = self.client.publish().topic_arn(&self.topic_arn).message(serde_json::to_string(&event)?);
        for (name, value) in event.attributes() {
            let attribute = MessageAttributeValue::builder().data_type("String").string_value(value);
            request = request.message_attributes(name, attribute.build()?);
        }
        request.send().await.map_err(|error| JitrFailure::call(Call::Notify, error))?;
        Ok(())
    }
}

fn refusal(
    certificate: &CertificateId,
    ca_id: &CertificateId,
    thing: Option<&ThingName>,
    reasons: &[Reason],
    at: Timestamp,
) -> Event {
    let data = [("certificateId", json!(certificate)), ("caId", json!(ca_id)), ("reasons", json!(reasons))];
    Event {
        id: format!("refused.{certificate}"),
        kind: EventType::CertificateRefused,
        thing: thing.cloned(),
        at,
        epoch: 0,
        data: data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_certificate_ca_and_reasons_and_no_certificate_text() {
        let id = |digit: &str| CertificateId::parse(&digit.repeat(64)).unwrap();
        let event = refusal(&id("a"), &id("b"), None, &[Reason::Expired, Reason::Denied], Timestamp::from_millis(7));
        let expected = json!({
            "id": format!("refused.{}", id("a")), "type": "certificate.refused", "at": 7, "epoch": 0,
            "data": {"certificateId": id("a"), "caId": id("b"), "reasons": ["expired", "denied"]},
        });
        assert_eq!(serde_json::to_value(event).unwrap(), expected);
    }
}
