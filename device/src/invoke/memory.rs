use super::Reply;
use std::collections::VecDeque;
use std::time::Duration;

/// How many calls a device remembers: more than can come within the 30 s that one is good for, at 100 messages a second
/// AWS's own limit, would be 3,000; a small device takes as many as it can be called in that time.
const PLACES: usize = 512;
/// How many answers it remembers: each may be as large as a message.
const ANSWERS: usize = 16;

/// The calls that came lately, so that a repeat is known for one, and what the last of them were answered.
#[derive(Debug, Default)]
pub struct Memory {
    calls: VecDeque<String>,
    answers: VecDeque<(String, Reply)>,
}

/// Whether a call came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is new, and remembered from now on.
    New,
    /// It came before: it is under way or done, and is not carried out again.
    Before,
}

impl Memory {
    /// Looks a call's id up, and remembers it.
    pub fn meet(&mut self, id: &str) -> Seen {
        if self.calls.iter().any(|known| known == id) {
            return Seen::Before;
        }
        if self.calls.len() == PLACES {
            self.calls.pop_front();
        }
        self.calls.push_back(id.to_owned());
        Seen::New
    }

    /// The call `id` was answered with this.
    pub fn answered(&mut self, id: String, answer: Reply) {
        if self.answers.len() == ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back((id, answer));
    }

    /// What to answer a repeat of the call `id`, at once; `None` while it is under way, and when its answer is forgotten.
    #[must_use]
    pub fn answer(&self, id: &str) -> Option<Reply> {
        let (_, answer) = self.answers.iter().find(|(known, _)| known == id)?;
        Some(Reply { after: Duration::ZERO, ..answer.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_new_once() {
        let mut memory = Memory::default();
        assert_eq!([memory.meet("a"), memory.meet("b"), memory.meet("a")], [Seen::New, Seen::New, Seen::Before]);
    }

    #[test]
    fn the_oldest_of_513_calls_is_forgotten_and_the_second_oldest_is_not() {
        let mut memory = Memory::default();
        for id in 0..513 {
            memory.meet(&id.to_string());
        }
        assert_eq!(memory.meet("1"), Seen::Before);
        assert_eq!(memory.meet("0"), Seen::New);
        assert_eq!(memory.calls.len(), PLACES);
    }

    #[test]
    fn a_repeat_is_answered_as_the_call_was_and_at_once_while_its_answer_is_one_of_the_last_16() {
        let reply = |word: &str| Reply {
            after: Duration::from_secs(9),
            topic: "p/i/t/m/ack".to_owned(),
            payload: word.as_bytes().to_vec(),
        };
        let mut memory = Memory::default();
        assert_eq!(memory.answer("0"), None, "it is under way");
        for id in 0..17 {
            memory.answered(id.to_string(), reply(&id.to_string()));
        }
        assert_eq!(memory.answer("1"), Some(Reply { after: Duration::ZERO, ..reply("1") }));
        assert_eq!(memory.answer("0"), None, "forgotten");
    }
}
