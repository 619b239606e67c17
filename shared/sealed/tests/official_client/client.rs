//! The official client's process, and the pipe to it (`vectors/exchange.py`).

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::ours::{KEY_NAME, WRAPPING_KEY, pairs};

/// What the client is to do with the source.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    r#do: &'static str,
    frame_length: Option<usize>,
    key_name: &'static str,
    wrapping_key: String,
    context: BTreeMap<String, String>,
}

/// What the client says at the end.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    /// The exception's name, if it refused the source.
    pub(crate) refused: Option<String>,
    pub(crate) suite: Option<u16>,
    pub(crate) frame_length: Option<usize>,
    pub(crate) context: Option<BTreeMap<String, String>>,
}

impl Job {
    pub(crate) fn seal(frame_length: usize) -> Self {
        Self::new("seal", Some(frame_length))
    }

    pub(crate) fn open() -> Self {
        Self::new("open", None)
    }

    fn new(r#do: &'static str, frame_length: Option<usize>) -> Self {
        let wrapping_key = WRAPPING_KEY.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { r#do, frame_length, key_name: KEY_NAME, wrapping_key, context: pairs() }
    }
}

/// A running client; it ends with this.
pub(crate) struct OfficialClient {
    process: Process,
    source: BufWriter<ChildStdin>,
    result: BufReader<ChildStdout>,
}

struct Process(Mutex<Child>);

/// Ends the client when its half of a job panics: else the other half would wait for ever.
struct EndsInPanic<'a>(&'a Process);

impl OfficialClient {
    pub(crate) fn start() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = here.join("../../target/venv/official/bin/python");
        assert!(python.exists(), "{}: missing; `cargo xtask test --level contract` makes it", python.display());
        let mut command = Command::new(python);
        command.arg(here.join("vectors/exchange.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let source = BufWriter::new(process.stdin.take().unwrap());
        let result = BufReader::new(process.stdout.take().unwrap());
        Self { process: Process(Mutex::new(process)), source, result }
    }

    /// Does a job: `give` hands the source's pieces to what it gets, `take` gets those of the result, both at the same time.
    pub(crate) fn run(
        &mut self,
        job: &Job,
        give: impl FnOnce(&mut dyn FnMut(&[u8])) + Send,
        mut take: impl FnMut(&[u8]),
    ) -> Answer {
        let Self { process, source, result } = self;
        std::thread::scope(|scope| {
            let _taking = EndsInPanic(process);
            scope.spawn(|| {
                let _giving = EndsInPanic(process);
                writeln!(source, "{}", serde_json::to_string(job).unwrap()).unwrap();
                give(&mut |piece| put(source, piece));
                source.write_all(&[0; 4]).unwrap();
                source.flush().unwrap();
            });
            let mut piece = Vec::new();
            while next(result, &mut piece) {
                take(&piece);
            }
            let mut said = String::new();
            result.read_line(&mut said).unwrap();
            serde_json::from_str(&said).unwrap()
        })
    }
}

impl Process {
    fn end(&self) {
        let mut process = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself.
        drop(process.kill());
        drop(process.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

impl Drop for EndsInPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}

fn put(source: &mut impl Write, piece: &[u8]) {
    if !piece.is_empty() {
        source.write_all(&u32::try_from(piece.len()).unwrap().to_be_bytes()).unwrap();
        source.write_all(piece).unwrap();
    }
}

/// Reads the next piece into `piece`; answers whether there was one.
fn next(result: &mut BufReader<ChildStdout>, piece: &mut Vec<u8>) -> bool {
    let mut length = [0; 4];
    result.read_exact(&mut length).unwrap();
    piece.resize(u32::from_be_bytes(length) as usize, 0);
    result.read_exact(piece).unwrap();
    !piece.is_empty()
}
