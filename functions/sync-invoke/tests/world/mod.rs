//! One test's world: a device of its own that answers calls, and an invoker under the function's own role.

use std::time::Duration;

use loam_device::invoke::{Listen, serve};
use loam_device::{Device, Files, Identity, Options};
use loam_domain::ThingName;
use loam_kit::{Stack, join, now, unique_thing};

use sync_invoke::{Called, Config, Invoker, Request, Target};
use tokio::task::JoinHandle;

pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) config: Config,
    pub(crate) invoker: Invoker,
    pub(crate) thing: ThingName,
}

/// A device that is connected and answers calls until it is dropped.
pub(crate) struct Answering(JoinHandle<()>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl World {
    pub(crate) async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("SyncInvoke");
        let endpoint = stack.endpoint.clone();
        let lookup = |name: &str| match name {
            "AWS_ENDPOINT_URL" => Some(endpoint.clone()),
            _ => function.variable(name),
        };
        let config = Config::from_lookup(&lookup).unwrap();
        let sdk = stack.role_of(function, &stack.endpoint).await;
        let invoker = Invoker::new(&sdk, &config, now);
        Self { invoker, config, thing: unique_thing(purpose), stack }
    }

    /// Another environment of the same function.
    pub(crate) async fn environment(&self) -> Invoker {
        let function = self.stack.function("SyncInvoke");
        Invoker::new(&self.stack.role_of(function, &self.stack.endpoint).await, &self.config, now)
    }

    pub(crate) async fn connected(&self) -> Device {
        let joined = join(&self.stack, &[self.thing.as_str()]).await.remove(0);
        let files = Files { root_ca: joined.root_ca, certificate: joined.cert, private_key: joined.key };
        let identity = Identity::load(self.thing.as_str(), "localhost", self.stack.mqtt_port, &files).unwrap();
        let device = Device::connect(&identity, Options::default()).unwrap();
        device.connected().await.unwrap();
        device
    }

    /// The simulated device, hearing calls by Direct Messaging alone.
    pub(crate) async fn answering(&self) -> Answering {
        let device = self.connected().await;
        Answering(tokio::spawn(async move {
            serve(&device, Listen::Direct, loam_device::invoke::carry_out).await.unwrap();
        }))
    }

    pub(crate) fn request(&self, method: &str, request: &str, seconds: f64) -> Request {
        let target = Target::parse(&self.config.prefix, self.thing.as_str(), method).unwrap();
        let budget = Duration::from_secs_f64(seconds);
        Request { target, request: request.to_owned(), budget, ends_on_malformed: true }
    }

    pub(crate) async fn call(&self, method: &str, request: &str, seconds: f64) -> Called {
        self.invoker.call(&self.request(method, request, seconds)).await
    }
}

/// The outcome in words, with what was answered.
pub(crate) fn told(called: &Called) -> String {
    match &called.outcome {
        sync_invoke::Outcome::Answered(answer) => {
            format!("{} {}", answer.status, answer.response.as_ref().map_or("nothing", |raw| raw.get()))
        }
        outcome => outcome.word().to_owned(),
    }
}
