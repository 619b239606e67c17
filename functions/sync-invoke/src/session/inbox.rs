use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loam_domain::Timestamp;
use tokio::sync::{Notify, mpsc};

use super::ahead::{Ahead, Order};
use super::rule::Facts;
use crate::answer::{AnswerTopic, judge};
use crate::{Prefix, Target, Verdict};

/// Messages of one call that wait for it: its answer, and a few that are none.
const WAITING: usize = 4;

/// What one session knows: its ids, and who waits for which answer.
#[derive(Debug)]
pub(super) struct Inbox {
    prefix: Prefix,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    facts: Facts,
    ahead: Ahead,
    calls: HashMap<String, Waiter>,
    /// SUBSCRIBEs that were handed to the MQTT client and are not written yet, and those whose SUBACK has not come.
    unwritten: VecDeque<Asked>,
    unanswered: HashMap<u16, Asked>,
    /// Whether the broker ever refused one.
    refused: bool,
}

/// What a SUBSCRIBE was for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The next ids.
    Ahead,
    /// The id that a call brought along.
    Adopted(String),
}

#[derive(Debug)]
struct Waiter {
    target: Target,
    sender: mpsc::Sender<Verdict>,
    granted: bool,
}

/// A call that waits for its answer. Dropping it ends the wait and gives its id back.
#[derive(Debug)]
pub struct Waiting {
    id: String,
    target: Target,
    inbox: Arc<Inbox>,
    heard: mpsc::Receiver<Verdict>,
}

impl Waiting {
    /// The call's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is called.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The next message that concerns this call; `None` once the session is lost.
    pub async fn heard(&mut self) -> Option<Verdict> {
        self.heard.recv().await
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.inbox.over(&self.id);
    }
}

impl Inbox {
    pub(super) fn new(prefix: Prefix, facts: Facts) -> Self {
        let state = State {
            facts,
            ahead: Ahead::default(),
            calls: HashMap::new(),
            unwritten: VecDeque::new(),
            unanswered: HashMap::new(),
            refused: false,
        };
        Self { prefix, state: Mutex::new(state), changed: Notify::new() }
    }

    /// A panic elsewhere leaves nothing half-done here: each change is one statement.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn facts(&self) -> Facts {
        self.state().facts
    }

    pub(super) fn is_refused(&self) -> bool {
        self.state().refused
    }

    /// Whether a call could begin now.
    pub(super) fn has_ids(&self) -> bool {
        self.state().ahead.has_ids()
    }

    /// The filter that hears the answers to the call `id`.
    pub(super) fn filter(&self, id: &str) -> String {
        self.prefix.answers_to(id)
    }

    /// How many calls wait, and how many subscriptions the broker may hold.
    pub(super) fn load(&self) -> (usize, usize) {
        let state = self.state();
        (state.calls.len(), state.ahead.subscriptions())
    }

    /// Resolves when something changed since this was called.
    pub(super) fn changed(&self) -> impl Future<Output = ()> + '_ {
        self.changed.notified()
    }

    /// Takes an id for a call of `target`, if one is free.
    pub(super) fn wait_for(self: &Arc<Self>, target: &Target) -> Option<Waiting> {
        let mut state = self.state();
        let id = state.facts.alive.then(|| state.ahead.take()).flatten()?;
        let (sender, heard) = mpsc::channel(WAITING);
        state.calls.insert(id.clone(), Waiter { target: target.clone(), sender, granted: true });
        drop(state);
        Some(Waiting { id, target: target.clone(), inbox: Arc::clone(self), heard })
    }

    /// Lets a call of `target` wait here under an id of its own; its filter is to be subscribed to.
    pub(super) fn adopt(self: &Arc<Self>, id: &str, target: &Target) -> Waiting {
        let (sender, heard) = mpsc::channel(WAITING);
        let mut state = self.state();
        state.ahead.adopt(id);
        state.calls.insert(id.to_owned(), Waiter { target: target.clone(), sender, granted: false });
        drop(state);
        Waiting { id: id.to_owned(), target: target.clone(), inbox: Arc::clone(self), heard }
    }

    /// What to ask the broker for now; notes that it is asked.
    pub(super) fn order(&self) -> Option<Order> {
        let mut state = self.state();
        let order = state.ahead.order(|| uuid::Uuid::new_v4().to_string())?;
        if !order.subscribe.is_empty() {
            state.unwritten.push_back(Asked::Ahead);
        }
        Some(order)
    }

    pub(super) fn asked(&self, asked: Asked) {
        self.state().unwritten.push_back(asked);
    }

    /// Whether the broker has granted the subscription of an adopted call.
    pub(super) fn is_granted(&self, id: &str) -> bool {
        self.state().calls.get(id).is_some_and(|waiter| waiter.granted)
    }

    /// A SUBSCRIBE was written.
    pub(super) fn written(&self, packet: u16) {
        let mut state = self.state();
        if let Some(asked) = state.unwritten.pop_front() {
            state.unanswered.insert(packet, asked);
        }
    }

    /// A SUBACK came.
    pub(super) fn answered(&self, packet: u16, granted: bool) {
        let mut state = self.state();
        match (state.unanswered.remove(&packet), granted) {
            (Some(_), false) => {
                state.refused = true;
                end(&mut state);
            }
            (Some(Asked::Ahead), true) => state.ahead.granted(),
            (Some(Asked::Adopted(id)), true) => {
                if let Some(waiter) = state.calls.get_mut(&id) {
                    waiter.granted = true;
                }
            }
            (None, _) => {}
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The broker was heard at `now`. False when that came after so long a silence that the session is not trusted.
    pub(super) fn heard(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        if state.facts.is_silent(now) {
            return false;
        }
        state.facts.heard = now;
        true
    }

    /// A message came: to the call that waits for it, or to nobody. An answer is handed over once.
    pub(super) fn received(&self, topic: &str, payload: &[u8]) {
        let Some(topic) = AnswerTopic::parse(self.prefix.as_str(), topic) else { return count("ForeignAnswers") };
        let mut state = self.state();
        let Some(waiter) = state.calls.get(topic.id) else { return count("LateAnswers") };
        match judge(&waiter.target, topic.id, topic, payload) {
            Verdict::Foreign => count("ForeignAnswers"),
            // A call that is flooded with what is no answer hears the first few: the last place is the answer's.
            Verdict::Malformed => {
                count("MalformedAnswers");
                if waiter.sender.capacity() > 1 {
                    drop(waiter.sender.try_send(Verdict::Malformed));
                }
            }
            Verdict::Answer(answer) => {
                drop(waiter.sender.try_send(Verdict::Answer(answer)));
                state.calls.remove(topic.id);
            }
        }
    }

    /// The connection has ended: nobody will hear anything here any more.
    pub(super) fn lost(&self) {
        end(&mut self.state());
        self.changed.notify_waiters();
    }

    fn over(&self, id: &str) {
        let mut state = self.state();
        state.calls.remove(id);
        state.ahead.give_back(id.to_owned());
        drop(state);
        // Somebody may wait for an id while all that one session may have are in use.
        self.changed.notify_waiters();
    }
}

/// Dropping the waiters' senders tells each call that its session is lost.
fn end(state: &mut State) {
    state.facts.alive = false;
    state.calls.clear();
}

fn count(what: &'static str) {
    metrics::counter!(what).increment(1);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn inbox() -> Arc<Inbox> {
        let at = Timestamp::from_millis(0);
        let keep_alive = Duration::from_secs(30);
        let facts = Facts { alive: true, opened: at, heard: at, credentials_end: None, keep_alive };
        let inbox = Arc::new(Inbox::new(Prefix::parse("p").unwrap(), facts));
        assert_eq!(inbox.order().unwrap().subscribe.len(), 8);
        inbox.written(1);
        inbox.answered(1, true);
        inbox
    }

    fn target(thing: &str) -> Target {
        Target::parse(&Prefix::parse("p").unwrap(), thing, "m").unwrap()
    }

    fn answer(inbox: &Inbox, id: &str, thing: &str, said: &str) {
        inbox.received(&format!("p/{id}/{thing}/m/ack"), format!(r#"{{"id":"{said}"}}"#).as_bytes());
    }

    #[tokio::test]
    async fn an_answer_reaches_its_call_once_and_a_second_one_nobody() {
        let inbox = inbox();
        let mut waiting = inbox.wait_for(&target("t1")).unwrap();
        let id = waiting.id().to_owned();
        answer(&inbox, &id, "t1", &id);
        answer(&inbox, &id, "t1", &id);
        assert!(matches!(waiting.heard().await, Some(Verdict::Answer(_))));
        assert!(waiting.heard().await.is_none(), "nothing comes after the answer");
    }

    #[tokio::test]
    async fn an_answer_of_another_thing_or_call_reaches_nobody() {
        let inbox = inbox();
        let mut waiting = inbox.wait_for(&target("t1")).unwrap();
        let id = waiting.id().to_owned();
        answer(&inbox, &id, "t2", &id);
        answer(&inbox, "other", "t1", &id);
        answer(&inbox, &id, "t1", "other");
        inbox.received("something/else", b"{}");
        answer(&inbox, &id, "t1", &id);
        assert!(matches!(waiting.heard().await, Some(Verdict::Answer(_))));
    }

    #[test]
    fn a_call_that_is_over_leaves_nothing_behind_and_its_late_answer_reaches_nobody() {
        let inbox = inbox();
        let waiting = inbox.wait_for(&target("t1")).unwrap();
        let id = waiting.id().to_owned();
        assert_eq!(inbox.load().0, 1);
        drop(waiting);
        answer(&inbox, &id, "t1", &id);
        assert_eq!(inbox.load(), (0, 8));
    }

    #[tokio::test]
    async fn a_thousand_messages_that_are_no_answer_cost_a_call_three_places_and_not_its_answer() {
        let inbox = inbox();
        let mut waiting = inbox.wait_for(&target("t1")).unwrap();
        let topic = format!("p/{}/t1/m/ack", waiting.id());
        for _ in 0..1000 {
            inbox.received(&topic, b"no JSON");
        }
        let id = waiting.id().to_owned();
        answer(&inbox, &id, "t1", &id);
        for _ in 0..3 {
            assert!(matches!(waiting.heard().await, Some(Verdict::Malformed)));
        }
        assert!(matches!(waiting.heard().await, Some(Verdict::Answer(_))));
    }

    #[tokio::test]
    async fn a_lost_session_tells_its_calls_and_takes_no_more() {
        let inbox = inbox();
        let mut waiting = inbox.wait_for(&target("t1")).unwrap();
        inbox.lost();
        assert!(waiting.heard().await.is_none());
        assert!(inbox.wait_for(&target("t1")).is_none());
    }

    #[tokio::test]
    async fn a_call_goes_on_under_its_id_in_the_next_session() {
        let (old, new) = (inbox(), inbox());
        let lost = old.wait_for(&target("t1")).unwrap();
        old.lost();
        let mut waiting = new.adopt(lost.id(), lost.target());
        new.asked(Asked::Adopted(lost.id().to_owned()));
        new.written(2);
        assert!(!new.is_granted(lost.id()));
        new.answered(2, true);
        assert!(new.is_granted(lost.id()));
        answer(&new, lost.id(), "t1", lost.id());
        assert!(matches!(waiting.heard().await, Some(Verdict::Answer(_))));
    }

    #[test]
    fn what_is_heard_after_too_long_a_silence_is_no_sign_of_life() {
        let inbox = inbox();
        assert!(inbox.heard(Timestamp::from_millis(31_000)));
        assert!(inbox.heard(Timestamp::from_millis(62_000)));
        assert!(!inbox.heard(Timestamp::from_millis(93_001)));
    }

    #[test]
    fn a_refused_subscription_ends_the_session() {
        let inbox = inbox();
        (0..6).for_each(|_| drop(inbox.wait_for(&target("t1"))));
        assert!(inbox.order().is_some());
        inbox.written(2);
        inbox.answered(2, false);
        assert!(inbox.is_refused() && !inbox.facts().alive);
    }
}
