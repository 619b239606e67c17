use std::collections::VecDeque;

/// How many calls a device remembers: more than can come within the 30 s that one is good for, at 100 messages a second
/// AWS's own limit, would be 3,000; a small device takes as many as it can be called in that time.
const PLACES: usize = 512;

/// The calls that came lately, so that a repeat is known for one.
#[derive(Debug, Default)]
pub struct Memory(VecDeque<String>);

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
        if self.0.iter().any(|known| known == id) {
            return Seen::Before;
        }
        if self.0.len() == PLACES {
            self.0.pop_front();
        }
        self.0.push_back(id.to_owned());
        Seen::New
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
        assert_eq!(memory.0.len(), PLACES);
    }
}
