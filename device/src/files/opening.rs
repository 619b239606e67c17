use super::notice::{FileFacts, Key};
use super::{Direction, NoFile, Read, Unsealing};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::ThingName;
use loam_sealed::{EncryptionContext, Error, HeaderReader, Opener};
use serde::Deserialize;
use std::fs;
use std::io::Read as _;
use std::path::Path;

/// How much of a sealed file is read at once, in bytes.
const PIECE: usize = 64 * 1024;

/// What a person has who may open a file: the answer of `POST /v1/files/{id}/refresh`, or the grant in it, or as much of it as
/// names transfer, direction and key; then the sealed file begins with its header.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    #[serde(default)]
    transfer: Option<Transfer>,
    #[serde(default)]
    grant: Option<Opening>,
    #[serde(flatten)]
    own: Option<Opening>,
}

#[derive(Debug, Deserialize)]
struct Transfer {
    thing: ThingName,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Opening {
    transfer_id: String,
    direction: Direction,
    key: Key,
    #[serde(default)]
    header: Option<String>,
    #[serde(default)]
    file: Option<FileFacts>,
}

/// Opens the sealed file at `sealed` into a file at `to`, which appears only if all of it is authentic, and is the file that
/// was announced. `thing` is needed where `asked` does not name it.
///
/// # Errors
/// [`NoFile`]; nothing is left at `to` then, unless it was there before.
pub fn open_file(asked: &[u8], thing: Option<ThingName>, sealed: &Path, to: &Path) -> Result<Read, NoFile> {
    let asked: Asked = serde_json::from_slice(asked)
        .map_err(|_| NoFile::BadGrant("it is not the answer of a refresh, nor a grant"))?;
    let thing = thing.or(asked.transfer.map(|transfer| transfer.thing));
    let thing = thing.ok_or(NoFile::BadGrant("it does not say for which thing it is; give --thing"))?;
    let opening = asked.grant.or(asked.own).ok_or(NoFile::BadGrant("it has no transferId, direction and key"))?;
    let mut beside = to.as_os_str().to_owned();
    beside.push(".part");
    let beside = Path::new(&beside);
    let _ = fs::remove_file(beside);
    let read = opening.open(&thing, sealed, beside);
    match read {
        Ok(read) => {
            fs::rename(beside, to)?;
            Ok(read)
        }
        Err(why) => {
            let _ = fs::remove_file(beside);
            Err(why)
        }
    }
}

impl Opening {
    fn open(&self, thing: &ThingName, sealed: &Path, to: &Path) -> Result<Read, NoFile> {
        let context = self.direction.context(thing, &self.transfer_id)?;
        let mut sealed = fs::File::open(sealed)?;
        let (opener, mut rest) = self.head(&mut sealed, &context)?;
        let most = self.file.as_ref().map_or(u64::MAX, |file| file.size);
        let mut unsealing = Unsealing::begin(opener, to, most)?;
        loop {
            unsealing.take(&rest)?;
            rest = piece(&mut sealed)?;
            if rest.is_empty() {
                break;
            }
        }
        let read = unsealing.finish()?;
        if let Some(file) = &self.file {
            read.check(file.size, &file.sha256)?;
        }
        Ok(read)
    }

    /// The header, and what was read of the body with it.
    fn head(&self, sealed: &mut fs::File, context: &EncryptionContext) -> Result<(Opener, Vec<u8>), NoFile> {
        if let Some(header) = &self.header {
            let header = STANDARD.decode(header).map_err(|_| NoFile::BadGrant("its header is not base64"))?;
            return Ok((self.key.open(&header, context)?.1, Vec::new()));
        }
        let mut reader = HeaderReader::default();
        loop {
            let bytes = piece(sealed)?;
            if bytes.is_empty() {
                return Err(Error::TruncatedHeader.into());
            }
            let mut rest = bytes.as_slice();
            if let Some(header) = reader.read(&mut rest)? {
                return Ok((self.key.unwrap(header, context)?.1, rest.to_vec()));
            }
        }
    }
}

fn piece(file: &mut fs::File) -> std::io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(PIECE);
    file.take(PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

#[cfg(test)]
#[path = "opening_tests.rs"]
mod tests;
