//! Inputs: good ones from the sample events, and what mutation makes of them.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_kit::Chance;
use serde_json::Value;

/// The longest input, in bytes; longer ones find nothing that these do not, and take their time.
const LONGEST: usize = 2_000;

/// Good inputs of parsers that no sample event holds.
const MORE: [&str; 11] = [
    r#"{"path":"humidity","threshold":35}"#,
    r#"{"path":"a.b","direction":"above","threshold":5,"clear":4.5,"breaches":2,"of":3,"clears":2,"reminderSeconds":60,"cooldownSeconds":1,"noDataSeconds":60,"enabled":false}"#,
    r#"{"id":"t1.7","type":"thing.active","thing":"t1","at":1598536072677,"epoch":1,"data":{"certificateId":"0"}}"#,
    r#"{"keptBy":"soil-alerts","code":"not-utf8","detail":"no UTF-8","keptAt":1598536072700,"event":{"payload":"/w=="}}"#,
    r#"{"keptBy":"telemetry","code":"too-late","detail":"","indexes":[0,2],"keptAt":-1,"event":null}"#,
    "device/soilSensor1/devicePayload",
    "device/t1/sensor/air/v1",
    r#"{"current":{"state":{"desired":{"a":1},"reported":{"humidity":20.5}},"version":10},"timestamp":1598536072}"#,
    r#"{"version":11,"timestamp":1598536072}"#,
    r#"-tags.room,friendlyName,-properties.reported.humidity"#,
    r#"{"name":"s","humidity":"20","timeStampEpoch":1598536072677,"battery":3.3,"nested":{"a":[1,{"b":-2e5}]}}"#,
];

/// What is put in now and then.
const WORDS: [&str; 36] = [
    "null",
    "true",
    "NaN",
    "1e400",
    "-1e-400",
    "-0",
    "0.1",
    "1e100",
    "1e101",
    "18446744073709551616",
    "\"\"",
    "\\ud800",
    "\\u0000",
    "\\n",
    "\u{feff}",
    "[",
    "]",
    "{",
    "}",
    "[[[[[[[[[[",
    "{\"a\":{\"a\":",
    "\"humidity\":",
    "\"name\":",
    "\"timestamp\":",
    "\"timeStampEpoch\":",
    "\"payload\":",
    "\"topic\":",
    "\"receivedAt\":",
    "device/",
    "/",
    "+",
    "#",
    "$aws",
    "\u{0}",
    "ä",
    "🌱",
];

/// An endless source of inputs.
pub(crate) struct Inputs {
    chance: Chance,
    good: Vec<Vec<u8>>,
    /// Those that the parser understands.
    own: Vec<Vec<u8>>,
}

impl Inputs {
    /// The inputs of `seed`; `kept` are those that once broke something, `parse` says what the parser understands.
    pub(crate) fn new(seed: u64, kept: Vec<Vec<u8>>, parse: fn(&[u8]) -> bool) -> Self {
        let mut good = kept;
        good.extend(MORE.iter().map(|text| text.as_bytes().to_vec()));
        let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
        files_in(&events).iter().for_each(|file| harvest(&fs::read_to_string(file).unwrap(), &mut good));
        good.iter_mut().for_each(|input| input.truncate(LONGEST));
        let own = good.iter().filter(|input| parse(input)).cloned().collect();
        Self { chance: Chance::new(seed), good, own }
    }

    pub(crate) fn next(&mut self) -> Vec<u8> {
        let chance = &mut self.chance;
        match chance.number(0, 19) {
            0 => chance.bytes(200),
            1 | 2 => chance.scraps(120).into_bytes(),
            turn => {
                let mut input = chance.one(if turn < 13 { &self.own } else { &self.good });
                for _ in 0..chance.number(0, 4) {
                    let other = &self.good[chance.number(0, self.good.len() - 1)];
                    mutate(&mut input, other, chance);
                }
                input.truncate(LONGEST);
                input
            }
        }
    }
}

/// One change: a byte, a piece, a word, or a part of another input.
fn mutate(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.number(0, input.len());
    let end = chance.number(at, input.len().min(at + 40));
    match chance.number(0, 6) {
        0 if at < input.len() => input[at] = chance.byte(),
        1 if at < input.len() => input[at] ^= 1 << chance.number(0, 7),
        2 => drop(input.drain(at..end)),
        3 => drop(input.splice(at..at, chance.one(&WORDS).bytes())),
        4 => drop(input.splice(at..end, chance.one(&WORDS).bytes())),
        5 => {
            let from = chance.number(0, other.len());
            let to = chance.number(from, other.len().min(from + 60));
            drop(input.splice(at..end, other[from..to].iter().copied()));
        }
        _ => {
            let piece = input[at..end].repeat(chance.number(1, 20));
            drop(input.splice(at..at, piece));
        }
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { files.extend(files_in(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// The text itself, the bodies of records in it, and the payloads in either.
fn harvest(text: &str, good: &mut Vec<Vec<u8>>) {
    good.push(text.as_bytes().to_vec());
    let Ok(json) = serde_json::from_str::<Value>(text) else { return };
    let payload = json.get("payload").and_then(Value::as_str).and_then(|payload| STANDARD.decode(payload).ok());
    good.extend(payload);
    for record in json.get("Records").and_then(Value::as_array).into_iter().flatten() {
        record.get("body").and_then(Value::as_str).into_iter().for_each(|body| harvest(body, good));
    }
}
