//! Who gets which message.

use crate::error::DeviceError;
use crate::message::Message;
use crate::topics;
use tokio::sync::{mpsc, oneshot};

/// How many subscriptions AWS IoT Core allows one connection.
pub(crate) const MOST_SUBSCRIPTIONS: usize = 50;

/// The subscriptions of a device; they outlive its connections.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    filter: String,
    messages: mpsc::Sender<Message>,
    /// Who waits for the broker's first answer.
    waiter: Option<oneshot::Sender<Result<(), DeviceError>>>,
}

impl Subscriptions {
    /// Remembers a subscription; `waiter` is told the broker's first answer.
    pub(crate) fn add(
        &mut self,
        filter: String,
        messages: mpsc::Sender<Message>,
        waiter: oneshot::Sender<Result<(), DeviceError>>,
    ) {
        self.forget_abandoned();
        self.0.push(Entry { filter, messages, waiter: Some(waiter) });
    }

    /// Whether the broker would refuse one more.
    pub(crate) fn is_full(&mut self) -> bool {
        self.forget_abandoned();
        self.0.len() >= MOST_SUBSCRIPTIONS
    }

    /// What to ask the broker for on a new connection.
    pub(crate) fn filters(&mut self) -> Vec<String> {
        self.forget_abandoned();
        let mut filters: Vec<_> = self.0.iter().map(|entry| entry.filter.clone()).collect();
        filters.sort();
        filters.dedup();
        filters
    }

    /// The broker answered: `refusal` names its reason if it said no, and the subscription is forgotten.
    pub(crate) fn answered(&mut self, filter: &str, refusal: Option<&str>) {
        for entry in self.0.iter_mut().filter(|entry| entry.filter == filter) {
            let answer = match refusal {
                None => Ok(()),
                Some(reason) => {
                    Err(DeviceError::SubscriptionRefused { filter: filter.to_owned(), reason: reason.to_owned() })
                }
            };
            // Nobody is told twice, and nobody has to listen.
            let _ = entry.waiter.take().map(|waiter| waiter.send(answer));
        }
        if refusal.is_some() {
            self.0.retain(|entry| entry.filter != filter);
        }
    }

    /// Hands a message to every subscription that matches it; gives it back if there is none.
    pub(crate) fn deliver(&mut self, message: Message) -> Option<Message> {
        self.forget_abandoned();
        let mut wanted = false;
        for entry in self.0.iter().filter(|entry| topics::matches(&entry.filter, &message.topic)) {
            wanted = true;
            if entry.messages.try_send(message.clone()).is_err() {
                tracing::warn!(filter = %entry.filter, "subscriber too slow: message lost");
            }
        }
        if wanted { None } else { Some(message) }
    }

    fn forget_abandoned(&mut self) {
        self.0.retain(|entry| !entry.messages.is_closed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str) -> Message {
        let topic = topic.to_owned();
        Message { topic, payload: vec![], response_topic: None, correlation_data: None, duplicate: false }
    }

    fn subscribe(to: &mut Subscriptions, filter: &str) -> mpsc::Receiver<Message> {
        let (sender, receiver) = mpsc::channel(2);
        to.add(filter.to_owned(), sender, oneshot::channel().0);
        receiver
    }

    #[test]
    fn a_message_goes_to_every_subscription_that_matches_and_to_no_other() {
        let mut table = Subscriptions::default();
        let mut wide = subscribe(&mut table, "a/#");
        let mut exact = subscribe(&mut table, "a/b");
        let mut other = subscribe(&mut table, "c");
        assert_eq!(table.deliver(message("a/b")), None);
        assert!(wide.try_recv().is_ok() && exact.try_recv().is_ok() && other.try_recv().is_err());
    }

    #[test]
    fn a_message_that_nobody_subscribed_to_comes_back() {
        let mut table = Subscriptions::default();
        let _kept = subscribe(&mut table, "a");
        assert_eq!(table.deliver(message("b")), Some(message("b")));
    }

    #[test]
    fn a_subscription_that_was_given_up_is_not_renewed() {
        let mut table = Subscriptions::default();
        let _kept = subscribe(&mut table, "kept");
        drop(subscribe(&mut table, "given/up"));
        assert_eq!(table.filters(), ["kept"]);
    }

    #[test]
    fn a_refused_subscription_tells_its_waiter_and_is_not_renewed() {
        let mut table = Subscriptions::default();
        let (waiter, mut answer) = oneshot::channel();
        let (sender, _receiver) = mpsc::channel(1);
        table.add("x".to_owned(), sender, waiter);
        table.answered("x", Some("NotAuthorized"));
        assert_eq!(answer.try_recv().unwrap().unwrap_err().code(), "subscription-refused");
        assert!(table.filters().is_empty());
    }

    #[test]
    fn the_fiftieth_subscription_fits_and_the_next_does_not() {
        let mut table = Subscriptions::default();
        let mut held: Vec<_> = (0..49).map(|n| subscribe(&mut table, &n.to_string())).collect();
        assert!(!table.is_full());
        held.push(subscribe(&mut table, "49"));
        assert!(table.is_full());
    }
}
