//! The calls alone, within this process: what of it is our own way, and what another way would cost.

use std::time::Duration;

use loam_kit::{Stack, now};
use sync_invoke::{Config, DeliveryMode, Invoker, Outcome, Request, Target};

use crate::row::{Row, in_turn};
use crate::{CALLS, DEVICES};

pub(crate) struct Invokers<'a> {
    stack: &'a Stack,
    names: &'a [String],
    config: Config,
}

impl<'a> Invokers<'a> {
    pub(crate) fn new(stack: &'a Stack, names: &'a [String]) -> Self {
        let config = Config::from_lookup(&|name| stack.function("SyncInvoke").variable(name)).unwrap();
        let address = config.address.clone().dialled_at(Some(&stack.endpoint));
        Self { stack, names, config: Config { address, ..config } }
    }

    /// The administrator's key: the stack's role may publish only where the stack was told to.
    async fn invoker(&self, delivery: DeliveryMode) -> Invoker {
        Invoker::new(&self.stack.admin().await, &Config { delivery, ..self.config.clone() }, now)
    }

    async fn call(&self, invoker: &Invoker, number: usize) -> bool {
        let thing = self.names.get(number % DEVICES).unwrap();
        let budget = Duration::from_secs(10);
        let request = Request {
            target: Target::parse(&self.config.prefix, thing, "echo").unwrap(),
            request: number.to_string(),
            id: None,
            budget,
            connect_budget: Duration::ZERO,
            response_budget: budget,
            ends_on_malformed: true,
        };
        let Outcome::Answered(answer) = invoker.call(&request).await.outcome else { return false };
        answer.response.is_some_and(|raw| raw.get() == format!("\"{number}\""))
    }

    async fn kept(&self, delivery: DeliveryMode) -> Row {
        let invoker = self.invoker(delivery).await;
        assert!(self.call(&invoker, 0).await, "a warm-up is right");
        measured(CALLS, async |number| self.call(&invoker, number).await).await
    }

    pub(crate) async fn direct(&self) {
        self.kept(DeliveryMode::Direct)
            .await
            .print("the same without Lambda's Runtime API and HTTP: direct, session kept");
    }

    pub(crate) async fn publish(&self) {
        self.kept(DeliveryMode::Publish).await.print("publish, session kept");
    }

    /// What published designs do: connect, subscribe, call, disconnect.
    pub(crate) async fn connect_per_call(&self) {
        let call = async |number| self.call(&self.invoker(DeliveryMode::Direct).await, number).await;
        measured(CALLS / 10, call).await.print("reference: direct, but a session and a client per call");
    }
}

async fn measured(calls: usize, call: impl AsyncFnMut(usize) -> bool) -> Row {
    let cpu = cpu();
    let row = in_turn(calls, call).await;
    Row { cpu: self::cpu() - cpu, ..row }
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    let time = |time: nix::sys::time::TimeVal| {
        let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
        Duration::from_secs(time.tv_sec().unsigned_abs()) + Duration::from_micros(micros)
    };
    time(usage.user_time()) + time(usage.system_time())
}
