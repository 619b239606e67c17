//! One candidate of the encrypted format at one piece of work: it prepares, says `ready`, waits for a line, works, says
//! `done`, and waits for the end of its input. Whoever started it reads the clock and the memory of this process meanwhile.
//!
//! ```text
//! bench-sealed bare|sealed|sealed-sha256 seal|open|pass FRAME_LENGTH MEBIBYTES
//! ```
//!
//! `seal` makes the plaintext as it goes; `open` opens a message that lies in memory; `pass` seals and opens piece by piece.
#![expect(clippy::print_stdout, reason = "a program that measures: its two words are for whoever started it")]

mod bare;
mod message;

use std::error::Error;
use std::io::stdin;

use message::Message;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Bytes handed over at once, as a network does it.
const PIECE: usize = 64 * 1024;
const MEBIBYTE: usize = 1024 * 1024;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [candidate, work, frame, mebibytes] = arguments.as_slice() else {
        return Err("expected: candidate, work, frame length, MiB (see the top of this program)".into());
    };
    let (frame, bytes) = (frame.parse()?, mebibytes.parse::<usize>()? * MEBIBYTE);
    match (candidate.as_str(), work.as_str()) {
        ("bare", "seal") => bare::seal(frame, bytes),
        ("bare", "open") => bare::open(frame, bytes),
        ("sealed", work) => message_work(&Message::new(frame, false)?, work, bytes),
        ("sealed-sha256", work) => message_work(&Message::new(frame, true)?, work, bytes),
        (candidate, work) => Err(format!("{candidate} {work}: nobody does that").into()),
    }
}

fn message_work(message: &Message, work: &str, bytes: usize) -> Outcome<()> {
    match work {
        "seal" => timed(|| message.seal(bytes, |_| Ok(()))),
        "pass" => timed(|| message.pass(bytes)),
        "open" => {
            let sealed = message.sealed(bytes)?;
            timed(|| message.open(&sealed))
        }
        other => Err(format!("{other}: no such work").into()),
    }
}

/// What `work` costs is seen from outside, between the two words.
fn timed(work: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let mut line = String::new();
    println!("ready");
    stdin().read_line(&mut line)?;
    work()?;
    println!("done");
    stdin().read_line(&mut line)?;
    Ok(())
}
