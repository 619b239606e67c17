//! The ids of calls that a session is subscribed to ahead: pure.

use std::collections::VecDeque;

/// AWS takes this many filters in one SUBSCRIBE or UNSUBSCRIBE.
pub(crate) const BATCH: usize = 8;
/// AWS takes this many subscriptions a connection.
const MOST: usize = 50;
/// When so few ids are left, the next ones are ordered, in the shadow of a call's own wait.
const LOW: usize = 2;

/// What to ask of the broker: at most [`BATCH`] filters each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Order {
    pub(crate) subscribe: Vec<String>,
    pub(crate) unsubscribe: Vec<String>,
}

/// The ids of one session.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Subscribed, and free.
    ready: VecDeque<String>,
    /// Ordered: their SUBACK has not come.
    ordered: Vec<String>,
    /// Subscribed, and some call's.
    in_use: usize,
    /// Subscribed, and no call's any more.
    spent: VecDeque<String>,
}

impl Ahead {
    /// A free id, which is the caller's until [`give_back`](Self::give_back).
    pub(crate) fn take(&mut self) -> Option<String> {
        let id = self.ready.pop_front()?;
        self.in_use += 1;
        Some(id)
    }

    /// The call is over. Its id is never used again; the subscription ends with the next order.
    pub(crate) fn give_back(&mut self, id: String) {
        self.in_use = self.in_use.saturating_sub(1);
        self.spent.push_back(id);
    }

    /// What to order now, with ids from `fresh`; `None` while there are enough, or while an order is under way.
    pub(crate) fn order(&mut self, fresh: impl FnMut() -> String) -> Option<Order> {
        if self.ready.len() > LOW || !self.ordered.is_empty() {
            return None;
        }
        let unsubscribe: Vec<_> = self.spent.drain(..self.spent.len().min(BATCH)).collect();
        let room = MOST.saturating_sub(self.subscriptions()).min(BATCH);
        self.ordered = std::iter::repeat_with(fresh).take(room).collect();
        let order = Order { subscribe: self.ordered.clone(), unsubscribe };
        (order != Order::default()).then_some(order)
    }

    /// The broker granted the order.
    pub(crate) fn granted(&mut self) {
        self.ready.extend(self.ordered.drain(..));
    }

    /// A call that brings its id along: it lost its session, or is a repeat. If an earlier try of it ended here, its filter
    /// is not to be unsubscribed from any more.
    pub(crate) fn adopt(&mut self, id: &str) {
        self.in_use += 1;
        self.spent.retain(|spent| spent != id);
    }

    /// Whether there is a free id.
    pub(crate) fn has_ids(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many filters the broker holds for this session at most.
    pub(crate) fn subscriptions(&self) -> usize {
        self.ready.len() + self.ordered.len() + self.in_use + self.spent.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting() -> impl FnMut() -> String {
        let mut next = 0;
        move || {
            next += 1;
            format!("id{next}")
        }
    }

    #[test]
    fn the_first_order_is_eight_ids_and_the_next_comes_when_two_are_left() {
        let (mut ahead, mut fresh) = (Ahead::default(), counting());
        assert_eq!(ahead.order(&mut fresh).unwrap().subscribe.len(), 8);
        assert_eq!(ahead.order(&mut fresh), None, "an order is under way");
        ahead.granted();
        for _ in 0..5 {
            ahead.take().unwrap();
        }
        assert_eq!(ahead.order(&mut fresh), None, "three are left");
        ahead.take().unwrap();
        assert_eq!(ahead.order(&mut fresh).unwrap().subscribe.len(), 8);
    }

    #[test]
    fn spent_ids_are_unsubscribed_eight_at_a_time_with_the_next_order() {
        let (mut ahead, mut fresh) = (Ahead::default(), counting());
        for _ in 0..3 {
            ahead.order(&mut fresh);
            ahead.granted();
            while let Some(id) = ahead.take() {
                ahead.give_back(id);
            }
        }
        assert_eq!(ahead.spent.len(), 24 - 16);
        assert_eq!(ahead.order(&mut fresh).unwrap().unsubscribe.len(), 8);
    }

    #[test]
    fn an_id_that_comes_again_is_not_unsubscribed_from_while_it_is_in_use() {
        let (mut ahead, mut fresh) = (Ahead::default(), counting());
        ahead.adopt("again");
        ahead.give_back("again".to_owned());
        ahead.adopt("again");
        let order = ahead.order(&mut fresh).unwrap();
        assert_eq!((order.unsubscribe.len(), ahead.subscriptions()), (0, 9));
        ahead.granted();
        ahead.give_back("again".to_owned());
        while ahead.take().is_some() {}
        assert_eq!(ahead.order(&mut fresh).unwrap().unsubscribe, ["again"]);
    }

    #[test]
    fn no_session_ever_holds_more_than_fifty_subscriptions() {
        let (mut ahead, mut fresh) = (Ahead::default(), counting());
        for _ in 0..100 {
            ahead.order(&mut fresh);
            ahead.granted();
            ahead.take();
            assert!(ahead.subscriptions() <= 50, "{ahead:?}");
        }
        assert!(ahead.take().is_none(), "every id is some call's");
    }

    #[test]
    fn ten_thousand_calls_one_after_the_other_leave_no_more_than_a_few_subscriptions() {
        let (mut ahead, mut fresh) = (Ahead::default(), counting());
        for _ in 0..10_000 {
            if ahead.order(&mut fresh).is_some() {
                ahead.granted();
            }
            let id = ahead.take().unwrap();
            ahead.give_back(id);
            assert!(ahead.subscriptions() <= 24, "{}", ahead.subscriptions());
        }
    }
}
