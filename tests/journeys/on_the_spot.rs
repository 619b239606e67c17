//! A device that runs as a process of its own, and what a person on the spot does with it: `loam-device`, as one uses it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use loam_domain::ThingName;
use loam_kit::{Made, eventually, eventually_within, patience, unique_thing};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::newcomers::Newcomers;

/// The device and its directory.
pub(crate) struct OnTheSpot {
    pub(crate) thing: ThingName,
    pub(crate) made: Made,
    state: PathBuf,
    mqtt_port: u16,
    running: Option<Child>,
}

impl OnTheSpot {
    /// A device that joins by itself, says what it is, and carries out commands.
    pub(crate) async fn onboarded(world: &Newcomers, purpose: &str) -> Self {
        let thing = unique_thing(purpose);
        let made = world.factory.certificate(thing.as_str(), &[]).await;
        let state = made.credentials.key.with_file_name(format!("state-{thing}"));
        let mut device = Self { thing, made, state, mqtt_port: world.stack.mqtt_port, running: None };
        device.switch_on(&[]);
        device.is_onboarded(world).await;
        device
    }

    async fn is_onboarded(&self, world: &Newcomers) {
        // The first connections may be dropped: as slow as the device's back-off.
        eventually_within(patience() * 3, "the device joins and says what it is", async || {
            (world.life(&self.thing).await["record"]["state"] == "onboarded").then_some(())
        })
        .await;
    }

    /// Switches it on, with these flags beside the usual ones.
    pub(crate) fn switch_on(&mut self, flags: &[&str]) {
        self.switch_on_in("commands", flags);
    }

    /// The same in another mode.
    pub(crate) fn switch_on_in(&mut self, mode: &str, flags: &[&str]) {
        let credentials = &self.made.credentials;
        let mut command = Command::new(program());
        command.args(["--device_name", self.thing.as_str(), "--endpoint", "localhost", "--mode", mode]);
        command.args(["--port", &self.mqtt_port.to_string()]).arg("--root_ca").arg(&credentials.root_ca);
        command.arg("--cert").arg(&credentials.cert).arg("--private").arg(&credentials.key);
        command.arg("--state").arg(&self.state).args(flags);
        command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        self.running = Some(command.spawn().unwrap());
    }

    /// Cuts its power, and waits until the cloud knows.
    pub(crate) async fn power_off(&mut self, world: &Newcomers) {
        self.running.take().unwrap().kill().await.unwrap();
        eventually("the device is gone", async || {
            (world.presence(&self.thing).await["connected"] == false).then_some(())
        })
        .await;
    }

    /// The ids of the commands that it remembers, in the order in which they came.
    pub(crate) fn commands(&self) -> Vec<String> {
        let kept: Vec<Value> =
            serde_json::from_slice(&std::fs::read(self.state.join("commands.json")).unwrap()).unwrap();
        kept.iter().map(|command| command["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Presses its button; what the program prints.
    pub(crate) async fn press(&self, flags: &[&str]) -> Value {
        self.local("press", flags).await.unwrap()
    }

    /// Carries a challenge to it; its answer, or the code of its refusal.
    pub(crate) async fn sign(&self, asked: &str) -> Result<Value, String> {
        self.local("sign", &[asked]).await
    }

    /// Resets it; whether the cloud was told.
    pub(crate) async fn reset(&self, wait: &str) -> bool {
        self.local("reset", &["--wait", wait]).await.unwrap()["told"].as_bool().unwrap()
    }

    /// Opens a sealed file, as a person does who has its key.
    pub(crate) async fn open(&self, key: &Path, to: &Path, sealed: &Path) -> Result<Value, String> {
        let mut command = Command::new(program());
        command.arg("open").arg("--key").arg(key).arg("--to").arg(to).arg(sealed);
        said(command).await
    }

    async fn local(&self, verb: &str, arguments: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(program());
        command.arg(verb).arg("--state").arg(&self.state).args(arguments);
        said(command).await
    }
}

/// What a command prints, or the code of its failure.
async fn said(mut command: Command) -> Result<Value, String> {
    let output = command.env("RUST_LOG", "info").output().await.unwrap();
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = log.split_once("code=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(code, _)| code.to_owned());
    Err(code.unwrap_or(log))
}

/// Where cargo puts the programs of the build that this test is of.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|folder| folder.parent()).unwrap().join("loam-device")
}
