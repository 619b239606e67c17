//! Object storage as a device sees it: one object that is read in ranges or written in parts, with failures on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What the next request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// So many bytes, and then the line is cut.
    CutAfter(usize),
    /// This status alone.
    Answer(u16),
    /// This status and body.
    Say(u16, &'static str),
    /// The whole object, whatever range was asked for.
    NoRange,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) first_line: String,
    pub(crate) from: Option<usize>,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) url: String,
    acts: Arc<Mutex<VecDeque<Act>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Store {
    pub(crate) async fn with(object: Vec<u8>, acts: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}/object", listener.local_addr().unwrap().port());
        let store = Self { url, acts: Arc::new(Mutex::new(acts.iter().copied().collect())), seen: Arc::default() };
        let own = store.clone();
        tokio::spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                let (store, object) = (own.clone(), object.clone());
                tokio::spawn(async move { store.serve(line, &object).await });
            }
        });
        store
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// One request a connection.
    async fn serve(&self, line: TcpStream, object: &[u8]) {
        let mut line = BufReader::new(line);
        let Some(seen) = request(&mut line).await else { return };
        let from = seen.from;
        self.seen.lock().unwrap().push(seen);
        let act = self.acts.lock().unwrap().pop_front();
        let whole = matches!(act, Some(Act::NoRange)) || from.is_none();
        let body = if whole { object } else { &object[from.unwrap()..] };
        let status = match act {
            Some(Act::Answer(status) | Act::Say(status, _)) => status,
            _ if whole => 200,
            _ => 206,
        };
        let body = match act {
            Some(Act::Answer(_)) => &[][..],
            Some(Act::Say(_, words)) => words.as_bytes(),
            _ => body,
        };
        let sent = if let Some(Act::CutAfter(bytes)) = act { &body[..bytes.min(body.len())] } else { body };
        let range = match (from, status) {
            (Some(from), 206) => format!("content-range: bytes {from}-{}/{}\r\n", object.len() - 1, object.len()),
            _ => String::new(),
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{range}connection: close\r\n\r\n");
        let _ = line.write_all(head.as_bytes()).await;
        let _ = line.write_all(sent).await;
        let _ = line.shutdown().await;
    }
}

async fn request(line: &mut BufReader<TcpStream>) -> Option<Seen> {
    let (mut first_line, mut from, mut length, mut headers) = (String::new(), None, 0, vec![]);
    line.read_line(&mut first_line).await.ok().filter(|count| *count > 0)?;
    loop {
        let mut header = String::new();
        line.read_line(&mut header).await.ok()?;
        headers.push(header.trim_end().to_owned());
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(range) = header.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
        if let Some(bytes) = header.strip_prefix("content-length: ") {
            length = bytes.parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    line.read_exact(&mut body).await.ok()?;
    Some(Seen { first_line: first_line.trim_end().to_owned(), from, headers, body })
}
