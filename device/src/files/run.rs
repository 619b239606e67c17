use super::desk::Word;
use super::{Desk, Notice};
use crate::device::Device;
use crate::error::DeviceError;
use crate::event::Event;
use crate::message::{Message, QoS};
use crate::state::StateError;
use crate::topics;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;

/// How long the device waits before it asks for what it could not do.
const ASK_LATER: Duration = Duration::from_secs(60);

/// Receives and sends files until the device ends. After each connect it asks what waits.
///
/// # Errors
/// As [`Device::subscribe`] and [`Device::deliver`].
pub async fn serve(device: &Device, desk: &mut Desk) -> Result<(), DeviceError> {
    let mut mail = device.subscribe(&topics::files(device.thing())).await?;
    let mut events = device.events().resubscribe();
    ask(device, desk).await?;
    let mut owes = false;
    loop {
        tokio::select! {
            message = mail.recv() => {
                owes |= hear(device, desk, &message.ok_or(DeviceError::Ended)?).await?;
            }
            event = events.recv() => match event {
                Ok(Event::Connected) | Err(RecvError::Lagged(_)) => ask(device, desk).await?,
                Ok(_) => {}
                Err(RecvError::Closed) => return Err(DeviceError::Ended),
            },
            () = sleep(ASK_LATER), if owes => {
                owes = false;
                ask(device, desk).await?;
            }
        }
    }
}

async fn ask(device: &Device, desk: &mut Desk) -> Result<(), DeviceError> {
    match desk.ask(now()).await {
        Ok(words) => tell(device, &words).await,
        Err(error) => {
            unkept(device, &error);
            Ok(())
        }
    }
}

/// Whether something is left for later.
async fn hear(device: &Device, desk: &mut Desk, message: &Message) -> Result<bool, DeviceError> {
    let notice = match Notice::parse(device.thing(), message) {
        Ok(notice) => notice,
        Err(why) => {
            tracing::warn!(thing.name = device.thing(), code = why.code(), "{why}");
            return Ok(false);
        }
    };
    match desk.hear(notice, now()).await {
        Ok(heard) => tell(device, &heard.words).await.map(|()| heard.ask_later),
        Err(error) => {
            unkept(device, &error);
            Ok(true)
        }
    }
}

async fn tell(device: &Device, words: &[Word]) -> Result<(), DeviceError> {
    for word in words {
        let topic = topics::file(device.thing(), word.kind);
        device.deliver(&topic, word.payload.to_string().as_bytes(), QoS::AtLeastOnce).await?;
    }
    Ok(())
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn unkept(device: &Device, error: &StateError) {
    tracing::error!(thing.name = device.thing(), code = error.code(), "{error}");
}
