//! Carries a plan out.

use super::plan::Step;
use crate::device::Device;
use crate::error::DeviceError;
use crate::identity::Identity;
use crate::message::QoS;
use crate::options::Options;
use std::time::Duration;
use tokio::time::sleep;

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Where to.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
}

/// What a run has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that the broker acknowledged, repeats included.
    pub published: usize,
    /// Connections lost on purpose.
    pub flaps: usize,
    /// Take-overs.
    pub take_overs: usize,
}

/// Carries `steps` out on `device`, whose identity is `identity`, with `pause` between two steps. Messages go out at
/// QoS 1, again if their connection was lost, so that the broker has acknowledged each of them.
///
/// # Errors
/// Everything [`Device::deliver`] can fail with.
pub async fn run(
    device: &Device,
    identity: &Identity,
    steps: &[Step],
    messages: &[Publication],
    pause: Duration,
) -> Result<Tally, DeviceError> {
    let mut tally = Tally::default();
    for step in steps {
        match step {
            Step::Publish(index) => {
                if let Some(message) = messages.get(*index) {
                    device.deliver(&message.topic, &message.payload, QoS::AtLeastOnce).await?;
                    tracing::info!(thing.name = device.thing(), index, topic = message.topic, "message published");
                    tally.published += 1;
                }
            }
            Step::Flap => {
                device.connected().await?;
                device.drop_connection().await;
                tally.flaps += 1;
            }
            Step::TakeOver => {
                take_over(device, identity).await?;
                tally.take_overs += 1;
            }
        }
        tracing::debug!(thing.name = device.thing(), ?step, "chaos");
        sleep(pause).await;
    }
    device.connected().await?;
    Ok(tally)
}

/// Connects a second time with the same client id, waits until the first has noticed, and leaves.
async fn take_over(device: &Device, identity: &Identity) -> Result<(), DeviceError> {
    let options = Options::default();
    device.connected().await?;
    // The broker accepts one CONNECT per second and client id, and `device` may have used it a moment ago.
    sleep(options.back_off.floor).await;
    let usurper = Device::connect(identity, options)?;
    device.disconnected().await;
    usurper.connected().await?;
    usurper.disconnect().await;
    Ok(())
}
