//! A broadcast whose first listener hears everything since the start.

use std::sync::Mutex;
use tokio::sync::broadcast;

/// How many items wait for a slow listener before it loses the oldest.
const CAPACITY: usize = 256;

/// The listening end of something that began before anybody could listen. Items that nobody takes are bounded.
#[derive(Debug)]
pub(crate) struct Outlet<T> {
    sender: broadcast::WeakSender<T>,
    first: Mutex<Option<broadcast::Receiver<T>>>,
}

impl<T: Clone> Outlet<T> {
    pub(crate) fn new() -> (broadcast::Sender<T>, Self) {
        let (sender, first) = broadcast::channel(CAPACITY);
        let outlet = Self { sender: sender.downgrade(), first: Mutex::new(Some(first)) };
        (sender, outlet)
    }

    /// The first call gets everything since the start, each later one what comes from now on. The receiver is closed
    /// once the sender is gone.
    pub(crate) fn listen(&self) -> broadcast::Receiver<T> {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        first.unwrap_or_else(|| match self.sender.upgrade() {
            Some(sender) => sender.subscribe(),
            None => broadcast::channel(1).1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_listener_hears_what_was_said_before_it_came_and_the_second_does_not() {
        let (sender, outlet) = Outlet::new();
        sender.send(1).unwrap();
        let (mut first, mut second) = (outlet.listen(), outlet.listen());
        assert_eq!(first.try_recv().unwrap(), 1);
        assert!(second.try_recv().is_err());
    }
}
