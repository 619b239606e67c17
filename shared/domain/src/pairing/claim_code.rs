//! Claim codes: what is printed on a device, or shown by it, and typed or read aloud by a person.
//!
//! Twelve symbols in three groups, `7K3M-9QXT-4HPC`: ten carry 50 random bits, two are a checksum. The symbols are
//! Crockford's (no I, L, O, U), and what looks or sounds alike is read as what was meant: o as 0, i and l as 1, in
//! capitals or not, with any blanks and hyphens. The whole, read as a number, is a multiple of 1,021, a prime below 1,024:
//! one wrong symbol, and any two symbols that changed places, are always noticed, before anything is looked up or counted.
//! Source of the alphabet: <https://www.crockford.com/base32.html>.

use std::fmt;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SYMBOLS: usize = 12;
const CHECK_BITS: u32 = 10;
const PRIME: u64 = 1_021;
/// A code with more blanks and hyphens than these is not worth reading.
const LONGEST_INPUT: usize = 64;

/// A claim code that is written correctly. Whether it is the right one, its hash tells.
///
/// It is a secret: nothing but [`ClaimCode::spelled`] shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClaimCode(u64);

/// Why a text is no claim code. None of these counts as an attempt: nobody gains by sending them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mistyped {
    /// Too few or too many symbols.
    #[error("a claim code has {SYMBOLS} letters and digits")]
    Length,
    /// A character that no code holds.
    #[error("a claim code holds digits and letters other than U")]
    Symbol,
    /// A typing error.
    #[error("the claim code does not add up: a symbol is wrong or two are swapped")]
    Checksum,
}

impl Mistyped {
    /// The stable code of all of them.
    pub const CODE: &'static str = "mistyped-claim-code";
}

impl ClaimCode {
    /// The code that seven random bytes make; 50 of their bits count.
    #[must_use]
    pub fn from_random(bytes: [u8; 7]) -> Self {
        let random = bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let data = (random & ((1 << 50) - 1)) << CHECK_BITS;
        Self(data + (PRIME - data % PRIME) % PRIME)
    }

    /// The code that a person typed.
    ///
    /// # Errors
    /// [`Mistyped`].
    pub fn parse(text: &str) -> Result<Self, Mistyped> {
        if text.len() > LONGEST_INPUT {
            return Err(Mistyped::Length);
        }
        let typed = text.chars().filter(|character| !matches!(character, ' ' | '-'));
        let values = typed.map(value).collect::<Option<Vec<u64>>>().ok_or(Mistyped::Symbol)?;
        if values.len() != SYMBOLS {
            return Err(Mistyped::Length);
        }
        let number = values.into_iter().fold(0, |number, value| (number << 5) | value);
        if number.is_multiple_of(PRIME) { Ok(Self(number)) } else { Err(Mistyped::Checksum) }
    }

    /// The one spelling of the code, for example `7K3M-9QXT-4HPC`: for a label, a display, and the hash.
    #[must_use]
    pub fn spelled(&self) -> String {
        let symbol = |place: usize| {
            let value = (self.0 >> (5 * (SYMBOLS - 1 - place))) & 31;
            usize::try_from(value).ok().and_then(|value| ALPHABET.get(value)).map_or('0', |byte| char::from(*byte))
        };
        let groups: Vec<String> = [0, 4, 8].map(|start| (start..start + 4).map(symbol).collect()).into();
        groups.join("-")
    }
}

impl fmt::Debug for ClaimCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClaimCode(secret)")
    }
}

fn value(character: char) -> Option<u64> {
    let meant = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let place = ALPHABET.iter().position(|symbol| char::from(*symbol) == meant)?;
    u64::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_spoken() {
        let code = ClaimCode::from_random([0, 0, 0, 0, 0, 0x80, 0x21]);
        let spelled = code.spelled();
        assert_eq!(spelled.len(), 14);
        for typed in
            [spelled.to_lowercase(), spelled.replace('-', ""), spelled.replace('-', " - "), spelled.replace('0', "o")]
        {
            assert_eq!(ClaimCode::parse(&typed), Ok(code), "{typed}");
        }
        assert_eq!(ClaimCode::parse(&spelled.replace('1', "l")), Ok(code));
    }

    #[test]
    fn eleven_or_thirteen_symbols_and_a_u_are_no_code() {
        let spelled = ClaimCode::from_random([1; 7]).spelled();
        assert_eq!(ClaimCode::parse(&spelled[..13]), Err(Mistyped::Length));
        assert_eq!(ClaimCode::parse(&format!("{spelled}0")), Err(Mistyped::Length));
        assert_eq!(ClaimCode::parse(&format!("U{}", &spelled[1..])), Err(Mistyped::Symbol));
        assert_eq!(ClaimCode::parse(&" ".repeat(65)), Err(Mistyped::Length));
        assert_eq!(ClaimCode::parse("ÄÄÄÄÄÄÄÄÄÄÄÄ"), Err(Mistyped::Symbol));
        assert_eq!(ClaimCode::parse(""), Err(Mistyped::Length));
    }

    #[test]
    fn a_code_never_shows_in_a_log() {
        let code = ClaimCode::from_random([7; 7]);
        assert!(!format!("{code:?}").contains(&code.spelled()[..4]));
    }

    proptest! {
        #[test]
        fn every_code_reads_as_itself(bytes: [u8; 7]) {
            let code = ClaimCode::from_random(bytes);
            prop_assert_eq!(ClaimCode::parse(&code.spelled()), Ok(code));
        }

        #[test]
        fn one_wrong_symbol_is_always_noticed(bytes: [u8; 7], place in 0_usize..12, other in 1_u64..32) {
            let code = ClaimCode::from_random(bytes);
            let wrong = ClaimCode(code.0 ^ (other << (5 * place)));
            prop_assert_eq!(ClaimCode::parse(&wrong.spelled()), Err(Mistyped::Checksum));
        }

        #[test]
        fn two_symbols_that_changed_places_are_always_noticed(bytes: [u8; 7], a in 0_usize..12, b in 0_usize..12) {
            let code = ClaimCode::from_random(bytes);
            let mut symbols: Vec<char> = code.spelled().replace('-', "").chars().collect();
            symbols.swap(a, b);
            let swapped: String = symbols.into_iter().collect();
            let same = swapped == code.spelled().replace('-', "");
            prop_assert_eq!(ClaimCode::parse(&swapped), if same { Ok(code) } else { Err(Mistyped::Checksum) });
        }
    }
}
