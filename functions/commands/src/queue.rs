//! The own queue: what goes on later.

use aws_config::SdkConfig;

use crate::error::CommandsFailure;

/// The longest that SQS holds a message back, in seconds. Source: SQS developer guide, "Message timers".
const LONGEST_DELAY_SECONDS: i64 = 900;

/// The own queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    pub(crate) fn new(sdk: &SdkConfig, url: String) -> Self {
        Self { client: aws_sdk_sqs::Client::new(sdk), url }
    }

    /// Sends a message to ourselves that comes after so many milliseconds, rounded up; after 15 minutes at the latest, when
    /// whoever gets it looks at the time again.
    pub(crate) async fn send(&self, body: String, after_millis: i64) -> Result<(), CommandsFailure> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body);
        let request = request.delay_seconds(delay(after_millis));
        request.send().await.map_err(|error| CommandsFailure::NotSent(Box::new(error)))?;
        Ok(())
    }
}

fn delay(after_millis: i64) -> i32 {
    let seconds = after_millis.max(0).saturating_add(999).div_euclid(1_000);
    i32::try_from(seconds.min(LONGEST_DELAY_SECONDS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_whole_seconds_rounded_up_and_fifteen_minutes_at_most() {
        let delays = [i64::MIN, 0, 1, 1_000, 1_001, 900_001, i64::MAX].map(delay);
        assert_eq!(delays, [0, 0, 1, 1, 2, 900, 900]);
    }
}
