use super::machine::{Machine, Turn};
use crate::device::{Device, Subscription};
use crate::error::DeviceError;
use crate::event::Event;
use crate::message::{Message, QoS};
use crate::state::StateError;
use crate::topics;
use futures_util::FutureExt as _;
use futures_util::future::select_all;
use jiff::tz::TimeZone;
use loam_domain::Timestamp;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::sleep;

/// Why a device does not go on with its updates.
#[derive(Debug, thiserror::Error)]
pub enum OtaError {
    /// Its connection has ended for good.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// It cannot remember, so it does nothing.
    #[error(transparent)]
    State(#[from] StateError),
}

impl OtaError {
    /// The stable name of this failure.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Device(error) => error.code(),
            Self::State(error) => error.code(),
        }
    }
}

/// What the device hears of its firmware on.
struct Ears(Vec<Subscription>);

impl Ears {
    async fn open(device: &Device) -> Result<Self, DeviceError> {
        let thing = device.thing();
        let filters = [
            topics::shadow_documents(thing),
            format!("{}/+", topics::shadow_get(thing)),
            topics::firmware(thing, "+", "grant"),
            topics::jobs(thing, "notify-next"),
            topics::jobs(thing, "start-next/accepted"),
            topics::jobs(thing, "$next/get/accepted"),
        ];
        let mut all = vec![];
        for filter in &filters {
            all.push(device.subscribe(filter).await?);
        }
        Ok(Self(all))
    }

    async fn next(&mut self) -> Option<Message> {
        select_all(self.0.iter_mut().map(|ear| Box::pin(ear.recv()))).await.0
    }

    /// What came meanwhile.
    fn waiting(&mut self) -> Option<Message> {
        self.next().now_or_never().flatten()
    }
}

/// Keeps the device's firmware as the cloud wants it until the device ends.
///
/// # Errors
/// [`OtaError`].
pub async fn serve(device: &Device, machine: &mut Machine) -> Result<(), OtaError> {
    let mut ears = Ears::open(device).await?;
    let mut events = device.events().resubscribe();
    greet(device, machine).await?;
    loop {
        while let Some(message) = ears.waiting() {
            hear(device, machine, &message);
        }
        while let Some(event) = happened(&mut events)? {
            follow(device, machine, event.as_ref()).await?;
        }
        let offset_minutes = machine.settings.utc_offset_minutes.unwrap_or_else(offset_of_this_machine);
        match machine.step(now(), offset_minutes).await? {
            Turn::On => {}
            Turn::Say(words) => {
                say(device, &words).await?;
                machine.said();
            }
            Turn::Restart => {
                device.drop_connection().await;
                events = device.events().resubscribe();
                // Whatever was said to what ran before is gone with it.
                while ears.waiting().is_some() {}
                machine.restart()?;
            }
            Turn::Wait(time) => tokio::select! {
                message = ears.next() => hear(device, machine, &message.ok_or(DeviceError::Ended)?),
                event = events.recv() => match event {
                    Ok(event) => follow(device, machine, Some(&event)).await?,
                    Err(RecvError::Lagged(_)) => follow(device, machine, None).await?,
                    Err(RecvError::Closed) => return Err(DeviceError::Ended.into()),
                },
                () = sleep(time) => {}
            },
        }
        // A machine that is at work does not starve its connection.
        tokio::task::yield_now().await;
    }
}

/// The next event that is there; an inner `None` stands for those that were missed.
fn happened(events: &mut Receiver<Event>) -> Result<Option<Option<Event>>, DeviceError> {
    match events.try_recv() {
        Ok(event) => Ok(Some(Some(event))),
        Err(TryRecvError::Lagged(_)) => Ok(Some(None)),
        Err(TryRecvError::Empty) => Ok(None),
        Err(TryRecvError::Closed) => Err(DeviceError::Ended),
    }
}

async fn follow(device: &Device, machine: &mut Machine, event: Option<&Event>) -> Result<(), DeviceError> {
    match event {
        Some(Event::Connected) | None => greet(device, machine).await,
        Some(Event::Dropped { .. } | Event::TakenOver) => {
            machine.disconnected();
            Ok(())
        }
        Some(Event::ConnectionRefused { .. } | Event::Reconnecting { .. }) => Ok(()),
    }
}

async fn greet(device: &Device, machine: &mut Machine) -> Result<(), DeviceError> {
    if machine.is_deaf() {
        return Ok(());
    }
    device.connected().await?;
    say(device, &machine.connected()).await
}

async fn say(device: &Device, words: &[super::Word]) -> Result<(), DeviceError> {
    for word in words {
        device.deliver(&word.topic, &word.bytes(), QoS::AtLeastOnce).await?;
        let state = word.payload.get("state").and_then(Value::as_str);
        tracing::info!(thing.name = device.thing(), topic = word.topic, state, "said");
    }
    Ok(())
}

fn hear(device: &Device, machine: &mut Machine, message: &Message) {
    if let Err(why) = machine.hear(message) {
        tracing::debug!(thing.name = device.thing(), topic = message.topic, code = why.code(), "{why}");
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}

fn offset_of_this_machine() -> i32 {
    TimeZone::system().to_offset(jiff::Timestamp::now()).seconds() / 60
}
