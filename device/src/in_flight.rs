//! Which caller waits for which acknowledgement. Pure.
//!
//! rumqttc takes requests in order and says later which packet id each was given, so the order of hand-over is what
//! ties a caller to a packet id, and the packet id is what ties it to the broker's answer.

use std::collections::{HashMap, VecDeque};

/// Requests on one connection, from hand-over to the broker's answer.
#[derive(Debug)]
pub(crate) struct InFlight<W> {
    handed_over: VecDeque<W>,
    /// A request whose packet id is still in use; rumqttc sends nothing more until it is free.
    held_back: Option<W>,
    waiting: HashMap<u16, W>,
}

impl<W> InFlight<W> {
    pub(crate) fn new() -> Self {
        Self { handed_over: VecDeque::new(), held_back: None, waiting: HashMap::new() }
    }

    /// A request was given to rumqttc.
    pub(crate) fn hand_over(&mut self, waiter: W) {
        self.handed_over.push_back(waiter);
    }

    /// How many requests rumqttc has not yet written.
    pub(crate) fn unwritten(&self) -> usize {
        self.handed_over.len()
    }

    /// rumqttc keeps the oldest request back until its packet id is free.
    pub(crate) fn held_back(&mut self) {
        self.held_back = self.handed_over.pop_front();
    }

    /// The oldest request was written with this packet id. Packet id 0 needs no answer: its waiter comes back at once.
    pub(crate) fn written(&mut self, packet_id: u16) -> Option<W> {
        let waiter = self.held_back.take().or_else(|| self.handed_over.pop_front())?;
        if packet_id == 0 {
            return Some(waiter);
        }
        self.waiting.insert(packet_id, waiter);
        None
    }

    /// The broker answered this packet id.
    pub(crate) fn answered(&mut self, packet_id: u16) -> Option<W> {
        self.waiting.remove(&packet_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qos_0_request_is_done_once_it_is_written() {
        let mut in_flight = InFlight::new();
        in_flight.hand_over("a");
        assert_eq!(in_flight.written(0), Some("a"));
        assert_eq!(in_flight.unwritten(), 0);
    }

    #[test]
    fn a_qos_1_request_is_done_only_once_its_own_packet_id_is_answered() {
        let mut in_flight = InFlight::new();
        in_flight.hand_over("a");
        in_flight.hand_over("b");
        assert_eq!(in_flight.written(1), None);
        assert_eq!(in_flight.written(2), None);
        assert_eq!(in_flight.answered(2), Some("b"));
        assert_eq!(in_flight.answered(1), Some("a"));
        assert_eq!(in_flight.answered(1), None);
    }

    #[test]
    fn a_request_held_back_for_its_packet_id_gets_the_second_answer_to_it() {
        let mut in_flight = InFlight::new();
        in_flight.hand_over("old");
        assert_eq!(in_flight.written(1), None);
        in_flight.hand_over("new");
        in_flight.hand_over("next");
        in_flight.held_back();
        assert_eq!(in_flight.answered(1), Some("old"));
        assert_eq!(in_flight.written(1), None);
        assert_eq!(in_flight.written(2), None);
        assert_eq!(in_flight.answered(1), Some("new"));
        assert_eq!(in_flight.answered(2), Some("next"));
    }
}
