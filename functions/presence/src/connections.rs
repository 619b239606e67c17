use aws_config::SdkConfig;
use aws_sdk_iotdataplane::operation::get_connection::GetConnectionOutput;
use loam_domain::{ThingName, Timestamp};

use crate::PresenceFailure;
use crate::fact::{Answer, How};

/// AWS IoT's own view of who is connected: true at the moment, and limited to 1 question a second for a client and 100
/// for the account. So it is asked only in doubt.
#[derive(Debug, Clone)]
pub struct Connections {
    client: aws_sdk_iotdataplane::Client,
}

impl Connections {
    /// The broker that `sdk` talks to.
    #[must_use]
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: aws_sdk_iotdataplane::Client::new(sdk) }
    }

    /// Whether the thing is connected now. Half an hour after a client left AWS IoT knows it no more: that is gone, too.
    ///
    /// # Errors
    /// [`PresenceFailure::Unknown`], also when AWS IoT was asked too often.
    /// Source: AWS IoT API reference, `GetConnection`.
    pub async fn ask(&self, thing: &ThingName) -> Result<Answer, PresenceFailure> {
        match self.client.get_connection().client_id(thing.as_str()).send().await {
            Ok(connection) => Ok(answer(&connection)),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                Ok(Answer::Gone(None, None))
            }
            Err(error) => Err(PresenceFailure::Unknown(Box::new(error))),
        }
    }
}

fn answer(connection: &GetConnectionOutput) -> Answer {
    // The SDK gives 0 for a time that AWS did not send.
    let time = |millis: i64| (millis > 0).then(|| Timestamp::from_millis(millis));
    if connection.connected() {
        return Answer::There(time(connection.connected_since()));
    }
    let how = connection.disconnect_reason().map(|reason| How::new(Some(reason.to_owned()), false));
    Answer::Gone(time(connection.disconnected_since()), how)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_a_connection_and_its_end_are_told_with_their_time() {
        let there = GetConnectionOutput::builder().connected(true).connected_since(7).build();
        assert_eq!(answer(&there), Answer::There(Some(Timestamp::from_millis(7))));
        let gone = GetConnectionOutput::builder().connected(false).disconnected_since(9);
        let gone = gone.disconnect_reason("CONNECTION_LOST").build();
        let how = How::new(Some("CONNECTION_LOST".to_owned()), false);
        assert_eq!(answer(&gone), Answer::Gone(Some(Timestamp::from_millis(9)), Some(how)));
    }

    #[test]
    fn what_aws_leaves_out_is_not_the_year_1970() {
        assert_eq!(answer(&GetConnectionOutput::builder().connected(true).build()), Answer::There(None));
        assert_eq!(answer(&GetConnectionOutput::builder().build()), Answer::Gone(None, None));
    }
}
