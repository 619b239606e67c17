use super::inbox::{self, Stop, aside, download};
use super::{
    Direction, Grant, Http, Kms, Memory, NoFile, Notice, Offered, Parts, Read, Rejected, Upload, Wanted, outbox,
    snapshot,
};
use crate::state::{State, StateError};
use loam_domain::ThingName;
use loam_sealed::{DataKey, Opener};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Another grant is asked for at once only so long after the last time, in milliseconds: URLs live longer, so where they are over
/// sooner something lasting is wrong.
const AGAIN_MILLIS: i64 = 60_000;

/// A device's directory of files, and what it knows of its transfers. Says what is to be told; who has a connection tells it.
///
/// `inbox/` holds what came, `outbox/` what somebody may ask for; the rest is the device's own.
#[derive(Debug)]
pub struct Desk {
    thing: ThingName,
    http: Http,
    kms: Option<Kms>,
    memory: Memory,
    inbox: PathBuf,
    outbox: PathBuf,
    copies: PathBuf,
    offers: Vec<String>,
    /// When another grant was last asked for at once, by transfer.
    again_at: BTreeMap<String, i64>,
}

/// What is to be told on `loam/{thing}/files/{kind}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// `request` or `complete`.
    pub kind: &'static str,
    /// What is said.
    pub payload: Value,
}

/// What comes of a notice.
#[derive(Debug, Default)]
pub struct Heard {
    /// What is to be told at once.
    pub words: Vec<Word>,
    /// Whether to ask some time later what is still to be done.
    pub ask_later: bool,
}

impl Word {
    fn request(payload: Value) -> Self {
        Self { kind: "request", payload }
    }

    fn complete(payload: Value) -> Self {
        Self { kind: "complete", payload }
    }

    fn upload(transfer: &str, upload: &Upload, from: u32) -> Self {
        let (size, sha256) = (upload.size, &upload.sha256);
        Self::request(json!({"transferId": transfer, "size": size, "sha256": sha256, "from": from}))
    }
}

impl Heard {
    fn say(word: Word) -> Self {
        Self { words: vec![word], ask_later: false }
    }

    fn later() -> Self {
        Self { words: vec![], ask_later: true }
    }
}

impl Desk {
    /// The desk of `thing` in `directory`, which is made if it is not there. It offers the files `offers` of its outbox by
    /// itself, once.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(thing: &ThingName, directory: &Path, http: Http, offers: Vec<String>) -> Result<Self, StateError> {
        let [inbox, outbox, copies] = ["inbox", "outbox", ".copies"].map(|name| directory.join(name));
        [&inbox, &outbox, &copies].into_iter().try_for_each(|path| State::open(path).map(drop))?;
        let memory = Memory::kept_in(State::open(&directory.join(".state"))?)?;
        for copy in fs::read_dir(&copies).into_iter().flatten().flatten() {
            let name = copy.file_name();
            if !memory.uploads().any(|(_, upload)| name == upload.sha256.as_str()) {
                let _ = fs::remove_file(copy.path());
            }
        }
        Ok(Self {
            thing: thing.clone(),
            http,
            kms: None,
            memory,
            inbox,
            outbox,
            copies,
            offers,
            again_at: BTreeMap::new(),
        })
    }

    /// The same desk with a way to KMS, for grants that bring no key. What it offers by itself it offers without one, too.
    #[must_use]
    pub fn with_kms(self, kms: Kms) -> Self {
        Self { kms: Some(kms), ..self }
    }

    /// What to tell after a connect at `now`: asks what waits, promises again what is not brought, offers what is new.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn ask(&mut self, now: i64) -> Result<Vec<Word>, StateError> {
        let all: Vec<_> =
            self.memory.uploads().map(|(transfer, upload)| (transfer.to_owned(), upload.clone())).collect();
        let (over, open): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, upload)| now >= upload.ends_at);
        over.iter().try_for_each(|(transfer, _)| self.forget(transfer))?;
        let mut words = vec![Word::request(json!({}))];
        words.extend(open.iter().map(|(transfer, upload)| Word::upload(transfer, upload, 1)));
        for name in std::mem::take(&mut self.offers) {
            match self.copy(name.clone(), u64::MAX).await {
                Ok(Offered { read, .. }) if open.iter().any(|(_, upload)| upload.sha256 == read.sha256) => {}
                Ok(Offered { read, .. }) => words.push(self.offer(&name, &read)),
                Err(why) => self.refused(None, &why),
            }
        }
        Ok(words)
    }

    /// Does what a notice calls for.
    ///
    /// # Errors
    /// [`StateError`]: the device cannot remember, so it says nothing.
    pub async fn hear(&mut self, notice: Notice, now: i64) -> Result<Heard, StateError> {
        match notice {
            Notice::Wanted(wanted) => self.wanted(&wanted).await,
            Notice::Rejected(rejected) => self.rejected(&rejected),
            Notice::Grant(grant) => Box::pin(self.granted(&grant, now)).await,
        }
    }

    fn offer(&self, name: &str, read: &Read) -> Word {
        let (size, sha256) = (read.size, &read.sha256);
        Word::request(match self.kms {
            Some(_) => json!({"name": name, "size": size, "sha256": sha256, "key": "kms"}),
            None => json!({"name": name, "size": size, "sha256": sha256}),
        })
    }

    async fn copy(&self, name: String, most: u64) -> Result<Offered, NoFile> {
        let (outbox, copies) = (self.outbox.clone(), self.copies.clone());
        aside(move || snapshot(&outbox, &name, most, &copies)).await
    }

    async fn wanted(&mut self, wanted: &Wanted) -> Result<Heard, StateError> {
        let transfer = &wanted.transfer_id;
        if let Some(upload) = self.memory.upload(transfer) {
            return Ok(Heard::say(Word::upload(transfer, upload, 1)));
        }
        match self.copy(wanted.wanted.clone(), wanted.most_bytes).await {
            Ok(Offered { read, .. }) => {
                let upload = Upload { size: read.size, sha256: read.sha256, ends_at: wanted.ends_at };
                self.memory.promise(transfer, upload.clone())?;
                Ok(Heard::say(Word::upload(transfer, &upload, 1)))
            }
            Err(why) => {
                // There is no attempt yet that could be refused: the transfer ends by itself.
                self.refused(Some(transfer), &why);
                Ok(Heard::default())
            }
        }
    }

    fn rejected(&mut self, rejected: &Rejected) -> Result<Heard, StateError> {
        let transfer = &rejected.transfer_id;
        tracing::info!(thing.name = self.thing.as_str(), transfer.id = transfer, code = rejected.code, "rejected");
        let upload = self.memory.upload(transfer);
        match (rejected.code.as_str(), upload) {
            ("part-missing", Some(upload)) => Ok(Heard::say(Word::upload(transfer, upload, 1))),
            ("other-attempt", _) => Ok(Heard::say(Word::request(json!({"transferId": transfer})))),
            ("transfer-over" | "no-such-transfer", _) => self.forget(transfer).map(|()| Heard::default()),
            _ => Ok(Heard::default()),
        }
    }

    async fn granted(&mut self, grant: &Grant, now: i64) -> Result<Heard, StateError> {
        if let Some(word) = self.memory.done(&grant.attempt).filter(|_| grant.missing == 0) {
            tracing::info!(thing.name = self.thing.as_str(), transfer.id = grant.transfer_id, "done before");
            return Ok(Heard::say(Word::complete(word.clone())));
        }
        if grant.is_over(now) {
            self.refused(Some(&grant.transfer_id), &NoFile::Expired);
            return Ok(Heard::later());
        }
        let (key, opener, parts) = match grant.open_by(&self.thing, self.kms.as_ref(), now).await {
            Ok(opened) => opened,
            Err(why) => return self.decline(grant, &why),
        };
        let outcome = match grant.direction {
            Direction::Download => self.receive(grant, opener).await,
            Direction::Upload => self.send(grant, &key, &opener, parts).await?,
        };
        match outcome {
            Ok(Some(more)) => Ok(Heard::say(more)),
            Ok(None) => {
                let (size, sha256) = (grant.file.size, &grant.file.sha256);
                self.finish(grant, json!({"size": size, "sha256": sha256}))
            }
            Err(Stop::Again) => Ok(self.again(grant, now)),
            Err(Stop::Later(why)) => {
                tracing::warn!(
                    thing.name = self.thing.as_str(),
                    transfer.id = grant.transfer_id,
                    detail = why,
                    "later"
                );
                Ok(Heard::later())
            }
            Err(Stop::Refused(why)) => self.decline(grant, &why),
        }
    }

    /// What must not go on is told, and leaves nothing behind; what may end better is asked for later.
    fn decline(&mut self, grant: &Grant, why: &NoFile) -> Result<Heard, StateError> {
        self.refused(Some(&grant.transfer_id), why);
        if why.is_passing() {
            return Ok(Heard::later());
        }
        inbox::forget(&self.inbox, &grant.transfer_id);
        self.finish(grant, json!({"refused": why.code()}))
    }

    async fn receive(&self, grant: &Grant, opener: Opener) -> Result<Option<Word>, Stop> {
        let (path, read) = download(&self.http, &self.thing, grant, opener, &self.inbox).await?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        tracing::info!(
            thing.name = self.thing.as_str(),
            transfer.id = grant.transfer_id,
            file = %file,
            bytes = read.size,
            "received and verified"
        );
        Ok(None)
    }

    /// Sends what the grant has URLs for; the word that asks for more, if parts are left.
    async fn send(
        &mut self,
        grant: &Grant,
        key: &DataKey,
        opener: &Opener,
        parts: Parts,
    ) -> Result<Result<Option<Word>, Stop>, StateError> {
        let (size, sha256) = (grant.file.size, grant.file.sha256.clone());
        if self.copies.join(&sha256).is_file() {
            let upload = Upload { size, sha256, ends_at: grant.ends_at };
            self.memory.promise(&grant.transfer_id, upload)?;
        }
        let last = match outbox::send(&self.http, grant, (key, opener.header(), parts), &self.copies).await {
            Ok(last) => last,
            Err(stop) => return Ok(Err(stop)),
        };
        tracing::info!(
            thing.name = self.thing.as_str(),
            transfer.id = grant.transfer_id,
            parts = grant.uploads.len(),
            "sealed and sent"
        );
        let is_all = grant.missing as usize <= grant.uploads.len();
        Ok(Ok(if is_all { None } else { Some(self.once_more(grant, last + 1)) }))
    }

    /// The grant's URLs are over: asks for others, at once if that may help.
    fn again(&mut self, grant: &Grant, now: i64) -> Heard {
        let before = self.again_at.get(&grant.transfer_id);
        if before.is_some_and(|before| now - before < AGAIN_MILLIS) {
            tracing::warn!(
                thing.name = self.thing.as_str(),
                transfer.id = grant.transfer_id,
                "the server takes no URL of a fresh grant"
            );
            return Heard::later();
        }
        self.again_at.insert(grant.transfer_id.clone(), now);
        Heard::say(self.once_more(grant, 1))
    }

    /// Asks for the same once more.
    fn once_more(&self, grant: &Grant, from: u32) -> Word {
        let upload = self.memory.upload(&grant.transfer_id);
        let again = || Word::request(json!({"transferId": grant.transfer_id}));
        upload.map_or_else(again, |upload| Word::upload(&grant.transfer_id, upload, from))
    }

    /// Remembers before it tells: a repeat of the grant is answered with the same word.
    fn finish(&mut self, grant: &Grant, what: Value) -> Result<Heard, StateError> {
        let mut word = json!({"transferId": grant.transfer_id, "attempt": grant.attempt});
        if let (Some(word), Value::Object(what)) = (word.as_object_mut(), what) {
            word.extend(what);
        }
        self.again_at.remove(&grant.transfer_id);
        self.memory.finish(&grant.attempt, word.clone())?;
        Ok(Heard::say(Word::complete(word)))
    }

    fn forget(&mut self, transfer: &str) -> Result<(), StateError> {
        self.again_at.remove(transfer);
        inbox::forget(&self.inbox, transfer);
        if let Some(unneeded) = self.memory.forget(transfer)? {
            let _ = fs::remove_file(self.copies.join(unneeded));
        }
        Ok(())
    }

    fn refused(&self, transfer: Option<&str>, why: &NoFile) {
        tracing::warn!(thing.name = self.thing.as_str(), transfer.id = transfer, code = why.code(), "{why}");
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
