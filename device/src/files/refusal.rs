use super::NoKey;
use loam_sealed::Error;

/// Why a file is not taken, or not sent. Each has a stable [code](Self::code), which the cloud is told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoFile {
    /// The grant's time is over: what was recorded may be sent again.
    #[error("the grant expired; ask for another, and check this device's clock")]
    Expired,
    /// The grant contradicts itself.
    #[error("the grant is none: {0}")]
    BadGrant(&'static str),
    /// The message is not what it should be: not authentic, cut, or for another purpose.
    #[error("the sealed file is refused: {0}")]
    Sealed(#[from] Error),
    /// There is no key for it.
    #[error("there is no key for the file: {0}")]
    Key(#[from] NoKey),
    /// There is more or less than the grant says.
    #[error("the file has {found} bytes or more, and the grant says {expected}")]
    Size {
        /// What the grant says.
        expected: u64,
        /// What there is, as far as it was read.
        found: u64,
    },
    /// Another file.
    #[error("the file's SHA-256 is not the one that the grant says")]
    Digest,
    /// The URL is no URL, or one that would carry the file over a network without TLS.
    #[error("the grant's URL is refused: it must be https, or http to this very machine")]
    Url,
    /// What is asked for is not in the outbox.
    #[error("there is no file of that name in the outbox")]
    Missing,
    /// It is more than the cloud takes.
    #[error("the file is larger than what is taken")]
    TooLarge,
    /// The disk failed.
    #[error("a file cannot be read or written: {0}; check the directory's permissions and its free space")]
    Disk(#[from] std::io::Error),
}

impl NoFile {
    /// The stable name of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Expired => "grant-expired",
            Self::BadGrant(_) => "bad-grant",
            Self::Sealed(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Size { .. } => "size-differs",
            Self::Digest => "digest-differs",
            Self::Url => "url-refused",
            Self::Missing => "no-such-file",
            Self::TooLarge => "file-too-large",
            Self::Disk(_) => "disk-failed",
        }
    }

    /// Whether another try may end better: the cloud is not told that the file was refused.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Expired | Self::Disk(_) => true,
            Self::Key(error) => error.is_passing(),
            Self::BadGrant(_)
            | Self::Sealed(_)
            | Self::Size { .. }
            | Self::Digest
            | Self::Url
            | Self::Missing
            | Self::TooLarge => false,
        }
    }
}
