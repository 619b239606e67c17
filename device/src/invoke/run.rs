use super::{BadCall, Call, Memory, Reply, Seen, carry_out};
use crate::device::Device;
use crate::error::DeviceError;
use crate::message::{Message, QoS};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;

/// How calls reach the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// By Direct Messaging alone: nothing is subscribed to.
    Direct,
    /// By a subscription as well, which the published sample and delivery by `publish` need.
    Subscribed,
}

/// What became of the calls so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Carried out.
    pub calls: u64,
    /// Known already.
    pub repeats: u64,
    /// No calls, or too old.
    pub refused: u64,
}

/// Answers calls with the simulated methods until the device ends.
///
/// # Errors
/// [`DeviceError`] when it cannot subscribe.
pub async fn run(device: &Device, listen: Listen) -> Result<Tally, DeviceError> {
    serve(device, listen, carry_out).await
}

/// Answers calls with what `methods` says until the device ends. Several at once: a method that takes its time holds up
/// no other.
///
/// # Errors
/// [`DeviceError`] when it cannot subscribe.
pub async fn serve(
    device: &Device,
    listen: Listen,
    methods: impl Fn(&Call) -> Vec<Reply>,
) -> Result<Tally, DeviceError> {
    let mut direct = device.unsolicited();
    let mut subscribed = match listen {
        Listen::Direct => None,
        Listen::Subscribed => Some(device.subscribe(&format!("{}/+/+/+", device.thing())).await?),
    };
    let (mut memory, mut tally, mut replies) = (Memory::default(), Tally::default(), FuturesUnordered::new());
    loop {
        let message = tokio::select! {
            message = direct.recv() => match message {
                Ok(message) => message,
                Err(RecvError::Lagged(lost)) => {
                    tracing::warn!(thing.name = device.thing(), lost, "calls came faster than they were taken");
                    continue;
                }
                Err(RecvError::Closed) => return Ok(tally),
            },
            Some(message) = async { match &mut subscribed { Some(calls) => calls.recv().await, None => None } } => message,
            Some(done) = replies.next(), if !replies.is_empty() => {
                if let Some((id, answer)) = done {
                    memory.answered(id, answer);
                }
                continue;
            }
        };
        match judge(device.thing(), &message, &mut memory) {
            Ok((call, Seen::New)) => {
                tally.calls += 1;
                tracing::info!(thing.name = device.thing(), call.id = call.id, "call");
                replies.push(send(device, call.id.clone(), methods(&call)));
            }
            Ok((call, Seen::Before)) => {
                tally.repeats += 1;
                tracing::info!(thing.name = device.thing(), call.id = call.id, "call known already");
                let answer = memory.answer(&call.id);
                replies.push(send(device, call.id, answer.into_iter().collect()));
            }
            Err(why) => {
                tally.refused += 1;
                tracing::warn!(thing.name = device.thing(), code = why.code(), "{why}");
            }
        }
    }
}

fn judge(thing: &str, message: &Message, memory: &mut Memory) -> Result<(Call, Seen), BadCall> {
    let call = Call::parse(thing, message, Timestamp::now().as_millisecond())?;
    let seen = memory.meet(&call.id);
    Ok((call, seen))
}

/// Sends what a call is answered, and tells its id and the first answer. An answer whose connection is lost is not sent
/// again: by then its caller may wait no more, and asks anew.
async fn send(device: &Device, id: String, replies: Vec<Reply>) -> Option<(String, Reply)> {
    let first = replies.first().cloned();
    for reply in replies {
        tokio::time::sleep(reply.after).await;
        if let Err(error) = device.publish(&reply.topic, reply.payload, QoS::AtLeastOnce).await {
            tracing::warn!(thing.name = device.thing(), code = error.code(), "answer not sent");
        }
    }
    Some((id, first?))
}
