//! What a broken, old or hostile device sends.

use loam_kit::{Chance, MARKER};
use serde_json::{Value, json};

/// What is due to every message of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// All of it is understood; nothing lies in the dead-letter queue.
    Accepted,
    /// It lies in the dead-letter queue, whole, whatever became of its good parts.
    Kept,
    /// The one or the other, as chance has it.
    Either,
}

/// A way in which payloads go wrong.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) due: Due,
    pub(crate) make: fn(&mut Chance) -> Vec<u8>,
}

const fn kept(name: &'static str, make: fn(&mut Chance) -> Vec<u8>) -> Kind {
    Kind { name, due: Due::Kept, make }
}

const fn accepted(name: &'static str, make: fn(&mut Chance) -> Vec<u8>) -> Kind {
    Kind { name, due: Due::Accepted, make }
}

const fn either(name: &'static str, make: fn(&mut Chance) -> Vec<u8>) -> Kind {
    Kind { name, due: Due::Either, make }
}

/// The largest message that AWS IoT takes. Source: AWS IoT Core quotas, "Message size".
const LARGEST: usize = 128 * 1024;

/// A good reading; its number is seldom the same twice.
fn good(chance: &mut Chance) -> Value {
    json!({"name": MARKER, "humidity": chance.number(36, 99_999)})
}

/// A good reading with `field` as `raw` says, which need not be JSON.
fn with(chance: &mut Chance, field: &str, raw: &str) -> Vec<u8> {
    let mut reading = good(chance);
    reading[field] = json!("@here");
    reading.to_string().replace("\"@here\"", raw).into_bytes()
}

fn without(chance: &mut Chance, field: &str) -> Vec<u8> {
    let mut reading = good(chance);
    reading.as_object_mut().unwrap().remove(field);
    reading.to_string().into_bytes()
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

fn deep(chance: &mut Chance) -> String {
    let depth = chance.number(1_000, 5_000);
    let (open, close) = chance.one(&[("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")]);
    nested(open, close, depth)
}

/// What is no reading from the first byte on.
pub(crate) const WHOLE: [Kind; 16] = [
    kept("nothing but white space", |chance| " \n\t".repeat(chance.number(0, 9)).into_bytes()),
    kept("null", |chance| format!("{}null", " ".repeat(chance.number(0, 9))).into_bytes()),
    kept("a bare number", |chance| chance.number(0, 99).to_string().into_bytes()),
    kept("a bare text", |chance| quoted(&format!("{MARKER} {}", chance.word(9))).into_bytes()),
    kept("a bare boolean", |chance| chance.one(&["true", "false"]).into()),
    kept("bytes of chance", |chance| chance.bytes(300)),
    kept("another encoding", |chance| {
        let text = good(chance).to_string();
        let little = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        chance.one(&[little, big, marked])
    }),
    kept("bytes that are no UTF-8 within a good reading", |chance| {
        let text = good(chance).to_string().into_bytes();
        let at = chance.number(0, text.len());
        let bad = chance.one(&[&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\x80"]);
        [&text[..at], bad, &text[at..]].concat()
    }),
    kept("cut off", |chance| {
        let text = good(chance).to_string().into_bytes();
        let end = chance.number(1, text.len() - 1);
        text[..end].to_vec()
    }),
    kept("something behind the end", |chance| {
        let behind = chance.one(&["}", ",", "{}", "null", "\0", "//", "]"]);
        format!("{}{behind}", good(chance)).into_bytes()
    }),
    kept("another format", |chance| {
        let number = chance.number(0, 99);
        let texts = [
            format!("<reading><name>{MARKER}</name><humidity>{number}</humidity></reading>"),
            format!("name,humidity\n{MARKER},{number}"),
            format!("humidity={number}&name={MARKER}"),
            format!("humidity: {number}\nname: {MARKER}"),
            format!("{{'name':'{MARKER}','humidity':{number}}}"),
            format!("{{\"name\":\"{MARKER}\",\"humidity\":{number},}}"),
            format!("{{/* {MARKER} */\"humidity\":{number}}}"),
            format!("\u{1}\u{a}{MARKER}\u{15}"),
        ];
        chance.one(&texts).into_bytes()
    }),
    kept("nested a thousand times", |chance| deep(chance).into_bytes()),
    kept("an empty batch", |chance| format!("[{}]", " ".repeat(chance.number(0, 9))).into_bytes()),
    kept("a batch beyond 2,000 readings", |chance| {
        format!("[{}{{}}]", "{},".repeat(2_000 + chance.number(0, 99))).into_bytes()
    }),
    kept("a batch within a batch", |chance| json!([[good(chance)], [[good(chance)]]]).to_string().into_bytes()),
    kept("the largest message", |chance| {
        let size = LARGEST - chance.one(&[0, 0, 1, 100, 100_000, 120_000, 127_000, 130_000]);
        chance.one(&[vec![b'x'; size], vec![0xff; size], format!("\"{}\"", "y".repeat(size - 2)).into_bytes()])
    }),
];

/// A reading of which a field is wrong.
pub(crate) const FIELDS: [Kind; 24] = [
    kept("no field that is needed", |chance| json!({chance.word(9): chance.number(0, 9)}).to_string().into_bytes()),
    kept("without a name", |chance| without(chance, "name")),
    kept("without a humidity", |chance| without(chance, "humidity")),
    kept("a humidity of null", |chance| with(chance, "humidity", "null")),
    kept("a name of null", |chance| with(chance, "name", "null")),
    kept("a humidity of another type", |chance| {
        let raw = chance.one(&["true", "false", "{}", "[20]", "[]", r#"{"value":20}"#, r#"[{"a":[]}]"#]);
        with(chance, "humidity", raw)
    }),
    kept("a humidity in words", |chance| {
        let word = format!("{}{MARKER}", chance.word(9));
        with(chance, "humidity", &quoted(&word))
    }),
    kept("no number, or an endless one, as a text", |chance| {
        let text = chance.one(&["NaN", "nan", "Infinity", "-inf", "1e999", "-1e309", "", " "]);
        with(chance, "humidity", &quoted(text))
    }),
    kept("a literal that JSON lacks", |chance| {
        let raw = chance.one(&["NaN", "Infinity", "-Infinity", "undefined", "None", "0x1F", "+5", ".5", "1.", "01"]);
        with(chance, "humidity", raw)
    }),
    kept("a number beyond every float", |chance| {
        let raw = format!("{}{}e{}", chance.one(&["", "-"]), chance.number(1, 9), chance.number(309, 99_999));
        with(chance, "humidity", &raw)
    }),
    kept("a number of too many digits", |chance| {
        let digits = "7".repeat(chance.number(65, 5_000));
        let raw = chance.one(&[digits.clone(), quoted(&digits), format!("0.{digits}"), format!("-{digits}")]);
        with(chance, "humidity", &raw)
    }),
    kept("a number that other languages write", |chance| {
        let text = chance.one(&["0x1F", "0o17", "+5", ".5", "1.", "1_000", "1,000", "1 000", "٣٥", "½", "35%", "--1"]);
        with(chance, "humidity", &quoted(text))
    }),
    kept("an expression for a number", |chance| {
        let text = chance.one(&["1 OR 1=1", "20; DROP TABLE", "${7*7}", "{{7*7}}", "1' --", "$(id)", "=1+1", "%00"]);
        with(chance, "humidity", &quoted(text))
    }),
    kept("a name of another type", |chance| {
        let raw = chance.one(&["7", "true", "{}", "[]", r#"["a"]"#, r#"{"a":"b"}"#]);
        with(chance, "name", raw)
    }),
    kept("a name that is empty or too long", |chance| {
        let length = chance.one(&[0, 129, 130, 1_000, 5_000]);
        with(chance, "name", &quoted(&"n".repeat(length)))
    }),
    kept("a name that widens a topic or a policy", |chance| {
        let character = chance.one(&["/", "+", "#", "$", "*", "?"]);
        let name = format!("{}{character}{}", chance.word(5), chance.one(&["", "aws", "iot:Connection"]));
        with(chance, "name", &quoted(&name))
    }),
    kept("a control character in the name", |chance| {
        let escape = chance.one(&["\\u0000", "\\n", "\\r", "\\u001b[31m", "\\u007f", "\\u0085"]);
        with(chance, "name", &format!("\"{MARKER}{escape}\""))
    }),
    kept("half a surrogate pair", |chance| {
        let half = chance.one(&["\\ud800", "\\udfff", "\\udc00\\ud800", "\\ud83d"]);
        let field = chance.one(&["name", "humidity"]);
        with(chance, field, &format!("\"{half}\""))
    }),
    kept("half a surrogate pair in a field's name", |chance| {
        let half = chance.one(&["\\ud800", "\\udfff", "\\udc00"]);
        format!(r#"{{"{half}":1,"name":"{MARKER}","humidity":{}}}"#, chance.number(0, 99)).into_bytes()
    }),
    kept("a time of another type", |chance| {
        let raw = chance.one(&["true", "{}", "[]", "\"yesterday\"", "\"\"", "\"2020-08-27T13:47:52\""]);
        with(chance, "timeStampEpoch", raw)
    }),
    kept("a time beyond every float", |chance| {
        let raw = chance.one(&["1e400", "-1e400", "\"NaN\"", "\"Infinity\"", "\"1e999\""]);
        with(chance, "timeStampEpoch", raw)
    }),
    kept("a batch in which a reading is bad", |chance| {
        let bad = chance.one(&[json!({}), json!(7), json!(null), json!({"name": MARKER, "humidity": "dry"})]);
        let mut batch = vec![good(chance), good(chance), good(chance)];
        let at = chance.number(0, batch.len());
        batch.insert(at, bad);
        json!(batch).to_string().into_bytes()
    }),
    either("a good reading with a byte changed", |chance| {
        let mut bytes = good(chance).to_string().into_bytes();
        for _ in 0..chance.number(1, 3) {
            let at = chance.number(0, bytes.len() - 1);
            bytes[at] = chance.byte();
        }
        bytes
    }),
    either("scraps of JSON", |chance| chance.scraps(60).into_bytes()),
];

/// What looks wrong and is not.
pub(crate) const STRANGE: [Kind; 7] = [
    accepted("fields that nobody knows", |chance| {
        let mut reading = good(chance);
        for _ in 0..chance.number(1, 9) {
            reading[chance.word(20)] =
                chance.one(&[json!(null), json!("x"), json!({"a": [1]}), json!([[]]), json!(false)]);
        }
        reading.to_string().into_bytes()
    }),
    accepted("a field twice", |chance| {
        let (one, two) = (chance.number(0, 99), chance.number(36, 99_999));
        format!(r#"{{"humidity":{one},"name":"{MARKER}","humidity":{two}}}"#).into_bytes()
    }),
    accepted("a field nested a thousand times", |chance| {
        let raw = deep(chance);
        with(chance, "other", &raw)
    }),
    accepted("an expression for a name", |chance| {
        let text =
            chance.one(&["' OR 1=1 --", "'; DROP TABLE things; --", "<script>", "%s%n", "{{7}}", "\\", "=1", "🌱"]);
        with(chance, "name", &quoted(text))
    }),
    accepted("a time that no clock shows", |chance| {
        let raw =
            chance.one(&["0", "-1", "9223372036854775807", "1e300", "-1e300", "\"4102444800000\"", "0.5", "null"]);
        with(chance, "timeStampEpoch", raw)
    }),
    accepted("white space wherever it may stand", |chance| {
        let blank = chance.one(&[" ", "\n", "\r\n", "\t"]).repeat(chance.number(1, 50));
        let number = chance.number(36, 99_999);
        format!(r#"{blank}{{{blank}"name"{blank}:"{MARKER}",{blank}"humidity":{number}{blank}}}{blank}"#).into_bytes()
    }),
    accepted("an unusual way to write a number", |chance| {
        let raw =
            chance.one(&["1e2", "1E+2", "\"1e2\"", "100.000000000000000000000000000001", "\" 50 \"", "-0", "1e-9"]);
        with(chance, "humidity", raw)
    }),
];
