//! The device's button and its reset, from the finger to the cloud: remembered until it is told.

use super::Signing;
use crate::state::{State, StateError};
use jiff::Timestamp;
use loam_domain::pairing::claim_code::ClaimCode;
use loam_domain::pairing::press::{MOST_SECONDS, Press};
use loam_domain::pairing::reset::Reset;
use serde::{Deserialize, Serialize};

const PRESSED: &str = "pressed.json";
const RESET: &str = "reset.json";

/// A reset that is told within this time, in milliseconds, concerns whoever owns the device now, and needs no epoch to say
/// whose time it was meant for. Shorter than the pause between two owners' times.
const FRESH_MILLIS: i64 = 30_000;

/// What the device's buttons left to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button(State);

/// The button was pressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pressed {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// For how long it opens the window, in seconds; 0 closes it.
    pub seconds: i64,
    /// What the device shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Wiped {
    at: i64,
    /// The epoch that the device had signed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Which button.
    pub word: Word,
    /// The payload of its message.
    pub payload: String,
    /// When it was pressed: another time is another press.
    at: i64,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The window.
    Window,
    /// The reset.
    Reset,
}

impl Word {
    const fn file(self) -> &'static str {
        match self {
            Self::Window => PRESSED,
            Self::Reset => RESET,
        }
    }
}

impl Button {
    /// The buttons of the device with this memory.
    #[must_use]
    pub const fn of(state: State) -> Self {
        Self(state)
    }

    /// Somebody presses the button: a window of `seconds`, at most 24 hours, with a code to show if `random` is given.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn press(&self, seconds: i64, random: Option<[u8; 7]>) -> Result<Pressed, StateError> {
        let code = random.map(|random| ClaimCode::from_random(random).spelled());
        let pressed = Pressed { at: now(), seconds: seconds.clamp(0, MOST_SECONDS), code };
        let _alone = self.0.lock()?;
        self.0.write(PRESSED, &pressed)?;
        Ok(pressed)
    }

    /// Somebody resets the device: the last owner's time is to end, as soon as the cloud can be told.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn reset(&self) -> Result<(), StateError> {
        let _alone = self.0.lock()?;
        let epoch = Signing::remembered(&self.0)?.epoch();
        self.0.write(RESET, &Wiped { at: now(), epoch })?;
        self.0.forget(PRESSED)
    }

    /// What is to be told now; a reset comes first. A window that is over is told no more.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn remembered(&self) -> Result<Option<Remembered>, StateError> {
        if let Some(wiped) = self.0.read::<Wiped>(RESET)? {
            return Ok(Some(Remembered { word: Word::Reset, payload: wiped.payload(now()), at: wiped.at }));
        }
        let Some(pressed) = self.0.read::<Pressed>(PRESSED)? else { return Ok(None) };
        let payload = pressed.payload(now());
        Ok(payload.map(|payload| Remembered { word: Word::Window, payload, at: pressed.at }))
    }

    /// The cloud knows it, unless the button was pressed anew meanwhile.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn told(&self, what: &Remembered) -> Result<(), StateError> {
        let _alone = self.0.lock()?;
        let still = self.remembered()?.is_some_and(|still| (still.word, still.at) == (what.word, what.at));
        if still { self.0.forget(what.word.file()) } else { Ok(()) }
    }

    /// Whether nothing waits to be told.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn is_told(&self) -> Result<bool, StateError> {
        self.remembered().map(|remembered| remembered.is_none())
    }
}

impl Pressed {
    /// What is left of the window at `now`; `None` if it is over.
    fn payload(&self, now: i64) -> Option<String> {
        let left = self.seconds - now.saturating_sub(self.at).max(0) / 1_000;
        if self.seconds > 0 && left <= 0 {
            return None;
        }
        let code = self.code.as_deref().and_then(|code| ClaimCode::parse(code).ok());
        Some(Press { seconds: left.max(0), code }.payload())
    }
}

impl Wiped {
    fn payload(self, now: i64) -> String {
        let fresh = now.saturating_sub(self.at) < FRESH_MILLIS;
        Reset::payload(self.epoch.filter(|_| !fresh))
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::Place;

    fn button(name: &str) -> (Place, Button) {
        let place = Place::new(name);
        let button = Button::of(place.state());
        (place, button)
    }

    #[test]
    fn a_window_that_is_told_late_is_as_much_shorter_and_none_once_it_is_over() {
        let pressed = Pressed { at: 1_000, seconds: 300, code: None };
        assert_eq!(pressed.payload(1_000).unwrap(), r#"{"durationSeconds":300}"#);
        assert_eq!(pressed.payload(300_000).unwrap(), r#"{"durationSeconds":1}"#);
        assert_eq!(pressed.payload(301_000), None);
        let close = Pressed { seconds: 0, ..pressed };
        assert_eq!(close.payload(9_000_000).unwrap(), r#"{"durationSeconds":0}"#, "closing never comes too late");
    }

    #[test]
    fn a_fresh_reset_names_no_epoch_and_one_that_waited_30_seconds_does() {
        let wiped = Wiped { at: 1_000, epoch: Some(3) };
        assert_eq!(wiped.payload(30_999), "{}");
        assert_eq!(wiped.payload(31_000), r#"{"epoch":3}"#);
        assert_eq!(Wiped { at: 1_000, epoch: None }.payload(31_000), "{}");
    }

    #[test]
    fn a_reset_is_told_first_and_closes_a_window_that_was_to_be_told() {
        let (_place, button) = button("reset");
        let shown = button.press(300, Some([7; 7])).unwrap().code.unwrap();
        let told = button.remembered().unwrap().unwrap();
        assert!(told.word == Word::Window && told.payload.contains(&shown));
        button.reset().unwrap();
        button.told(&told).unwrap();
        let reset = button.remembered().unwrap().unwrap();
        assert_eq!((reset.word, reset.payload.as_str()), (Word::Reset, "{}"), "not yet told");
        button.told(&reset).unwrap();
        assert!(button.is_told().unwrap());
    }

    #[test]
    fn a_second_press_during_the_telling_of_the_first_is_told_too() {
        let (_place, button) = button("again");
        button.press(300, None).unwrap();
        let first = Remembered { at: 0, ..button.remembered().unwrap().unwrap() };
        button.told(&first).unwrap();
        assert!(!button.is_told().unwrap());
    }

    #[test]
    fn nobody_opens_a_window_of_more_than_a_day() {
        let (_place, button) = button("day");
        assert_eq!(button.press(86_401, None).unwrap().seconds, 86_400);
        assert_eq!(button.press(-1, None).unwrap().seconds, 0);
    }
}
