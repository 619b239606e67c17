//! The local link: what a person on the spot asks of the device. It shares a directory with the device that runs.

use crate::failure::Failure;
use clap::{Args, Subcommand};
use loam_device::files;
use loam_device::pairing::{Button, PairingKey, Signing, asked_to_sign};
use loam_device::{State, StateError};
use loam_domain::ThingName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the running device leaves in its directory, so that the local commands need nothing more.
const SELF: &str = "device.json";
/// How often a command looks whether the running device has told the cloud.
const LOOK: Duration = Duration::from_millis(100);

/// What a person on the spot can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Local {
    /// Press the button: for a while the device can be claimed
    Press {
        #[command(flatten)]
        link: Link,
        /// Show a code that whoever claims the device has to read
        #[arg(long)]
        code: bool,
        /// For how long, in seconds, at most a day; 0 closes the window
        #[arg(long, default_value_t = 300)]
        seconds: u32,
    },
    /// Sign a challenge, once, and print what its confirmation takes
    Sign {
        #[command(flatten)]
        link: Link,
        /// The device's name, if it has not yet run with this --state
        #[arg(long = "device_name", requires = "private")]
        device_name: Option<String>,
        /// PEM file: the device's private key, likewise
        #[arg(long, requires = "device_name")]
        private: Option<PathBuf>,
        /// The answer of POST /v1/pairings, or its field `signedText`; - reads it from standard input
        asked: String,
    },
    /// Reset the device: its owner's time ends as soon as the cloud can be told
    Reset {
        #[command(flatten)]
        link: Link,
    },
    /// Open a sealed file with the key that a refresh of its transfer answered; needs no device
    Open {
        /// JSON: the answer of POST /v1/files/{id}/refresh, or the grant in it
        #[arg(long)]
        key: PathBuf,
        /// The thing's name, if --key does not say it
        #[arg(long)]
        thing: Option<String>,
        /// Where the file goes; it appears if all of it is authentic
        #[arg(long)]
        to: PathBuf,
        /// The sealed body, as it lies behind the grant's URL; with a header before it if --key has none
        sealed: PathBuf,
    },
}

/// Which device.
#[derive(Debug, Args)]
pub(crate) struct Link {
    /// The directory that the running device was given as --state
    #[arg(long)]
    state: PathBuf,
    /// How long to wait until the device has told the cloud, in seconds
    #[arg(long, default_value_t = 10)]
    wait: u64,
}

#[derive(Serialize, Deserialize)]
struct Own {
    thing: ThingName,
    private: PathBuf,
}

/// The running device says who it is to whoever shares its directory.
pub(crate) fn introduce(state: &State, thing: &str, private: &Path) -> Result<(), Failure> {
    let thing = ThingName::parse(thing).map_err(Failure::Name)?;
    // Whoever uses the local link may stand in another directory.
    let private = std::path::absolute(private).map_err(Failure::Path)?;
    Ok(state.write(SELF, &Own { thing, private })?)
}

/// Does what was asked, and says in one line of JSON what came of it.
pub(crate) async fn run(local: &Local) -> Result<(), Failure> {
    let answer = match local {
        Local::Press { link, code, seconds } => {
            let button = Button::of(State::open(&link.state)?);
            let pressed = button.press(i64::from(*seconds), code.then(random).transpose()?)?;
            let told = told(&button, link).await?;
            json!({"seconds": pressed.seconds, "code": pressed.code, "told": told})
        }
        Local::Sign { link, device_name, private, asked } => {
            let state = State::open(&link.state)?;
            let own = own(&state, device_name.as_deref(), private.as_deref())?;
            sign(&state, &own, asked)?
        }
        Local::Reset { link } => {
            let button = Button::of(State::open(&link.state)?);
            button.reset()?;
            json!({"told": told(&button, link).await?})
        }
        Local::Open { key, thing, to, sealed } => {
            let thing = thing.as_deref().map(ThingName::parse).transpose().map_err(Failure::Thing)?;
            let asked = std::fs::read(key).map_err(Failure::Key)?;
            let read = files::open_file(&asked, thing, sealed, to)?;
            json!({"size": read.size, "sha256": read.sha256})
        }
    };
    write_line(&answer);
    Ok(())
}

/// The one thing that this program writes to standard output.
#[expect(clippy::print_stdout, reason = "the answer of a local command is for the program that asked")]
fn write_line(answer: &Value) {
    println!("{answer}");
}

fn sign(state: &State, own: &Own, asked: &str) -> Result<Value, Failure> {
    let text = if asked == "-" { from_stdin()? } else { asked.to_owned() };
    let statement = asked_to_sign(&text)?;
    let pem = std::fs::read(&own.private).map_err(Failure::Path)?;
    let key = PairingKey::from_pem(&pem).ok_or(loam_device::pairing::NotSigned::Key)?;
    Ok(json!(Signing::sign(state, &own.thing, &key, &statement)?))
}

fn own(state: &State, name: Option<&str>, private: Option<&Path>) -> Result<Own, Failure> {
    match (name, private) {
        (Some(name), Some(private)) => {
            Ok(Own { thing: ThingName::parse(name).map_err(Failure::Name)?, private: private.to_owned() })
        }
        _ => state.read(SELF)?.ok_or(Failure::Unknown),
    }
}

fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(Failure::Path)?;
    Ok(text)
}

/// Whether the cloud was told within the time that the person waits. If not, the device remembers it.
async fn told(button: &Button, link: &Link) -> Result<bool, StateError> {
    let wait = tokio::time::timeout(Duration::from_secs(link.wait), async {
        while !button.is_told()? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    });
    wait.await.map_or(Ok(false), |told| told.map(|()| true))
}

/// Seven bytes that nobody can guess: a code's.
fn random() -> Result<[u8; 7], Failure> {
    let mut bytes = [0; 7];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).map_err(|_| Failure::Random)?;
    Ok(bytes)
}
