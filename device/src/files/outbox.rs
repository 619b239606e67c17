use super::inbox::{Stop, aside, wait_after};
use super::parts::Sealing;
use super::{Cut, Grant, Http, NoFile, Parts, Read};
use loam_sealed::{DataKey, Header};
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

/// How often one part is tried before another grant is asked for.
const MOST_CUTS: u32 = 4;

/// A file that was copied to be sent: what is announced is what is sealed, whatever becomes of the original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Where the copy lies: its name is its SHA-256.
    pub path: PathBuf,
    /// What it holds.
    pub read: Read,
}

/// Copies the file called `name` in `outbox`, which is at most `most` bytes long, to `directory`.
///
/// # Errors
/// [`NoFile::Missing`] also for a name that leads elsewhere; [`NoFile::TooLarge`]; [`NoFile::Disk`].
pub fn snapshot(outbox: &Path, name: &str, most: u64, directory: &Path) -> Result<Offered, NoFile> {
    let mut levels = Path::new(name).components();
    let (Some(Component::Normal(plain)), None) = (levels.next(), levels.next()) else { return Err(NoFile::Missing) };
    let path = outbox.join(plain);
    // A link would lead elsewhere, too.
    let found = fs::symlink_metadata(&path).map_err(|_| NoFile::Missing)?;
    if !found.is_file() {
        return Err(NoFile::Missing);
    }
    if found.len() > most {
        return Err(NoFile::TooLarge);
    }
    let copy = directory.join(format!(".copy.{}", std::process::id()));
    let mut to = File::create(&copy)?;
    io::copy(&mut File::open(&path)?, &mut to)?;
    to.sync_all()?;
    let read = Read::of(&copy)?;
    if read.size > most {
        let _ = fs::remove_file(&copy);
        return Err(NoFile::TooLarge);
    }
    let path = directory.join(&read.sha256);
    fs::rename(&copy, &path)?;
    Ok(Offered { path, read })
}

/// Seals with `key` under `header` and sends the parts that a grant has URLs for, of the copy in `directory`; the number of the
/// last one.
///
/// # Errors
/// [`Stop`]; [`NoFile::Missing`] if there is no copy of what the grant names, [`NoFile::Digest`] if it was changed.
pub(super) async fn send(
    http: &Http,
    grant: &Grant,
    (key, header, parts): (&DataKey, &Header, Parts),
    directory: &Path,
) -> Result<u32, Stop> {
    let path = directory.join(&grant.file.sha256);
    let copy = path.clone();
    let read = aside(move || Read::of(&copy).map_err(|_| NoFile::Missing)).await?;
    read.check(grant.file.size, &grant.file.sha256)?;
    let mut last = 0;
    for wanted in &grant.uploads {
        let part = parts.part(wanted.part).filter(|part| part.bytes == wanted.bytes);
        let part = part.ok_or(NoFile::BadGrant("it asks for a part that its file does not have"))?;
        let mut cuts = 0;
        loop {
            let sealing = Sealing::begin(&path, &part, key, header)?;
            match http.put(&wanted.url, part.bytes, sealing).await {
                Ok(()) => break,
                Err(Cut::File(why)) => return Err(why.into()),
                Err(Cut::UrlOver(_)) => return Err(Stop::Again),
                Err(Cut::Broken(why)) if cuts >= MOST_CUTS => return Err(Stop::Later(why)),
                Err(Cut::Broken(_)) => cuts += 1,
            }
            tokio::time::sleep(wait_after(cuts)).await;
        }
        last = wanted.part;
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::Place;

    #[test]
    fn only_a_plain_file_of_the_outbox_is_copied_and_it_is_named_by_its_digest() {
        let place = Place::new("outbox");
        let (outbox, copies) = (place.0.join("out"), place.0.join("copies"));
        fs::create_dir_all(outbox.join("inner")).unwrap();
        fs::create_dir_all(&copies).unwrap();
        fs::write(outbox.join("log"), "abc").unwrap();
        fs::write(place.0.join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(place.0.join("secret"), outbox.join("link")).unwrap();
        let offered = snapshot(&outbox, "log", 3, &copies).unwrap();
        assert_eq!(offered.read.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        fs::write(outbox.join("log"), "changed").unwrap();
        assert_eq!(Read::of(&offered.path).unwrap(), offered.read);
        for bad in ["../secret", "/etc/passwd", "inner", "inner/../log", "", ".", "..", "none", "link"] {
            assert_eq!(snapshot(&outbox, bad, 9, &copies).unwrap_err().code(), "no-such-file", "{bad}");
        }
        assert_eq!(snapshot(&outbox, "log", 6, &copies).unwrap_err().code(), "file-too-large");
    }
}
