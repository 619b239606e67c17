//! One test's world: a device of its own that answers calls, and an invoker under the function's own role.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use loam_device::invoke::{Call, Listen, Reply, carry_out, serve};
use loam_device::{Device, Files, Identity, Options};
use loam_domain::{ThingName, Timestamp};
use loam_kit::{Stack, eventually, join, now, unique_thing};

use sync_invoke::{Called, Config, Invoker, Outcome, Request, Target};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) config: Config,
    pub(crate) invoker: Invoker,
    pub(crate) thing: ThingName,
    pub(crate) cable: Cable,
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
        let cable = Cable::to(&stack.endpoint).await;
        let mut config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        config.address = config.address.dialled_at(Some(&cable.endpoint()));
        let sdk = stack.role_of(function, &stack.endpoint).await;
        let invoker = Invoker::new(&sdk, &config, clock);
        Self { invoker, config, thing: unique_thing(purpose), stack, cable }
    }

    async fn connected(&self, thing: &ThingName) -> Device {
        let joined = join(&self.stack, &[thing.as_str()]).await.remove(0);
        let files = Files { root_ca: joined.root_ca, certificate: joined.cert, private_key: joined.key };
        let identity = Identity::load(thing.as_str(), "localhost", self.stack.mqtt_port, &files).unwrap();
        let device = Device::connect(&identity, Options::default()).unwrap();
        device.connected().await.unwrap();
        device
    }

    /// The simulated device, hearing calls by Direct Messaging alone.
    pub(crate) async fn answering(&self) -> Answering {
        self.serving(&self.thing, Listen::Direct, carry_out).await
    }

    /// A device with such methods.
    pub(crate) async fn serving(
        &self,
        thing: &ThingName,
        listen: Listen,
        methods: impl Fn(&Call) -> Vec<Reply> + Send + 'static,
    ) -> Answering {
        let device = self.connected(thing).await;
        let ready = match listen {
            Listen::Direct => None,
            // What `serve` subscribes to is granted in order: once this is, that is as well.
            Listen::Subscribed => Some(format!("{thing}/ready")),
        };
        let (told, is_ready) = tokio::sync::oneshot::channel();
        let serving = tokio::spawn(async move {
            let waiting = async {
                if let Some(filter) = &ready {
                    device.subscribe(filter).await.unwrap();
                }
                told.send(()).unwrap();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                served = serve(&device, listen, methods) => drop(served.unwrap()),
                () = waiting => {}
            }
        });
        is_ready.await.unwrap();
        Answering(serving)
    }

    /// The same stack and device, called by another invoker: as `config`, under the administrator's key, as the role may only
    /// do what its stack was told.
    pub(crate) async fn called_as(self, config: Config) -> Self {
        let sdk = self.stack.admin().await;
        Self { invoker: Invoker::new(&sdk, &config, clock), config, ..self }
    }

    pub(crate) fn request(&self, method: &str, request: &str, seconds: f64) -> Request {
        let target = Target::parse(&self.config.prefix, self.thing.as_str(), method).unwrap();
        let budget = Duration::from_secs_f64(seconds);
        Request {
            target,
            request: request.to_owned(),
            id: None,
            budget,
            connect_budget: Duration::ZERO,
            response_budget: budget,
            ends_on_malformed: true,
        }
    }

    pub(crate) async fn call(&self, method: &str, request: &str, seconds: f64) -> Called {
        self.invoker.call(&self.request(method, request, seconds)).await
    }
}

/// The outcome in words, with what was answered.
pub(crate) fn told(called: &Called) -> String {
    if let Outcome::Answered(answer) = &called.outcome {
        return format!("{} {}", answer.status, answer.response.as_ref().map_or("nothing", |raw| raw.get()));
    }
    called.outcome.word().to_owned()
}

/// A clock that can be put forward, as it is when an environment was frozen; one a process, and so one a test.
static AHEAD: AtomicI64 = AtomicI64::new(0);

pub(crate) fn thaw_after(frozen: Duration) {
    AHEAD.fetch_add(i64::try_from(frozen.as_millis()).unwrap(), Ordering::SeqCst);
}

fn clock() -> Timestamp {
    now().plus_millis(AHEAD.load(Ordering::SeqCst))
}

/// What stands between the invoker and the broker: it can be cut, and put together again.
pub(crate) struct Cable {
    port: u16,
    cut: watch::Sender<u64>,
    opened: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Cable {
    async fn to(endpoint: &str) -> Self {
        let broker = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, cuts) = watch::channel(0);
        let opened = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicUsize::new(0));
        let (count, over) = (Arc::clone(&opened), Arc::clone(&ended));
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (broker, mut cuts, over) = (broker.clone(), cuts.clone(), Arc::clone(&over));
                cuts.mark_unchanged();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(broker).await.unwrap();
                    far.set_nodelay(true).unwrap();
                    near.set_nodelay(true).unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = cuts.changed() => {}
                    }
                    drop((near, far));
                    over.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, cut, opened, ended }
    }

    /// Where it begins.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends every connection, as a broker that restarts does.
    pub(crate) async fn cut(&self) {
        let opened = self.opened();
        self.cut.send_modify(|cuts| *cuts += 1);
        eventually("the cut connections end", async || (self.ended.load(Ordering::SeqCst) >= opened).then_some(()))
            .await;
    }

    /// How many connections there ever were.
    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}
