//! What comes of a device's word.

use loam_domain::{ThingName, Timestamp};

use crate::aws::store::Created;
use crate::device_word::Word;
use crate::grant::{NoGrant, Who, share};
use crate::ids::{AttemptId, TransferId};
use crate::order::{Asked, Direction, KeyFrom, Order, Sha256Hex};
use crate::plan::Layout;
use crate::transfer::{Intent, Transfer};
use crate::{FileFailure, Handler, Share};

/// A file that a device has.
struct Offered {
    unasked: bool,
    name: String,
    key: KeyFrom,
    layout: Layout,
    sha256: Sha256Hex,
    from: u32,
}

impl Handler {
    /// Does what a device's word asks for, and answers it.
    pub(crate) async fn hear(&self, thing: &ThingName, word: Word, now: Timestamp) -> Result<(), FileFailure> {
        let record = self.things.get(thing).await?.filter(|record| !record.is_retiring());
        let Some(record) = record else {
            metrics::counter!("NotOurs").increment(1);
            return Ok(());
        };
        match word {
            Word::Waiting => self.waiting(thing, record.epoch, now).await,
            Word::Again { transfer } => self.again(thing, &transfer, record.epoch, now).await,
            Word::Upload { transfer, unasked, name, key, layout, sha256, from } => {
                let offered = Offered { unasked, name, key, layout, sha256, from };
                Box::pin(self.upload(thing, &transfer, offered, record.epoch, now)).await
            }
            Word::Complete { transfer, attempt, sha256, size } => {
                Box::pin(self.complete(thing, &transfer, &attempt, (sha256, size), now)).await
            }
            Word::Refuse { transfer, attempt, code } => {
                let Some(known) = self.known(thing, &transfer, &attempt, now).await? else { return Ok(()) };
                self.note(&known, &Intent::Refuse { attempt, reason: code }, now).await
            }
        }
    }

    async fn waiting(&self, thing: &ThingName, epoch: u64, now: Timestamp) -> Result<(), FileFailure> {
        // Ids begin with their time: the oldest comes first.
        for (id, _) in self.worker.store.slots(thing).await?.active.iter().filter(|(_, until)| **until > now) {
            let transfer = self.worker.store.get(thing, id).await?;
            if let Some(transfer) = transfer.filter(|transfer| transfer.epoch == epoch) {
                self.announce(&transfer, now).await?;
            }
        }
        Ok(())
    }

    async fn again(&self, thing: &ThingName, id: &TransferId, epoch: u64, now: Timestamp) -> Result<(), FileFailure> {
        let Some(transfer) = self.worker.store.get(thing, id).await? else {
            return self.mailbox.rejected(thing, id, "no-such-transfer", &[]).await;
        };
        match share(&transfer, Who::Device, epoch, now) {
            Ok(_) if transfer.order.direction == Direction::Upload => match &transfer.attempt {
                Some(attempt) => self.send_parts(&transfer, &attempt.id, 1, now).await,
                None => self.mailbox.wanted(&transfer, now).await,
            },
            Ok(_) => self.announce(&transfer, now).await,
            Err(why) => self.mailbox.rejected(thing, id, why.code(), &[]).await,
        }
    }

    async fn upload(
        &self,
        thing: &ThingName,
        id: &TransferId,
        offered: Offered,
        epoch: u64,
        now: Timestamp,
    ) -> Result<(), FileFailure> {
        if let Some(code) = self.unasked(thing, id, &offered, epoch, now).await? {
            return self.mailbox.rejected(thing, id, code, &[]).await;
        }
        let Some(transfer) = self.worker.store.get(thing, id).await? else {
            return self.mailbox.rejected(thing, id, NoGrant::OtherEpoch.code(), &[]).await;
        };
        let same = |attempt: &&crate::transfer::Attempt| {
            attempt.layout == offered.layout && attempt.sha256.as_ref() == Some(&offered.sha256)
        };
        match share(&transfer, Who::Device, epoch, now) {
            Ok(Share::Parts(Some(attempt))) if same(&attempt) => {
                self.send_parts(&transfer, &attempt.id.clone(), offered.from, now).await
            }
            Ok(Share::Parts(_)) => Box::pin(self.begin(&transfer, offered, now)).await,
            Ok(Share::Source | Share::File(..)) => {
                self.mailbox.rejected(thing, id, NoGrant::NotTheirs.code(), &[]).await
            }
            Err(why) => self.mailbox.rejected(thing, id, why.code(), &[]).await,
        }
    }

    /// Creates what a device offers by itself; why it cannot be.
    async fn unasked(
        &self,
        thing: &ThingName,
        id: &TransferId,
        offered: &Offered,
        epoch: u64,
        now: Timestamp,
    ) -> Result<Option<&'static str>, FileFailure> {
        if !offered.unasked {
            return Ok(None);
        }
        let size = Some(offered.layout.size);
        let asked = Asked { name: offered.name.clone(), size, ..Asked::default() };
        let order = match Order::check(Direction::Upload, asked) {
            Ok(order) => Order { key: offered.key, ..order },
            Err(bad) => return Ok(Some(bad.code())),
        };
        let transfer = Transfer::created(id.clone(), thing.clone(), epoch, None, order, now);
        Ok(match self.worker.store.create(&transfer, now).await? {
            Created::Yes | Created::Already(_) => None,
            Created::Full => Some("too-many-transfers"),
            Created::Ended => Some("no-such-transfer"),
        })
    }

    /// An attempt with keys of its own, for a file that nobody sealed before.
    async fn begin(&self, transfer: &Transfer, offered: Offered, now: Timestamp) -> Result<(), FileFailure> {
        let replaces = transfer.attempt.as_ref().map(|attempt| attempt.id.clone());
        if offered.layout.size > transfer.order.size {
            return self.mailbox.rejected(&transfer.thing, &transfer.id, "file-too-large", &[]).await;
        }
        let attempt = self.worker.begin(transfer, offered.layout, Some(offered.sha256)).await?;
        let id = attempt.id.clone();
        let intent = Intent::Begin { attempt, replaces };
        let applied = self.worker.store.apply(&transfer.thing, &transfer.id, &intent, now).await?;
        match applied {
            Some(applied) if applied.outcome.is_ok() => {
                self.send_parts(&applied.transfer, &id, offered.from, now).await
            }
            // Another word of the device was faster; its grant is on the way.
            Some(_) | None => self.worker.objects.delete_head(&transfer.id, &id).await,
        }
    }

    async fn send_parts(
        &self,
        transfer: &Transfer,
        attempt: &AttemptId,
        from: u32,
        now: Timestamp,
    ) -> Result<(), FileFailure> {
        let Some(attempt) = transfer.attempt.as_ref().filter(|current| current.id == *attempt) else { return Ok(()) };
        match self.worker.grant_parts(transfer, attempt, from, now).await? {
            Some(grant) => self.mailbox.grant(&transfer.thing, &grant).await,
            None => self.mailbox.rejected(&transfer.thing, &transfer.id, NoGrant::Over.code(), &[]).await,
        }
    }

    /// The transfer, if its attempt is this one; else the device is told.
    async fn known(
        &self,
        thing: &ThingName,
        id: &TransferId,
        attempt: &AttemptId,
        _now: Timestamp,
    ) -> Result<Option<Transfer>, FileFailure> {
        let transfer = self.worker.store.get(thing, id).await?;
        let known = transfer.filter(|transfer| transfer.attempt.as_ref().is_some_and(|known| known.id == *attempt));
        if known.is_none() {
            self.mailbox.rejected(thing, id, "other-attempt", &[]).await?;
        }
        Ok(known)
    }

    async fn complete(
        &self,
        thing: &ThingName,
        id: &TransferId,
        attempt: &AttemptId,
        read: (Sha256Hex, u64),
        now: Timestamp,
    ) -> Result<(), FileFailure> {
        let Some(transfer) = self.known(thing, id, attempt, now).await? else { return Ok(()) };
        if transfer.order.direction == Direction::Download {
            let (sha256, bytes) = read;
            return self.note(&transfer, &Intent::Receive { sha256: Some(sha256), bytes: Some(bytes) }, now).await;
        }
        if let Some(current) = transfer.attempt.as_ref().filter(|_| transfer.uploaded_at.is_none()) {
            let missing = self.worker.missing(&transfer, current).await?;
            if !missing.is_empty() {
                return self.mailbox.rejected(thing, id, "part-missing", &missing).await;
            }
        }
        self.note(&transfer, &Intent::Uploaded { attempt: attempt.clone() }, now).await
    }

    /// Writes what a device said, and sees to what follows from it.
    async fn note(&self, transfer: &Transfer, intent: &Intent, now: Timestamp) -> Result<(), FileFailure> {
        let Some(applied) = self.worker.store.apply(&transfer.thing, &transfer.id, intent, now).await? else {
            return Ok(());
        };
        match applied.outcome {
            Ok(_) => self.queue.work(&transfer.thing, &transfer.id).await,
            Err(why) => self.mailbox.rejected(&transfer.thing, &transfer.id, why.as_str(), &[]).await,
        }
    }
}
