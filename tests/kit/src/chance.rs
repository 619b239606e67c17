use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// A source of chance that gives the same for the same seed.
pub struct Chance(TestRng);

impl Chance {
    /// The chance of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut bytes = [11; 16];
        bytes.iter_mut().zip(seed.to_le_bytes()).for_each(|(byte, given)| *byte = given);
        Self(TestRng::from_seed(RngAlgorithm::XorShift, &bytes))
    }

    /// A number from `least` to `most`, both included.
    ///
    /// # Panics
    /// When `least` is more than `most`.
    pub fn number(&mut self, least: usize, most: usize) -> usize {
        self.0.random_range(least..=most)
    }

    /// One of `all`.
    ///
    /// # Panics
    /// When there is none.
    pub fn one<T: Clone>(&mut self, all: &[T]) -> T {
        let at = self.number(0, all.len().saturating_sub(1));
        all.get(at).unwrap().clone()
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.0.random_range(0..=255)
    }

    /// Any byte.
    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.number(0, most)).map(|_| self.byte()).collect()
    }

    /// Text of the characters that JSON is made of.
    pub fn scraps(&mut self, most: usize) -> String {
        const SCRAPS: &[u8] = br#"{}[]":,0-9a.eE\u+ "#;
        (0..self.number(0, most)).map(|_| char::from(self.one(SCRAPS))).collect()
    }

    /// A lower-case word.
    pub fn word(&mut self, most: usize) -> String {
        (0..self.number(1, most)).map(|_| char::from(b'a' + self.byte() % 26)).collect()
    }
}
