//! Calls of devices, measured: one table. `LOAM_STACK` names the stack, as for the tests; release builds only.
//!
//! Devices are a process of their own (this program, called with their names), so that the CPU time is the callers'.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that measures; whatever fails ends it")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use loam_device::invoke::{Listen, carry_out, serve};
use loam_device::{Device, Files, Identity, Options, QoS};
use loam_kit::{Credentials, Stack, join, now};
use sync_invoke::{Config, DeliveryMode, Invoker, Outcome, Request, Target};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Devices take turns: AWS lets one have 100 messages a second.
const DEVICES: usize = 8;
const CALLS: usize = 400;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let stack = Stack::deployed();
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() { measure(&stack).await } else { answer(&stack, &names).await }
}

/// The devices' process: says when all are connected, then answers until it is killed.
async fn answer(stack: &Stack, names: &[String]) {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut serving = tokio::task::JoinSet::new();
    for joined in join(stack, &names).await {
        let device = connected(stack, &joined).await;
        serving.spawn(async move { serve(&device, Listen::Subscribed, carry_out).await });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    println!("ready");
    while serving.join_next().await.is_some() {}
}

async fn connected(stack: &Stack, joined: &Credentials) -> Device {
    let files =
        Files { root_ca: joined.root_ca.clone(), certificate: joined.cert.clone(), private_key: joined.key.clone() };
    let identity = Identity::load(&joined.thing, "localhost", stack.mqtt_port, &files).unwrap();
    let device = Device::connect(&identity, Options::default()).unwrap();
    device.connected().await.unwrap();
    device
}

async fn devices(names: &[String]) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program).args(names).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
    child
}

async fn measure(stack: &Stack) {
    let names: Vec<String> = (0..DEVICES).map(|_| loam_kit::unique_thing("bench").to_string()).collect();
    let _devices = devices(&names).await;
    let config = Config::from_lookup(&|name| stack.function("SyncInvoke").variable(name)).unwrap();
    let address = config.address.clone().dialled_at(Some(&stack.endpoint));
    let config = Config { address, ..config };
    let lab = Lab { stack, names, config };
    println!("| candidate | p50 ms | p95 ms | p99 ms | per s | CPU ms a call | right |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    lab.floor().await;
    let kept = lab.invoker(DeliveryMode::Direct).await;
    row("first call of an environment: connect, subscribe, call", CALLS / 20, async |number| {
        lab.call(&lab.invoker(DeliveryMode::Direct).await, number, "echo").await
    })
    .await;
    row("direct, session kept", CALLS, async |number| lab.call(&kept, number, "echo").await).await;
    row("direct, connect per call (as published designs do)", CALLS / 4, async |number| {
        lab.call(&lab.invoker(DeliveryMode::Direct).await, number, "echo").await
    })
    .await;
    let published = lab.invoker(DeliveryMode::Publish).await;
    row("publish, session kept", CALLS, async |number| lab.call(&published, number, "echo").await).await;
    row("absent device: time to its answer", CALLS / 4, async |number| lab.call(&kept, number, "absent").await).await;
    for callers in [1, 10, 50] {
        lab.callers(callers).await;
    }
    println!("RSS of this process with {} environments' sessions: {} KiB", 61, resident_kib());
}

struct Lab<'a> {
    stack: &'a Stack,
    names: Vec<String>,
    config: Config,
}

impl Lab<'_> {
    /// The administrator's key: the stack's role may publish only where the stack was told to.
    async fn invoker(&self, delivery: DeliveryMode) -> Invoker {
        Invoker::new(&self.stack.admin().await, &Config { delivery, ..self.config.clone() }, now)
    }

    async fn call(&self, invoker: &Invoker, number: usize, method: &str) -> bool {
        let thing = self.names.get(number % DEVICES).unwrap();
        let nobody = method == "absent";
        let thing = if nobody { "bench-nobody" } else { thing };
        let request = Request {
            target: Target::parse(&self.config.prefix, thing, method).unwrap(),
            request: number.to_string(),
            id: None,
            budget: Duration::from_secs(10),
            response_budget: Duration::from_secs(10),
            connect_budget: Duration::ZERO,
            ends_on_malformed: true,
        };
        let outcome = invoker.call(&request).await.outcome;
        if let Outcome::Answered(answer) = &outcome {
            return answer.response.as_ref().is_some_and(|raw| raw.get() == format!("\"{number}\""));
        }
        nobody && matches!(outcome, Outcome::NotConnected)
    }

    /// A device that hears itself: client, broker, client. A call is two such ways.
    async fn floor(&self) {
        let name = loam_kit::unique_thing("floor").to_string();
        let joined = join(self.stack, &[name.as_str()]).await.remove(0);
        let device = connected(self.stack, &joined).await;
        let topic = format!("loam/{name}/echo");
        let heard = tokio::sync::Mutex::new(device.subscribe(&topic).await.unwrap());
        row("floor: bare MQTT, one way through the broker", CALLS, async |_| {
            device.publish(&topic, b"x".to_vec(), QoS::AtMostOnce).await.unwrap();
            heard.lock().await.recv().await.is_some()
        })
        .await;
    }

    /// So many environments at once, each with its own session.
    async fn callers(&self, callers: usize) {
        let mut environments = Vec::new();
        for number in 0..callers {
            let invoker = self.invoker(DeliveryMode::Direct).await;
            assert!(self.call(&invoker, number, "echo").await);
            environments.push(invoker);
        }
        let each = CALLS / callers;
        let (cpu, began) = (cpu_millis(), Instant::now());
        let runs = environments.iter().enumerate().map(|(at, invoker)| async move {
            let (mut samples, mut right) = (Vec::new(), 0);
            for number in 0..each {
                let started = Instant::now();
                right += usize::from(self.call(invoker, at + number, "echo").await);
                samples.push(started.elapsed());
            }
            (samples, right)
        });
        let all = futures_util::future::join_all(runs).await;
        let right = all.iter().map(|(_, right)| right).sum();
        let samples = all.into_iter().flat_map(|(samples, _)| samples).collect();
        print(
            &format!("direct, {callers} callers in {callers} environments"),
            samples,
            began.elapsed(),
            cpu_millis() - cpu,
            right,
        );
    }
}

async fn row(name: &str, calls: usize, call: impl AsyncFn(usize) -> bool) {
    let (mut samples, mut right) = (Vec::new(), 0);
    let (cpu, began) = (cpu_millis(), Instant::now());
    for number in 0..calls {
        let started = Instant::now();
        right += usize::from(call(number).await);
        samples.push(started.elapsed());
    }
    print(name, samples, began.elapsed(), cpu_millis() - cpu, right);
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn print(name: &str, mut samples: Vec<Duration>, took: Duration, cpu: f64, right: usize) {
    samples.sort_unstable();
    let calls = samples.len();
    let at = |percent: usize| {
        samples.get((calls * percent / 100).min(calls - 1)).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    let rate = calls as f64 / took.as_secs_f64();
    println!(
        "| {name} | {:.2} | {:.2} | {:.2} | {rate:.0} | {:.2} | {right} of {calls} |",
        at(50),
        at(95),
        at(99),
        cpu / calls as f64
    );
}

/// CPU time of this process so far, in milliseconds.
fn cpu_millis() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    let millis = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec().unsigned_abs(), 0).as_secs_f64() * 1e3
            + f64::from(i32::try_from(time.tv_usec()).unwrap_or(0)) / 1e3
    };
    millis(usage.user_time()) + millis(usage.system_time())
}

fn resident_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("?").trim().to_owned()
}
