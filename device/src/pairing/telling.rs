use super::Button;
use super::button::{Remembered, Word};
use crate::device::Device;
use crate::error::DeviceError;
use crate::message::QoS;
use crate::topics;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often the device looks whether somebody pressed a button.
const LOOK: Duration = Duration::from_millis(200);
/// How long it leaves a memory alone that it could not read.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Tells what the buttons remember, whenever there is a connection, until the device ends.
///
/// # Errors
/// As [`Device::publish`], but never [`DeviceError::ConnectionLost`]. A memory that cannot be read is logged, and looked at
/// again.
pub async fn tell(device: &Device, button: &Button) -> Result<(), DeviceError> {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        device.connected().await?;
        match button.remembered() {
            Ok(None) => {}
            Ok(Some(what)) => tell_one(device, button, &what).await?,
            Err(error) => {
                tracing::error!(thing.name = device.thing(), code = error.code(), "{error}");
                looks.reset_after(LOOK_AGAIN);
            }
        }
    }
}

/// Publishes once; what was not acknowledged stays remembered, and its payload is made anew.
async fn tell_one(device: &Device, button: &Button, what: &Remembered) -> Result<(), DeviceError> {
    let topic = match what.word {
        Word::Window => topics::pairing_window(device.thing()),
        Word::Reset => topics::pairing_reset(device.thing()),
    };
    match device.publish(&topic, what.payload.as_bytes(), QoS::AtLeastOnce).await {
        Ok(()) => tracing::info!(thing.name = device.thing(), topic, "the button's word is told"),
        Err(DeviceError::ConnectionLost) => return Ok(()),
        Err(error) => return Err(error),
    }
    if let Err(error) = button.told(what) {
        tracing::error!(thing.name = device.thing(), code = error.code(), "{error}");
    }
    Ok(())
}
