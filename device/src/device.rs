//! The device as its program sees it.

use crate::error::DeviceError;
use crate::event::Event;
use crate::identity::Identity;
use crate::message::{Message, QoS};
use crate::options::Options;
use crate::outlet::Outlet;
use crate::session::{Control, Session, Work};
use crate::subscriptions::Subscriptions;
use crate::topics;
use crate::wire::LARGEST_PAYLOAD;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Requests that wait for a connection.
const QUEUE: usize = 64;
/// Messages that wait for a slow subscriber before they are lost.
const INBOX: usize = 1024;

/// A device that stays connected until it is told otherwise.
///
/// Dropping it is pulling the plug: the connection ends without a goodbye and the broker publishes the last will.
#[derive(Debug)]
pub struct Device {
    thing: String,
    work: mpsc::Sender<Work>,
    control: mpsc::UnboundedSender<Control>,
    events: Outlet<Event>,
    unsolicited: Outlet<Message>,
    up: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

/// The messages that match one filter. Renewed after each reconnect. Dropping it gives the subscription up with the
/// present connection; until that ends, messages that still come are [unsolicited](Device::unsolicited).
#[derive(Debug)]
pub struct Subscription {
    filter: String,
    messages: mpsc::Receiver<Message>,
}

impl Subscription {
    /// What was subscribed to.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// The next message, or `None` once the device has ended. AWS delivers at least once: expect repeats.
    pub async fn recv(&mut self) -> Option<Message> {
        self.messages.recv().await
    }
}

impl Device {
    /// Starts connecting, and keeps connecting, in a task of its own. Returns at once: see [`connected`](Self::connected).
    ///
    /// # Errors
    /// [`DeviceError::KeepAlive`] if `options` asks for a keep-alive that AWS would change.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn connect(identity: &Identity, options: Options) -> Result<Self, DeviceError> {
        options.check()?;
        let (work, work_receiver) = mpsc::channel(QUEUE);
        let (control, control_receiver) = mpsc::unbounded_channel();
        let (events_sender, events) = Outlet::new();
        let (unsolicited_sender, unsolicited) = Outlet::new();
        let (up_sender, up) = watch::channel(false);
        let session = Session {
            identity: identity.clone(),
            options,
            work: work_receiver,
            control: control_receiver,
            events: events_sender,
            unsolicited: unsolicited_sender,
            up: up_sender,
            subscriptions: Subscriptions::default(),
            ever_connected: false,
        };
        let task = tokio::spawn(session.run());
        Ok(Self { thing: identity.thing().to_owned(), work, control, events, unsolicited, up, task })
    }

    /// The thing's name.
    #[must_use]
    pub fn thing(&self) -> &str {
        &self.thing
    }

    /// Waits until the device is connected and every subscription held from before is confirmed.
    ///
    /// # Errors
    /// [`DeviceError::Ended`] if it never will be.
    pub async fn connected(&self) -> Result<(), DeviceError> {
        self.up.clone().wait_for(|up| *up).await.map(|_| ()).map_err(|_| DeviceError::Ended)
    }

    /// Publishes, as soon as there is a connection. With [`QoS::AtLeastOnce`] it returns once the broker has
    /// acknowledged, with [`QoS::AtMostOnce`] once the message is written.
    ///
    /// # Errors
    /// [`DeviceError::PayloadTooLarge`] over 128 KiB, [`DeviceError::PacketTooLarge`] and [`DeviceError::Topic`],
    /// without sending anything;
    /// [`DeviceError::ConnectionLost`], [`DeviceError::PublishRefused`], [`DeviceError::Ended`].
    pub async fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>, qos: QoS) -> Result<(), DeviceError> {
        let payload = payload.into();
        if payload.len() > LARGEST_PAYLOAD {
            return Err(DeviceError::PayloadTooLarge { bytes: payload.len() });
        }
        if let Some(flaw) = topics::flaw(topic) {
            return Err(DeviceError::Topic { topic: topic.to_owned(), flaw });
        }
        let (done, answer) = oneshot::channel();
        self.ask(Work::Publish { topic: topic.to_owned(), payload, qos, done }).await?;
        answer.await.unwrap_or(Err(DeviceError::ConnectionLost))
    }

    /// Publishes, again and again while connections are lost, until it has succeeded as [`publish`](Self::publish)
    /// does. The broker may get the message more than once.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), but never [`DeviceError::ConnectionLost`].
    pub async fn deliver(&self, topic: &str, payload: &[u8], qos: QoS) -> Result<(), DeviceError> {
        loop {
            match self.publish(topic, payload, qos).await {
                Err(DeviceError::ConnectionLost) => self.connected().await?,
                outcome => return outcome,
            }
        }
    }

    /// Subscribes at QoS 1 and returns once the broker has confirmed.
    ///
    /// # Errors
    /// [`DeviceError::Topic`], [`DeviceError::SubscriptionRefused`], [`DeviceError::TooManySubscriptions`],
    /// [`DeviceError::Ended`].
    pub async fn subscribe(&self, filter: &str) -> Result<Subscription, DeviceError> {
        if !rumqttc::valid_filter(filter) || filter.len() > topics::LONGEST_TOPIC {
            let flaw = "it is empty, longer than 256 bytes, or has a wildcard in the wrong place";
            return Err(DeviceError::Topic { topic: filter.to_owned(), flaw });
        }
        let (sender, messages) = mpsc::channel(INBOX);
        let (done, answer) = oneshot::channel();
        self.ask(Work::Subscribe { filter: filter.to_owned(), messages: sender, done }).await?;
        answer.await.unwrap_or(Err(DeviceError::Ended))?;
        Ok(Subscription { filter: filter.to_owned(), messages })
    }

    /// Messages on topics that were never subscribed to: IoT Core's Direct Messaging sends such. The first call gets
    /// them since the start, later ones from now on; a listener 256 messages behind loses the oldest.
    pub fn unsolicited(&self) -> broadcast::Receiver<Message> {
        self.unsolicited.listen()
    }

    /// What happens to the connection. The first call gets everything since the start, later ones what comes from now
    /// on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.listen()
    }

    /// Cuts the connection without a goodbye, so that the broker publishes the last will, and returns once it is cut.
    /// The device comes back by itself after its back-off.
    pub async fn drop_connection(&self) {
        let (sender, cut) = oneshot::channel();
        if self.control.send(Control::Drop(sender)).is_ok() {
            let _ = cut.await;
        }
    }

    /// Says goodbye, so that the broker does not publish the last will, and ends. Publishes that are not yet
    /// acknowledged fail with [`DeviceError::ConnectionLost`].
    pub async fn disconnect(mut self) {
        if self.control.send(Control::Disconnect).is_ok() {
            let _ = (&mut self.task).await;
        }
    }

    /// Pulls the plug: ends without a goodbye, so that the broker publishes the last will, and does not come back.
    pub async fn power_off(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Waits until the device is not connected.
    pub(crate) async fn disconnected(&self) {
        // A closed channel means that the device has ended, which is disconnected as well.
        let _ = self.up.clone().wait_for(|up| !*up).await;
    }

    async fn ask(&self, work: Work) -> Result<(), DeviceError> {
        self.work.send(work).await.map_err(|_| DeviceError::Ended)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}
