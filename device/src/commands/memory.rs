use super::behaviour::Word;
use crate::state::{State, StateError};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

const FILE: &str = "commands.json";
/// How many commands a device remembers.
const PLACES: usize = 256;

/// The commands that came lately. With a [`State`] it outlives a power cut, without one a lost connection only.
#[derive(Debug, Default)]
pub struct Memory {
    commands: VecDeque<Known>,
    state: Option<State>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Known {
    id: String,
    /// What was said of it at last; `None`: it is under way, or the power was cut before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Word>,
    #[serde(skip)]
    under_way: bool,
}

/// Whether a command came before.
#[derive(Debug, Clone, PartialEq)]
pub enum Met {
    /// It is new, and remembered from now on.
    New,
    /// It is under way.
    UnderWay,
    /// It came before, and this was said of it at last.
    Said(Word),
    /// It came before, and the power was cut before its end: nobody knows how far it came.
    Interrupted,
}

impl Memory {
    /// What the device with this memory knows.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn kept_in(state: State) -> Result<Self, StateError> {
        Ok(Self { commands: state.read(FILE)?.unwrap_or_default(), state: Some(state) })
    }

    /// Looks a command's id up, and remembers it before anything is done.
    ///
    /// # Errors
    /// [`StateError`]: the command must not run.
    pub fn meet(&mut self, id: &str) -> Result<Met, StateError> {
        if let Some(known) = self.commands.iter().find(|known| known.id == id) {
            return Ok(match &known.last {
                Some(word) => Met::Said(word.clone()),
                None if known.under_way => Met::UnderWay,
                None => Met::Interrupted,
            });
        }
        while self.commands.len() >= PLACES {
            self.commands.pop_front();
        }
        self.commands.push_back(Known { id: id.to_owned(), last: None, under_way: true });
        self.keep().map(|()| Met::New)
    }

    /// This is the last that is said of the command `id`.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn said(&mut self, id: &str, word: Word) -> Result<(), StateError> {
        if let Some(known) = self.commands.iter_mut().find(|known| known.id == id) {
            known.last = Some(word);
        }
        self.keep()
    }

    fn keep(&self) -> Result<(), StateError> {
        self.state.as_ref().map_or(Ok(()), |state| state.write(FILE, &self.commands))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::Place;
    use serde_json::json;

    fn done() -> Word {
        Word { word: "succeeded".to_owned(), payload: json!({"result": 1}) }
    }

    #[test]
    fn a_command_is_new_once_and_what_was_said_of_it_is_known() {
        let mut memory = Memory::default();
        assert_eq!(memory.meet("a").unwrap(), Met::New);
        assert_eq!(memory.meet("a").unwrap(), Met::UnderWay);
        memory.said("a", done()).unwrap();
        assert_eq!(memory.meet("a").unwrap(), Met::Said(done()));
    }

    #[test]
    fn a_power_cut_forgets_neither_what_was_done_nor_what_was_begun() {
        let place = Place::new("commands");
        let mut memory = Memory::kept_in(place.state()).unwrap();
        for id in ["done", "begun"] {
            assert_eq!(memory.meet(id).unwrap(), Met::New);
        }
        memory.said("done", done()).unwrap();
        let mut memory = Memory::kept_in(place.state()).unwrap();
        assert_eq!(memory.meet("done").unwrap(), Met::Said(done()));
        assert_eq!(memory.meet("begun").unwrap(), Met::Interrupted);
        assert_eq!(memory.meet("new").unwrap(), Met::New);
    }

    #[test]
    fn the_oldest_of_257_commands_is_forgotten_and_the_second_oldest_is_not() {
        let mut memory = Memory::default();
        for id in 0..257 {
            memory.meet(&id.to_string()).unwrap();
        }
        assert_eq!(memory.meet("1").unwrap(), Met::UnderWay);
        assert_eq!(memory.meet("0").unwrap(), Met::New);
        assert_eq!(memory.commands.len(), PLACES);
    }
}
