//! Friendly names, searched without regard to case or accents.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

/// The longest search, in characters.
pub const MAX_SEARCH: usize = 128;

/// What somebody searches: every word of it must stand somewhere in a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    words: Vec<String>,
}

impl Search {
    /// Reads a search.
    ///
    /// # Errors
    /// What was expected, where it is longer than [`MAX_SEARCH`] or holds no letter and no digit.
    pub fn parse(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if length > MAX_SEARCH {
            return Err(format!("it has {length} characters, expected at most {MAX_SEARCH}"));
        }
        let folded = fold(text);
        let words: Vec<_> = words(&folded).map(ToOwned::to_owned).collect();
        if words.is_empty() { Err("expected at least one letter or digit".to_owned()) } else { Ok(Self { words }) }
    }

    /// Whether this name has all the words, in any order and as parts of its own.
    #[must_use]
    pub fn finds(&self, name: &str) -> bool {
        let folded = fold(name);
        self.words.iter().all(|word| words(&folded).any(|part| part.contains(word.as_str())))
    }
}

/// The text without accents and case: compatibility decomposition without combining marks, between two foldings of case.
/// The first sees letters with their marks, some of which become letters of their own (`ᾼ`); the second what decomposition
/// brings (`ℌ`). Source: Unicode Standard, sections 3.11 and 5.18.
#[must_use]
pub fn fold(text: &str) -> String {
    let letters = one_case(text.chars()).nfkd().filter(|letter| !is_accent(*letter));
    one_case(letters).collect()
}

/// A mark that stands over, under or in its letter. The vowel signs of the Indian scripts (class 0) and what joins their
/// letters (class 9) are marks, too, but as much of a word as its letters are.
/// Source: Unicode Standard, section 4.3, "Combining Classes".
fn is_accent(letter: char) -> bool {
    !matches!(canonical_combining_class(letter), 0 | 9)
}

/// Capitals, which make two letters of one `ß`, and small letters of those.
fn one_case(letters: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    letters.flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finds(search: &str, name: &str) -> bool {
        Search::parse(search).unwrap().finds(name)
    }

    #[test]
    fn neither_case_nor_accents_count() {
        for (search, name) in [
            ("kuche", "Küche"),
            ("KÜCHE", "kuche"),
            ("jardín", "JARDIN"),
            ("strasse", "Straße 5"),
            ("straße", "STRASSE"),
            ("ﬁg", "fig tree"),
            ("ελλαδα", "Ελλάδα"),
            ("οδοσ", "ΟΔΟΣ"),
            ("e\u{301}te", "\u{c9}t\u{e9}"),
        ] {
            assert!(finds(search, name), "{search} in {name}");
        }
    }

    #[test]
    fn a_vowel_sign_is_no_accent() {
        assert!(finds("पानी", "पानी की टंकी"));
        assert!(!finds("पाना", "पानी की टंकी") && !finds("पन", "पानी"));
        assert!(finds("กา", "ก่า"), "a tone mark is an accent");
    }

    #[test]
    fn every_word_must_be_there_in_any_order_and_parts_of_words_are_enough() {
        assert!(finds("topf balkon", "Balkontopf"));
        assert!(finds("2 pot", "Pot no. 2"));
        assert!(!finds("pot 3", "Pot no. 2"));
        assert!(!finds("nopot", "no pot"));
    }

    #[test]
    fn a_search_of_128_characters_is_read_and_one_of_129_or_without_a_letter_is_not() {
        assert!(Search::parse(&"ü".repeat(128)).is_ok());
        assert!(Search::parse(&"ü".repeat(129)).is_err());
        for empty in ["", "  ", "-.,", "\u{301}"] {
            assert!(Search::parse(empty).is_err(), "{empty:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_found_by_itself_in_capitals_and_in_small_letters(name in "\\PC{0,40}") {
            if let Ok(search) = Search::parse(&name) {
                prop_assert!(search.finds(&name));
                prop_assert!(search.finds(&name.to_uppercase()) && search.finds(&name.to_lowercase()));
            }
        }
    }
}
