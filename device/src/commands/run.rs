use super::{Memory, Met, NoOrder, Order, Part, Word, carry_out};
use crate::device::Device;
use crate::error::DeviceError;
use crate::message::{Message, QoS};
use crate::state::StateError;
use crate::topics;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;

/// What became of the commands so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Begun.
    pub begun: u64,
    /// Known already.
    pub repeats: u64,
    /// Past their time.
    pub expired: u64,
    /// No commands.
    pub refused: u64,
}

/// What is done with one message.
struct Task {
    id: String,
    parts: Vec<Part>,
}

/// Carries out commands as the simulated device does until the device ends.
pub async fn run(device: &Device, memory: &mut Memory) -> Tally {
    serve(device, memory, carry_out).await
}

/// Carries out commands as `behaviour` says until the device ends. Several at once: one that takes its time holds up no
/// other. What is said of them is said again while connections are lost.
pub async fn serve(device: &Device, memory: &mut Memory, behaviour: impl Fn(&Order) -> Vec<Part>) -> Tally {
    let mut direct = device.unsolicited();
    let (mut tally, mut tasks) = (Tally::default(), FuturesUnordered::new());
    loop {
        let message = tokio::select! {
            message = direct.recv() => match message {
                Ok(message) => message,
                Err(RecvError::Lagged(lost)) => {
                    tracing::warn!(thing.name = device.thing(), lost, "commands came faster than they were taken");
                    continue;
                }
                Err(RecvError::Closed) => return tally,
            },
            Some(done) = tasks.next(), if !tasks.is_empty() => {
                remember(device, memory, done);
                continue;
            }
        };
        match judge(device, &message, memory, &mut tally, &behaviour) {
            Ok(Some(task)) => tasks.push(perform(device, task)),
            Ok(None) => {}
            Err(error) => unkept(device, &error),
        }
    }
}

/// What to do with a message: nothing with what is none of ours, and with what is under way.
fn judge(
    device: &Device,
    message: &Message,
    memory: &mut Memory,
    tally: &mut Tally,
    behaviour: &impl Fn(&Order) -> Vec<Part>,
) -> Result<Option<Task>, StateError> {
    let order = match Order::parse(device.thing(), message) {
        Ok(order) => order,
        Err(why) => {
            tally.refused += 1;
            refused(device, why);
            return Ok(None);
        }
    };
    let over = order.is_over(Timestamp::now().as_millisecond());
    let parts = match memory.meet(&order.id)? {
        Met::New if over => {
            tally.expired += 1;
            vec![Part::Say(Word::expired())]
        }
        Met::New => {
            tally.begun += 1;
            behaviour(&order)
        }
        Met::UnderWay => vec![],
        Met::Said(word) => vec![Part::Say(word)],
        Met::Interrupted => vec![Part::Say(Word::interrupted())],
    };
    tracing::info!(thing.name = device.thing(), command.id = order.id, command.name = order.name, over, "command");
    Ok(Some(Task { id: order.id, parts }))
}

/// Does the parts one after the other, and tells the first final word.
async fn perform(device: &Device, task: Task) -> (String, Option<Word>) {
    let mut last = None;
    for part in task.parts {
        match part {
            Part::Work(time) => tokio::time::sleep(time).await,
            Part::DropConnection => device.drop_connection().await,
            Part::Say(word) => {
                if let Err(error) = say(device, &task.id, &word).await {
                    tracing::warn!(thing.name = device.thing(), code = error.code(), "a word was not sent");
                }
                last = last.or(Some(word).filter(Word::is_final));
            }
        }
    }
    (task.id, last)
}

fn remember(device: &Device, memory: &mut Memory, (id, last): (String, Option<Word>)) {
    if let Some(Err(error)) = last.map(|last| memory.said(&id, last)) {
        unkept(device, &error);
    }
}

async fn say(device: &Device, id: &str, word: &Word) -> Result<(), DeviceError> {
    let topic = topics::command(device.thing(), id, &word.word);
    device.deliver(&topic, word.payload.to_string().as_bytes(), QoS::AtLeastOnce).await?;
    tracing::info!(thing.name = device.thing(), command.id = id, word = word.word, "said");
    Ok(())
}

fn refused(device: &Device, why: NoOrder) {
    tracing::warn!(thing.name = device.thing(), code = why.code(), "{why}");
}

/// Without a memory nothing is begun: a command that ran twice is worse than one that did not run.
fn unkept(device: &Device, error: &StateError) {
    tracing::error!(thing.name = device.thing(), code = error.code(), "{error}");
}
