//! The devices' process, and a device alone.

use std::process::Stdio;
use std::time::Duration;

use loam_device::invoke::{Listen, carry_out, serve};
use loam_device::{Device, Files, Identity, Options, QoS};
use loam_kit::{Credentials, Stack, join, unique_thing};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::CALLS;
use crate::row::in_turn;

/// Says when all are connected, then answers until it is killed.
pub(crate) async fn answer(stack: &Stack, names: &[String]) {
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

/// Starts that process.
pub(crate) async fn start(names: &[String]) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program).args(names).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
    child
}

async fn connected(stack: &Stack, joined: &Credentials) -> Device {
    let files =
        Files { root_ca: joined.root_ca.clone(), certificate: joined.cert.clone(), private_key: joined.key.clone() };
    let identity = Identity::load(&joined.thing, "localhost", stack.mqtt_port, &files).unwrap();
    let device = Device::connect(&identity, Options::default()).unwrap();
    device.connected().await.unwrap();
    device
}

/// A round trip through the broker, and nothing else: one device writes, hears itself, writes again, hears itself. A call
/// goes to the device and comes back, which is two such ways.
pub(crate) async fn floor(stack: &Stack) {
    let name = unique_thing("floor").to_string();
    let joined = join(stack, &[name.as_str()]).await.remove(0);
    let device = connected(stack, &joined).await;
    let topic = format!("loam/{name}/echo");
    let mut heard = device.subscribe(&topic).await.unwrap();
    let row = in_turn(CALLS, async |_| {
        let mut right = true;
        for _ in 0..2 {
            device.publish(&topic, b"x".to_vec(), QoS::AtMostOnce).await.unwrap();
            right &= heard.recv().await.is_some();
        }
        right
    });
    row.await.print("floor: a bare MQTT round trip through the same broker, there and back");
}
