//! Tokens: the secret half of an invitation and of an offer of ownership. Whoever holds the link may accept it, once.
//!
//! 32 random bytes need no salt and no slow hash: the table keeps their SHA-256, and nobody can go back from that.

use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

/// The length of a token in bytes.
pub const TOKEN_BYTES: usize = 32;

/// A token. It is a secret: nothing but [`Token::to_text`] shows it, once, in the answer that creates it.
#[derive(Clone, Copy)]
pub struct Token([u8; TOKEN_BYTES]);

/// What the table keeps of a token. Equality takes the same time for each.
#[derive(Debug, Clone, Copy, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl Token {
    /// The token of these random bytes.
    #[must_use]
    pub const fn new(random: [u8; TOKEN_BYTES]) -> Self {
        Self(random)
    }

    /// The token in a request; `None` for a text that cannot be one: answered like a wrong one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        decoded(text).map(Self)
    }

    /// Its 43 characters of base64url.
    #[must_use]
    pub fn to_text(self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What the table keeps.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest(&SHA256, &self.0).as_ref()).for_each(|(byte, of)| *byte = *of);
        TokenHash(hash)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(secret)")
    }
}

impl TokenHash {
    /// Its form in the table.
    #[must_use]
    pub fn to_text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The hash in a row; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        decoded(text).map(Self)
    }
}

/// A row holds something else than what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither the hash of a token nor the id of an invitation")]
pub struct BadShare;

impl TryFrom<String> for TokenHash {
    type Error = BadShare;

    fn try_from(text: String) -> Result<Self, BadShare> {
        Self::parse(&text).ok_or(BadShare)
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hash.to_text()
    }
}

impl TryFrom<String> for ShareId {
    type Error = BadShare;

    fn try_from(text: String) -> Result<Self, BadShare> {
        Self::parse(&text).ok_or(BadShare)
    }
}

impl From<ShareId> for String {
    fn from(id: ShareId) -> Self {
        id.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The id of an invitation or an offer: the half that is no secret. 1 to 64 characters of `[A-Za-z0-9_-]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShareId(String);

impl ShareId {
    /// The id that 16 random bytes make.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The id in a path or a row; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        (plain && (1..=64).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_its_own_hash_only_and_reads_back_from_its_text() {
        let token = Token::new([1; TOKEN_BYTES]);
        assert_eq!(Token::parse(&token.to_text()).unwrap().hash(), token.hash());
        for bit in 0..256 {
            let mut other = token.hash();
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(other, token.hash(), "bit {bit}");
        }
        assert_eq!(TokenHash::parse(&token.hash().to_text()), Some(token.hash()));
        assert!(!format!("{token:?}").contains(&token.to_text()));
    }

    #[test]
    fn an_id_has_64_characters_at_most_and_none_that_a_path_or_a_key_would_read() {
        assert!(ShareId::parse(&"a".repeat(64)).is_some());
        assert_eq!(ShareId::parse(ShareId::from_random([255; 16]).as_str()), Some(ShareId::from_random([255; 16])));
        for text in ["", &"a".repeat(65), "a/b", "a#b", "ä"] {
            assert!(ShareId::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_token_has_32_bytes() {
        for text in ["", "AA", &"A".repeat(44), &"A".repeat(42), "not base64!"] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
        assert!(Token::parse(&"A".repeat(43)).is_some());
    }
}
