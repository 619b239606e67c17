//! The last look: what all functions have logged, deployed and inside the tests, holds no payload and no secret.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use loam_device::{Device, Files, Identity, Options, QoS};
use loam_kit::{MARKER, Stack, eventually, function_logs, handler_logs, join, now, reading, unique_thing};
use serde_json::json;

/// What no line may hold: what it is, and the text.
type Needles = Vec<(&'static str, String)>;

/// `text` as it stands within base64, whatever comes before it: the part that is the same for each of three places.
fn within_base64(text: &str) -> [String; 3] {
    [0, 1, 2].map(|before: usize| {
        let encoded = STANDARD_NO_PAD.encode([&vec![b' '; before][..], text.as_bytes()].concat());
        let (first, last) = ((before * 8).div_ceil(6), (before + text.len()) * 8 / 6);
        encoded.get(first..last).unwrap().to_owned()
    })
}

fn needles(stacks: &[Stack]) -> Needles {
    let mut needles: Needles = Vec::new();
    for name in [MARKER, "Balcony"] {
        needles.push(("a payload", name.to_owned()));
        needles.extend(within_base64(name).map(|text| ("a payload in base64", text)));
    }
    let secrets = stacks.iter().flat_map(Stack::secrets);
    needles.extend(secrets.map(|secret| ("a secret key or session token", secret.to_owned())));
    needles.extend(["-----BEGIN", "PRIVATE KEY"].map(|text| ("a certificate or key", text.to_owned())));
    // The beginning of each token: {"alg": in base64.
    needles.extend(["Bearer ", "eyJhbGciOi"].map(|text| ("a token", text.to_owned())));
    needles.extend(["X-Amz-Signature", "X-Amz-Security-Token"].map(|text| ("a presigned URL", text.to_owned())));
    needles
}

/// Speaks once well and once badly, with the marker in all that a device may say; gives the thing's name.
async fn speak(stack: &Stack) -> String {
    let thing = unique_thing("logged");
    let credentials = join(stack, &[thing.as_str()]).await.remove(0);
    let files = Files { root_ca: credentials.root_ca, certificate: credentials.cert, private_key: credentials.key };
    let identity = Identity::load(thing.as_str(), "localhost", stack.mqtt_port, &files).unwrap();
    let device = Device::connect(&identity, Options::default()).unwrap();
    device.connected().await.unwrap();
    let topic = format!("device/{thing}/devicePayload");
    let good = reading(MARKER, &json!(20), now()).to_string();
    let bad = json!([reading(MARKER, &json!(MARKER), now()), MARKER, {"name": [MARKER], "humidity": 1}]).to_string();
    for payload in [good, bad, format!("{MARKER}="), format!("{{\"name\":\"{MARKER}")] {
        device.publish(&topic, payload, QoS::AtLeastOnce).await.unwrap();
    }
    device.disconnect().await;
    thing.to_string()
}

/// The logs of handlers inside tests, by file.
fn logs_of_tests() -> BTreeMap<String, Vec<String>> {
    let folder = handler_logs().unwrap_or_else(|| panic!("LOAM_HANDLER_LOGS names no folder: use `cargo xtask test`"));
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let lines = |path: &std::path::Path| std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), lines(&path))).collect()
}

/// Where something was found that must not be there. The line itself is not repeated.
fn hits(logs: &BTreeMap<String, Vec<String>>, needles: &Needles) -> Vec<String> {
    let mut hits = Vec::new();
    for (log, lines) in logs {
        for (number, line) in (1..).zip(lines) {
            let found = needles.iter().filter(|(_, text)| line.contains(text));
            hits.extend(found.map(|(what, _)| format!("{log}, line {number}: {what}")));
        }
    }
    hits
}

/// What the functions of `stack` have logged, a thing's good and bad words among it.
async fn logs_of(stack: &Stack) -> BTreeMap<String, Vec<String>> {
    let thing = speak(stack).await;
    eventually("both functions have logged", async || {
        let logs = function_logs(stack).await;
        let has = |function: &str, text: &str| {
            logs.iter().any(|(group, lines)| group.ends_with(function) && lines.iter().any(|line| line.contains(text)))
        };
        (has("/soil-alerts", &thing) && has("/telemetry", "refused and kept")).then_some(logs)
    })
    .await
}

#[tokio::test]
async fn the_logs_of_the_whole_run_hold_no_payload_and_no_secret() {
    let stacks = Stack::all_deployed();
    let needles = needles(&stacks);
    let mut deployed = BTreeMap::new();
    for stack in &stacks {
        let logs = logs_of(stack).await;
        deployed.extend(logs.into_iter().map(|(group, lines)| (format!("{} {group}", stack.endpoint), lines)));
    }
    let inside = logs_of_tests();
    let count = |logs: &BTreeMap<String, Vec<String>>| logs.values().map(Vec::len).sum::<usize>();
    let found = [hits(&deployed, &needles), hits(&inside, &needles)].concat();
    println!(
        "figure: logs: {} lines of {} deployed functions and {} of {} tests, {} texts looked for, {} found",
        count(&deployed),
        deployed.len(),
        count(&inside),
        inside.len(),
        needles.len(),
        found.len()
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_word_is_found_within_base64_at_each_of_its_three_places() {
    for before in ["", "a", "ab", "abc"] {
        let encoded = STANDARD_NO_PAD.encode(format!("{before}{MARKER}:7"));
        assert!(within_base64(MARKER).iter().any(|text| encoded.contains(text)), "behind {before:?}");
    }
    assert!(!within_base64(MARKER).iter().any(|text| STANDARD_NO_PAD.encode("birnenmus-birnenmus").contains(text)));
}
