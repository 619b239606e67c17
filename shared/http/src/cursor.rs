//! Opaque cursors: a position and a seal over it, the scope and the format's version.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Problem, Scope};

/// The longest cursor that is looked at, in characters.
const MAX_LENGTH: usize = 4096;
/// Length of the seal, in bytes: all of HMAC-SHA256.
const SEAL: usize = 32;
/// Changes with the format, so that old cursors are refused and not misread.
const FORMAT: &[u8] = b"loam-cursor-1";

pub(crate) fn key(secret: &[u8]) -> Key {
    Key::new(HMAC_SHA256, secret)
}

pub(crate) fn seal(key: &Key, scope: &Scope, position: &impl Serialize) -> Result<String, serde_json::Error> {
    let position = serde_json::to_vec(position)?;
    let seal = sign(key, &sealed(scope, &position));
    Ok(URL_SAFE_NO_PAD.encode([seal.as_ref(), &position].concat()))
}

/// The position within a cursor of ours, made for this scope.
pub(crate) fn open<P: DeserializeOwned>(key: &Key, scope: &Scope, cursor: &str) -> Result<P, Problem> {
    position(key, scope, cursor).ok_or_else(invalid)
}

fn position<P: DeserializeOwned>(key: &Key, scope: &Scope, cursor: &str) -> Option<P> {
    if cursor.len() > MAX_LENGTH {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (seal, position) = bytes.split_at_checked(SEAL)?;
    verify(key, &sealed(scope, position), seal).ok()?;
    serde_json::from_slice(position).ok()
}

fn sealed(scope: &Scope, position: &[u8]) -> Vec<u8> {
    let scope = scope.bytes();
    [FORMAT, &(scope.len() as u64).to_be_bytes(), &scope, position].concat()
}

fn invalid() -> Problem {
    let detail = "the cursor is none of this list; begin without one, and change nothing else of the query";
    Problem::bad_request("invalid-cursor", detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::Caller;

    fn scope(sub: &str, path: &str, query: &str) -> Scope {
        let caller = Caller { sub: sub.to_owned(), groups: vec![] };
        Scope::new(&caller, "GET", path, query)
    }

    fn refused(key: &Key, scope: &Scope, cursor: &str) -> bool {
        open::<Value>(key, scope, cursor).is_err_and(|problem| problem == invalid())
    }

    proptest! {
        #[test]
        fn a_cursor_brings_its_position_back(at in any::<i64>(), name in ".{0,40}", query in "[a-z=&%0-9]{0,30}") {
            let (key, scope) = (key(b"secret"), scope("1", "/v1/x", &query));
            let position = json!([at, name]);
            let cursor = seal(&key, &scope, &position).unwrap();
            prop_assert_eq!(open::<Value>(&key, &scope, &cursor).unwrap(), position);
        }

        #[test]
        fn any_changed_character_is_refused(place in any::<prop::sample::Index>(), other in "[A-Za-z0-9_-]") {
            let (key, scope) = (key(b"secret"), scope("1", "/v1/x", ""));
            let cursor = seal(&key, &scope, &json!(["position", 7])).unwrap();
            let place = place.index(cursor.len());
            let forged = format!("{}{other}{}", &cursor[..place], &cursor[place + 1..]);
            prop_assert_eq!(refused(&key, &scope, &forged), forged != cursor);
        }

        #[test]
        fn any_truncated_or_longer_cursor_is_refused(cut in any::<prop::sample::Index>(), tail in "[A-Za-z0-9_=-]{1,9}") {
            let (key, scope) = (key(b"secret"), scope("1", "/v1/x", ""));
            let cursor = seal(&key, &scope, &json!({"a": 1})).unwrap();
            prop_assert!(refused(&key, &scope, &cursor[..cut.index(cursor.len())]));
            let longer = cursor.clone() + &tail;
            prop_assert!(refused(&key, &scope, &longer));
        }

        #[test]
        fn whatever_else_comes_as_a_cursor_is_refused(text in "\\PC{0,200}") {
            prop_assert!(refused(&key(b"secret"), &scope("1", "/v1/x", ""), &text));
        }

        #[test]
        fn a_cursor_is_good_for_its_own_scope_alone(
            own in ("[ab]{1,2}", "/[ab]{1,2}", "[ab]=[ab]"), other in ("[ab]{1,2}", "/[ab]{1,2}", "[ab]=[ab]")
        ) {
            let (key, own, other) = (key(b"s"), scope(&own.0, &own.1, &own.2), scope(&other.0, &other.1, &other.2));
            let cursor = seal(&key, &own, &1).unwrap();
            prop_assert_eq!(refused(&key, &other, &cursor), own != other);
        }
    }

    #[test]
    fn the_cursor_itself_and_the_order_of_parameters_are_no_part_of_the_scope() {
        assert_eq!(scope("1", "/x", "limit=5&list=allow"), scope("1", "/x", "list=%61llow&cursor=abc&limit=5"));
        assert_ne!(scope("1", "/x", "limit=5"), scope("1", "/x", "limit=6"));
    }

    #[test]
    fn another_key_or_another_type_of_position_is_refused() {
        let scope = scope("1", "/x", "");
        let cursor = seal(&key(b"old"), &scope, &"text").unwrap();
        assert!(refused(&key(b"new"), &scope, &cursor));
        assert_eq!(open::<u32>(&key(b"old"), &scope, &cursor).unwrap_err(), invalid());
    }

    #[test]
    fn a_cursor_beyond_the_longest_is_not_looked_at() {
        let (key, scope) = (key(b"secret"), scope("1", "/x", ""));
        let cursor = |length: usize| seal(&key, &scope, &"a".repeat(length)).unwrap();
        // 4096 characters hold 3072 bytes: the seal, two quotes and the rest.
        assert!(!refused(&key, &scope, &cursor(3038)));
        assert!(refused(&key, &scope, &cursor(3039)));
    }
}
