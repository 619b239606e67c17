//! Chance that is the same for the same seed.

use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// A source of chance.
pub(crate) struct Chance(TestRng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        let mut bytes = [11; 16];
        bytes.iter_mut().zip(seed.to_le_bytes()).for_each(|(byte, given)| *byte = given);
        Self(TestRng::from_seed(RngAlgorithm::XorShift, &bytes))
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn number(&mut self, least: usize, most: usize) -> usize {
        self.0.random_range(least..=most)
    }

    /// One of `all`.
    pub(crate) fn one<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.number(0, all.len() - 1)].clone()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.random_range(0..=255)
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.number(0, most)).map(|_| self.byte()).collect()
    }

    /// Text of the characters that JSON is made of.
    pub(crate) fn scraps(&mut self, most: usize) -> String {
        const SCRAPS: &[u8] = br#"{}[]":,0-9a.eE\u+ "#;
        (0..self.number(0, most)).map(|_| char::from(self.one(SCRAPS))).collect()
    }

    /// A lower-case word.
    pub(crate) fn word(&mut self, most: usize) -> String {
        (0..self.number(1, most)).map(|_| char::from(b'a' + self.byte() % 26)).collect()
    }
}
