use super::NoFile;
use super::parts::Sealing;
use crate::http::{Http, NoAnswer};
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::StatusCode;
use hyper::body::Frame;

/// Why a request did not come to its end. Holds no URL.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    /// The URL's time is over, or it never had the right: ask for another.
    #[error("the server answered {0}: the URL is good no more")]
    UrlOver(StatusCode),
    /// The line or the server failed: again.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The file itself is wrong.
    #[error(transparent)]
    File(#[from] NoFile),
}

impl From<NoAnswer> for Cut {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::UrlOver(status) => Self::UrlOver(status),
            NoAnswer::Broken(why) => Self::Broken(why),
            NoAnswer::Url => Self::File(NoFile::Url),
        }
    }
}

impl Http {
    /// GETs from byte `from` on and hands on what comes, also of a server that takes no notice of the range.
    ///
    /// # Errors
    /// [`Cut`]; what `take` refuses is [`Cut::File`].
    pub async fn get(
        &self,
        url: &str,
        from: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), NoFile>,
    ) -> Result<(), Cut> {
        let mut body = self.open(url, from).await?;
        while let Some(piece) = body.next().await? {
            take(&piece)?;
        }
        Ok(())
    }

    /// PUTs a sealed part.
    ///
    /// # Errors
    /// [`Cut`].
    pub(crate) async fn put(&self, url: &str, bytes: u64, part: Sealing) -> Result<(), Cut> {
        let frames = stream::iter(part).map(|sealed| Ok(Frame::data(sealed?.into())));
        Ok(self.bring(url, bytes, StreamBody::new(frames).boxed_unsync()).await?)
    }
}
