use super::{Cut, Grant, Http, NoFile, Read, Unsealing};
use loam_domain::ThingName;
use loam_sealed::Opener;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a broken connection is tried again before another grant is asked for, as long as nothing comes.
const MOST_CUTS: u32 = 4;
/// How long to wait after the first cut, in milliseconds. Tests do not.
const FIRST_WAIT_MILLIS: u64 = if cfg!(test) { 1 } else { 500 };
/// How long a name on disk is at most, in bytes, its transfer's id not counted.
const MOST_NAME_BYTES: usize = 100;

/// Why a download or an upload stopped.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// It must not go on.
    #[error(transparent)]
    Refused(#[from] NoFile),
    /// The URL is over: another grant is needed at once.
    #[error("the URL's time is over")]
    Again,
    /// The line is bad: another grant is needed later.
    #[error("the line broke again and again: {0}")]
    Later(String),
}

/// Downloads, verifies and decrypts the file of a grant, which was opened, into `directory`, and says where it is and what was
/// read. A cut is bridged; what is there when this stops is gone on with by the next call for the same attempt.
///
/// # Errors
/// [`Stop`]. What must not go on leaves nothing behind.
pub async fn download(
    http: &Http,
    thing: &ThingName,
    grant: &Grant,
    opener: Opener,
    directory: &Path,
) -> Result<(PathBuf, Read), Stop> {
    let under_way = under_way(directory, grant);
    let outcome = fetch(http, thing, grant, opener, &under_way).await;
    match outcome {
        Ok(read) => {
            let there = directory.join(name_of(grant));
            fs::rename(&under_way, &there)
                .and_then(|()| fs::File::open(directory)?.sync_all())
                .map_err(NoFile::Disk)?;
            forget(directory, &grant.transfer_id);
            Ok((there, read))
        }
        Err(Stop::Refused(why)) if !why.is_passing() => {
            let _ = fs::remove_file(&under_way);
            Err(why.into())
        }
        Err(stop) => Err(stop),
    }
}

async fn fetch(http: &Http, thing: &ThingName, grant: &Grant, opener: Opener, path: &Path) -> Result<Read, Stop> {
    let url = grant.body.as_deref().ok_or(NoFile::BadGrant("it is for a download and has no URL"))?;
    let (begun, most) = (path.to_owned(), grant.file.size);
    // What an earlier run left is read once more for its digest.
    let mut unsealing = aside(move || Unsealing::begin(opener, &begun, most)).await?;
    let goes_on = unsealing.offset() > 0;
    let mut cuts = 0;
    loop {
        let from = unsealing.offset();
        let cut = match http.get(url, from, |sealed| unsealing.take(sealed)).await {
            Ok(()) if unsealing.offset() >= grant.file.body_bytes => break,
            Ok(()) => "the body ended early".to_owned(),
            Err(Cut::File(why)) => return Err(why.into()),
            Err(Cut::UrlOver(_)) => return Err(Stop::Again),
            Err(Cut::Broken(why)) => why,
        };
        cuts = if unsealing.offset() > from { 0 } else { cuts + 1 };
        if cuts > MOST_CUTS {
            return Err(Stop::Later(cut));
        }
        tracing::info!(
            thing.name = thing.as_str(),
            detail = cut,
            bytes = unsealing.offset(),
            "the download was cut and goes on"
        );
        tokio::time::sleep(wait_after(cuts)).await;
    }
    let read = unsealing.finish()?;
    match read.check(grant.file.size, &grant.file.sha256) {
        // What an earlier run left is what a power cut made of it: once more, from the beginning.
        Err(NoFile::Digest) if goes_on => {
            fs::remove_file(path).map_err(NoFile::Disk)?;
            Err(Stop::Again)
        }
        checked => Ok(checked.map(|()| read)?),
    }
}

/// Reads and writes of a whole file take their time: meanwhile the connection is kept alive.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NoFile> + Send + 'static,
) -> Result<T, NoFile> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(NoFile::Disk(std::io::Error::other("the work broke off"))))
}

/// Twice as long each time, and a random part of it, so that a fleet does not come back in step.
pub(super) fn wait_after(cuts: u32) -> Duration {
    Duration::from_millis((FIRST_WAIT_MILLIS << cuts.min(6)) + fastrand::u64(0..FIRST_WAIT_MILLIS))
}

fn under_way(directory: &Path, grant: &Grant) -> PathBuf {
    directory.join(format!(".{}.{}.part", grant.transfer_id, grant.attempt))
}

/// Removes what is under way of a transfer that is over.
pub(super) fn forget(directory: &Path, transfer: &str) {
    let prefix = format!(".{transfer}.");
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The transfer's id, and the file's name as far as it is harmless: somebody else chose it.
fn name_of(grant: &Grant) -> String {
    let harmless = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' };
    let name: String = grant.file.name.chars().take(MOST_NAME_BYTES).map(harmless).collect();
    format!("{}-{name}", grant.transfer_id)
}

#[cfg(test)]
#[path = "inbox_tests.rs"]
mod tests;
