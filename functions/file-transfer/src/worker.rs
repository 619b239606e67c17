//! Loam's own part of a transfer: sealing, verifying, expiring, erasing; step by step, each of which may be done twice.

use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use loam_domain::{ThingName, Timestamp};
use loam_sealed_keys::{Keys, random};
use loam_things::Things;

use crate::FileFailure;
use crate::aws::objects::{Objects, broke_off};
use crate::aws::store::Store;
use crate::config::Places;
use crate::digest::FileDigest;
use crate::head::Subject;
use crate::ids::{AttemptId, TransferId};
use crate::order::Sha256Hex;
use crate::pieces::Pieces;
use crate::plan::{FRAME_LENGTH, Layout, Part, Plan};
use crate::transfer::{Attempt, Intent, Transfer, Work, work};

/// How long a run begins new parts: the rest goes on in the next run.
const RUN: Duration = Duration::from_secs(25);

/// Does the work of transfers.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) store: Store,
    pub(crate) objects: Objects,
    pub(crate) keys: Keys,
}

/// Where a run ended.
#[derive(Debug)]
pub(crate) enum Ran {
    /// There is nothing more to do for now.
    Out(Box<Transfer>),
    /// Time was over: again.
    More,
    /// There is no such transfer.
    Gone,
}

pub(crate) fn subject(transfer: &Transfer) -> Subject {
    Subject { thing: transfer.thing.clone(), transfer: transfer.id.clone(), direction: transfer.order.direction }
}

/// An attempt's data key, kept from one part to the next.
struct Opened {
    attempt: AttemptId,
    data_key: loam_sealed::DataKey,
    header: Vec<u8>,
}

impl Worker {
    /// The worker with its clients.
    pub(crate) fn new(sdk: &SdkConfig, places: &Places, things: Things) -> Self {
        Self {
            store: Store::new(sdk, places.files_table.clone(), things),
            objects: Objects::new(sdk, places),
            keys: Keys::new(sdk, places.files_key.clone()),
        }
    }

    /// Does what is to be done for a transfer, as far as a run goes.
    pub(crate) async fn run(&self, thing: &ThingName, id: &TransferId, clock: Clock) -> Result<Ran, FileFailure> {
        let mut opened = None;
        let Some(mut transfer) = self.store.get(thing, id).await? else { return Ok(Ran::Gone) };
        loop {
            let now = clock.now();
            let todo = work(&transfer, now);
            if todo == Work::Nothing {
                return Ok(Ran::Out(Box::new(transfer)));
            }
            if clock.is_over() {
                return Ok(Ran::More);
            }
            let intent = Box::pin(self.step(&transfer, todo, &mut opened)).await?;
            let begun = begun_by(&intent);
            let Some(applied) = self.store.apply(thing, id, &intent, now).await? else { return Ok(Ran::Gone) };
            if let (Err(_), Some(attempt)) = (applied.outcome, begun) {
                // Another run began before, or it ended: these keys never seal anything.
                self.objects.delete_head(id, &attempt).await?;
            }
            transfer = applied.transfer;
        }
    }

    /// One step's effects, and what is to be written then.
    async fn step(&self, transfer: &Transfer, todo: Work, opened: &mut Option<Opened>) -> Result<Intent, FileFailure> {
        Ok(match todo {
            Work::Begin => {
                let layout = Layout { size: transfer.order.size, frame_length: FRAME_LENGTH };
                let attempt = self.begin(transfer, layout, transfer.order.sha256.clone()).await?;
                Intent::Begin { attempt, replaces: None }
            }
            Work::Seal(attempt, part) => self.seal(transfer, attempt, &part, opened).await?,
            Work::Assemble(attempt) => self.assemble(transfer, attempt).await?,
            Work::Verify(attempt, part) => self.verify(transfer, attempt, &part, opened).await?,
            Work::Finish(attempt) => Intent::Finish { attempt: attempt.id },
            Work::Expire => Intent::Expire,
            Work::Erase | Work::Nothing => {
                self.objects.erase(&transfer.id).await?;
                Intent::Erased
            }
        })
    }

    /// Makes an attempt: keys and upload are there before anybody hears of it, and nothing is sealed yet.
    pub(crate) async fn begin(
        &self,
        transfer: &Transfer,
        layout: Layout,
        sha256: Option<Sha256Hex>,
    ) -> Result<Attempt, FileFailure> {
        let (subject, id) = (subject(transfer), AttemptId::new(random()?));
        let fresh = self.keys.fresh(&subject.pairs(), &subject.wrapping_pairs()).await?;
        let head = subject.head(&id, layout, &fresh).map_err(|_| FileFailure::Format)?;
        self.objects.put_head(&transfer.id, &id, &head).await?;
        let upload = self.objects.begin_upload(&transfer.id, &id).await?;
        Ok(Attempt { id, upload, layout, sha256 })
    }

    /// Gets an attempt's keys, unless they are there; `false` if they are erased.
    async fn open(
        &self,
        transfer: &Transfer,
        attempt: &Attempt,
        opened: &mut Option<Opened>,
    ) -> Result<bool, FileFailure> {
        if opened.as_ref().is_some_and(|opened| opened.attempt == attempt.id) {
            return Ok(true);
        }
        let Some(head) = self.objects.head(&transfer.id, &attempt.id).await? else { return Ok(false) };
        let data_key = self.keys.data_key(&head, &subject(transfer).pairs()).await?;
        let header = head.header().map_err(|_| FileFailure::Format)?;
        *opened = Some(Opened { attempt: attempt.id.clone(), data_key, header });
        Ok(true)
    }

    async fn seal(
        &self,
        transfer: &Transfer,
        attempt: Attempt,
        part: &Part,
        opened: &mut Option<Opened>,
    ) -> Result<Intent, FileFailure> {
        let Some(source) = &transfer.source else { return Ok(fail(attempt, "source-gone")) };
        let Some(bytes) = self.objects.source_part(&transfer.id, &source.version, part).await? else {
            return Ok(fail(attempt, "source-gone"));
        };
        if !self.open(transfer, &attempt, opened).await? {
            return Ok(fail(attempt, "keys-gone"));
        }
        let Some(opened) = opened else { return Err(FileFailure::Format) };
        let pieces = pieces(transfer, opened)?;
        let sealed = pieces.seal(part, &bytes).map_err(|_| FileFailure::Format)?;
        let mut digest = digest(transfer)?;
        digest.update(&bytes);
        drop(bytes);
        if !self.objects.put_part(&transfer.id, &attempt.id, &attempt.upload, part.number, sealed).await? {
            return self.assembled_before(transfer, attempt).await;
        }
        Ok(Intent::Done { attempt: attempt.id, part: part.number, digest: digest.keep(part.is_last) })
    }

    async fn assemble(&self, transfer: &Transfer, attempt: Attempt) -> Result<Intent, FileFailure> {
        let plan = Plan::new(attempt.layout).map_err(|_| FileFailure::Format)?;
        let Some(parts) = self.objects.parts(&transfer.id, &attempt.id, &attempt.upload).await? else {
            return self.assembled_before(transfer, attempt).await;
        };
        let have: Vec<_> = parts.iter().map(|held| (held.number, held.bytes)).collect();
        if !plan.missing(&have).is_empty() || parts.len() != plan.parts() as usize {
            // A body that was made before lets S3 answer for an upload that is over.
            return self.assembled_before(transfer, attempt).await;
        }
        match self.objects.complete(&transfer.id, &attempt.id, &attempt.upload, &parts).await? {
            Some(body) => Ok(Intent::Assembled { attempt: attempt.id, body }),
            None => self.assembled_before(transfer, attempt).await,
        }
    }

    /// The upload is no more: another run made the body of it, or it is gone.
    async fn assembled_before(&self, transfer: &Transfer, attempt: Attempt) -> Result<Intent, FileFailure> {
        let plan = Plan::new(attempt.layout).map_err(|_| FileFailure::Format)?;
        match self.objects.body(&transfer.id, &attempt.id).await? {
            Some((body, bytes)) if bytes == plan.sealed_bytes() => Ok(Intent::Assembled { attempt: attempt.id, body }),
            Some(_) | None => Ok(fail(attempt, "part-missing")),
        }
    }

    async fn verify(
        &self,
        transfer: &Transfer,
        attempt: Attempt,
        part: &Part,
        opened: &mut Option<Opened>,
    ) -> Result<Intent, FileFailure> {
        let etag = transfer.body.as_deref().unwrap_or_default();
        let Some(body) = self.objects.body_part(&transfer.id, &attempt.id, etag, part).await? else {
            return Ok(fail(attempt, "body-gone"));
        };
        if !self.open(transfer, &attempt, opened).await? {
            return Ok(fail(attempt, "keys-gone"));
        }
        let Some(opened) = opened else { return Err(FileFailure::Format) };
        match read(&pieces(transfer, opened)?, part, digest(transfer)?, body).await? {
            Some(digest) => {
                Ok(Intent::Done { attempt: attempt.id, part: part.number, digest: digest.keep(part.is_last) })
            }
            None => Ok(fail(attempt, "not-authentic")),
        }
    }
}

/// The digest with a part that is authentic; `None` for one that is not.
async fn read(
    pieces: &Pieces<'_>,
    part: &Part,
    mut digest: FileDigest,
    mut body: ByteStream,
) -> Result<Option<FileDigest>, FileFailure> {
    let Ok(mut verified) = pieces.verify(part) else { return Ok(None) };
    while let Some(chunk) = body.try_next().await.map_err(|_| broke_off("a body was not read to its end"))? {
        if verified.update(&chunk, |plaintext| digest.update(plaintext)).is_err() {
            return Ok(None);
        }
    }
    Ok(verified.finish().is_ok().then_some(digest))
}

fn pieces<'a>(transfer: &Transfer, opened: &'a Opened) -> Result<Pieces<'a>, FileFailure> {
    let context = subject(transfer).context().map_err(|_| FileFailure::Format)?;
    Pieces::new(&opened.data_key, opened.header.clone(), context).map_err(|_| FileFailure::Format)
}

fn digest(transfer: &Transfer) -> Result<FileDigest, FileFailure> {
    FileDigest::go_on(transfer.progress.digest.as_ref()).map_err(|_| FileFailure::BadRow("digest"))
}

fn fail(attempt: Attempt, reason: &str) -> Intent {
    Intent::Fail { attempt: Some(attempt.id), reason: reason.to_owned() }
}

fn begun_by(intent: &Intent) -> Option<AttemptId> {
    if let Intent::Begin { attempt, .. } = intent { Some(attempt.id.clone()) } else { None }
}

/// The time of a run: when it began, by Lambda's clock, and how long it has lasted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began_at: Timestamp,
    since: Instant,
}

impl Clock {
    pub(crate) fn start(now: Timestamp) -> Self {
        Self { began_at: now, since: Instant::now() }
    }

    pub(crate) fn now(self) -> Timestamp {
        self.began_at.plus_millis(i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    fn is_over(self) -> bool {
        self.since.elapsed() > RUN
    }
}
