use super::seal::Seal;
use crate::http::{Body, Http, NoAnswer};
use bytes::{Buf as _, Bytes};
use loam_releases::accept::Refuse;
use loam_releases::manifest::Firmware;
use loam_sealed::{Error, Opener};

/// An image as it comes, from some byte on.
#[derive(Debug)]
pub(super) struct Source {
    body: Body,
    unsealing: Option<Unsealing>,
    rest: Bytes,
    at: u64,
    whole: Option<u64>,
}

/// Frames that are opened as they come; no byte leaves before its frame is authentic.
#[derive(Debug)]
struct Unsealing {
    opener: Opener,
    came: Bytes,
    /// How many bytes of the next frame are before the one that was asked for.
    skip: usize,
}

/// Why there is no more of an image.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPiece {
    /// The line, the server or the URL.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// What is there is not what was ordered; with the code of what shows it.
    #[error("the image is refused: {1}")]
    Refused(Refuse, &'static str),
}

impl Source {
    pub(super) async fn open(http: &Http, url: &str, from: u64) -> Result<Self, NoPiece> {
        let body = http.open(url, from).await?;
        let whole = body.whole();
        Ok(Self { body, unsealing: None, rest: Bytes::new(), at: from, whole })
    }

    /// The same for a sealed image: it goes on at the frame that holds the byte. The end of the body proves nothing that the
    /// digest, which is signed, does not.
    pub(super) async fn unseal(
        http: &Http,
        url: &str,
        seal: &Seal,
        firmware: &Firmware,
        from: u64,
    ) -> Result<Self, NoPiece> {
        let opener = seal.open(&firmware.release)?;
        let frame = opener.header().frame_length();
        let first = frame.frame_at(from)?;
        let skip = usize::try_from(from - frame.plaintext_offset(first)).unwrap_or(usize::MAX);
        let unsealing = Unsealing { opener: opener.resume_at(first)?, came: Bytes::new(), skip };
        let expected = frame.body_length(firmware.size)?;
        let body = http.open(url, frame.body_offset(first)).await?;
        if body.whole().is_some_and(|found| found != expected) {
            return Err(NoPiece::Refused(Refuse::ImageSize, "size-differs"));
        }
        let whole = body.whole().map(|_| firmware.size);
        Ok(Self { body, unsealing: Some(unsealing), rest: Bytes::new(), at: from, whole })
    }

    /// The byte that comes next.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// How long the whole image is, as far as the server says.
    pub(super) const fn whole(&self) -> Option<u64> {
        self.whole
    }

    /// The next `bytes` bytes, never one more; fewer only at the end.
    pub(super) async fn read(&mut self, bytes: usize) -> Result<Vec<u8>, NoPiece> {
        let mut piece = Vec::with_capacity(bytes);
        while piece.len() < bytes {
            if self.rest.is_empty() {
                let Some(more) = self.more().await? else { break };
                self.rest = more;
            }
            let length = self.rest.len().min(bytes - piece.len());
            piece.extend_from_slice(&self.rest.split_to(length));
        }
        self.at += piece.len() as u64;
        Ok(piece)
    }

    async fn more(&mut self) -> Result<Option<Bytes>, NoPiece> {
        let Some(unsealing) = &mut self.unsealing else { return Ok(self.body.next().await?) };
        loop {
            if let Some(frame) = unsealing.frame()? {
                return Ok(Some(frame));
            }
            let Some(came) = self.body.next().await? else { return Ok(None) };
            unsealing.came = came;
        }
    }
}

impl Unsealing {
    /// What is left of the next frame that came; `None` once what came is used up.
    fn frame(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let mut left: &[u8] = &self.came;
            let opened = self.opener.open(&mut left)?.map(Bytes::copy_from_slice);
            let taken = self.came.len() - left.len();
            self.came.advance(taken);
            let Some(mut frame) = opened else { return Ok(None) };
            frame.advance(std::mem::take(&mut self.skip).min(frame.len()));
            if !frame.is_empty() {
                return Ok(Some(frame));
            }
        }
    }
}
