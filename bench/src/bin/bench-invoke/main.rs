//! Calls of devices, measured: one table. `LOAM_STACK` names the stack, as for the tests; release builds only.
//!
//! Devices are a process of their own (this program, called with their names), and so is each environment of the function:
//! the CPU time of a row is that of the side that calls.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that measures; whatever fails ends it")]

mod devices;
mod environments;
mod invokers;
mod row;

use loam_kit::{Stack, unique_thing};

use crate::environments::Environments;
use crate::invokers::Invokers;

/// Devices take turns: AWS lets one have 100 messages a second.
const DEVICES: usize = 8;
/// Calls of a row; of a slow one a part of it.
const CALLS: usize = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let stack = Stack::deployed();
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() { measure(&stack).await } else { devices::answer(&stack, &names).await }
}

async fn measure(stack: &Stack) {
    let names: Vec<String> = (0..DEVICES).map(|_| unique_thing("bench").to_string()).collect();
    let _devices = devices::start(&names).await;
    row::head();
    devices::floor(stack).await;
    let environments = Environments { stack, names: &names };
    environments.start().await;
    for callers in [1, 10, 50] {
        environments.called_by(callers).await;
    }
    environments.absent().await;
    let invokers = Invokers::new(stack, &names);
    invokers.direct().await;
    invokers.connect_per_call().await;
    invokers.publish().await;
}
