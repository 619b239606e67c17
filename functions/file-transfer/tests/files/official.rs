//! The official AWS Encryption SDK for Python opens what Loam sealed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::bytes;
use crate::device::Mail;
use crate::world::{World, message};

/// In the client's own environment, which `cargo xtask test` makes before this level.
fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/official/bin/python");
    assert!(python.exists(), "{}: missing; `cargo xtask test --level handler` makes it", python.display());
    python
}

/// Reads a message from standard input and writes the file; arguments: namespace, name, key in base64, context as JSON.
const OPEN: &str = include_str!("open.py");

fn open(grant: &serde_json::Value, thing: &str, message: &[u8]) -> Vec<u8> {
    let context = json!({"thing": thing, "transferId": grant["transferId"], "direction": grant["direction"]});
    let key = &grant["key"];
    let arguments = ["namespace", "name", "value"].map(|field| key[field].as_str().unwrap());
    let mut client = Command::new(python());
    client.args(["-c", OPEN]).args(arguments).arg(context.to_string());
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, message) = (client.stdin.take().unwrap(), message.to_vec());
    let writer = std::thread::spawn(move || input.write_all(&message).unwrap());
    let output = client.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_opens_a_download_with_the_key_of_its_grant() {
    let world = World::new("official").await;
    let mail = Mail::open(&world).await;
    for size in [0, 1, 65_536, 8 * 1024 * 1024 + 77] {
        let file = bytes(size);
        let id = world.sealed(&file).await;
        let grant = mail.next(&id, "grant").await;
        let message = message(&grant).await;
        assert!(open(&grant, world.thing.as_str(), &message) == file, "{size}");
    }
}
