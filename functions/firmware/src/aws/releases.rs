//! The rows of releases.
//!
//! | thing | item | holds |
//! | --- | --- | --- |
//! | `release#{id}` | `release` | a [`Release`]; once it is published, its manifest and signature |
//! | `releases` | `r#{created at}#{id}` | the same release, for the list |
//! | `version#{hardware}#{version}` | `release` | which published release that is: one |
//! | `release#{id}` | `event#...` | what is told of it |
//! | `upload#{id}` | `event#refused` | that an upload is no release, and why |

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::TransactWriteItem;
use loam_domain::Event;
use loam_releases::names::{Hardware, Id};
use loam_releases::version::Version;

use super::items::{self, Item};
use super::table::{On, Table, Written};
use crate::FirmwareFailure;
use crate::order::Signed;
use crate::release::{Release, State};

/// The partition of the list of releases.
const LIST: &str = "releases";

/// The most rows that one page of the list looks at.
const MOST_READ: i32 = 500;

/// The releases of FirmwareTable.
#[derive(Debug, Clone)]
pub(crate) struct Releases {
    table: Table,
}

/// Which releases a list holds; all of them if nothing is said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) channel: Option<String>,
    pub(crate) state: Option<State>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Yes,
    /// Somebody else changed it since it was read.
    Stale,
    /// Another published release has the same version for the same hardware.
    VersionTaken,
}

impl Releases {
    pub(crate) fn new(sdk: &SdkConfig, table: String) -> Self {
        Self { table: Table::new(sdk, table) }
    }

    /// The release, read consistently.
    pub(crate) async fn get(&self, id: &Id) -> Result<Option<Release>, FirmwareFailure> {
        self.table.get(release_key(id)).await?.as_ref().map(release_of).transpose()
    }

    /// Writes a draft and its place in the list, unless it is there: whether it was not.
    pub(crate) async fn put_draft(&self, draft: &Release) -> Result<bool, FirmwareFailure> {
        let release = self.table.put(release_item(draft, None)?, On::Nothing)?;
        let all = vec![release, self.table.put(list_item(draft)?, On::Anything)?];
        Ok(self.table.transact(all).await? == Written::Yes)
    }

    /// Tells that an upload is no release; once, however often it is found out.
    pub(crate) async fn refuse(&self, upload: &Id, event: &Event) -> Result<(), FirmwareFailure> {
        let mut item = items::event_item(&format!("upload#{upload}"), event, 0)?;
        item.extend(items::key(&format!("upload#{upload}"), "event#refused"));
        self.table.transact(vec![self.table.put(item, On::Nothing)?]).await?;
        Ok(())
    }

    /// Publishes what `before` was, with its signed manifest: in one transaction, so that no version is published twice for
    /// one hardware.
    pub(crate) async fn publish(
        &self,
        after: &Release,
        signed: &Signed,
        event: &Event,
    ) -> Result<Changed, FirmwareFailure> {
        let mut all = self.change(after, Some(signed), event)?;
        for hardware in &after.firmware.hardware {
            let mut item = version_key(hardware, &after.firmware.version);
            item.insert("id".to_owned(), items::text(after.firmware.release.as_str()));
            all.push(self.table.put(item, On::Nothing)?);
        }
        if self.table.transact(all).await? == Written::Yes {
            return Ok(Changed::Yes);
        }
        // One of the conditions did not hold: which one shows in the rows.
        match self.get(&after.firmware.release).await? {
            Some(found) if found.version + 1 == after.version => Ok(Changed::VersionTaken),
            _ => Ok(Changed::Stale),
        }
    }

    /// Deprecates it. Its manifest stays, as rollouts under way go on.
    pub(crate) async fn deprecate(&self, after: &Release, event: &Event) -> Result<Changed, FirmwareFailure> {
        let signed = self.manifest(&after.firmware.release).await?;
        let all = self.change(after, signed.as_ref(), event)?;
        let written = self.table.transact(all).await?;
        Ok(if written == Written::Yes { Changed::Yes } else { Changed::Stale })
    }

    fn change(
        &self,
        after: &Release,
        signed: Option<&Signed>,
        event: &Event,
    ) -> Result<Vec<TransactWriteItem>, FirmwareFailure> {
        let told = items::event_item(&partition(&after.firmware.release), event, after.version)?;
        Ok(vec![
            self.table.put(release_item(after, signed)?, On::Version(after.version - 1))?,
            self.table.put(list_item(after)?, On::Anything)?,
            self.table.put(told, On::Anything)?,
        ])
    }

    async fn manifest(&self, id: &Id) -> Result<Option<Signed>, FirmwareFailure> {
        let Some(item) = self.table.get(release_key(id)).await? else { return Ok(None) };
        if !item.contains_key("manifest") {
            return Ok(None);
        }
        let text = |attribute| items::text_in(&item, attribute).map(str::to_owned);
        Ok(Some(Signed { manifest: text("manifest")?, signature: text("signature")? }))
    }

    /// The releases, published or deprecated by now, that ever were this version for one of these kinds of hardware.
    pub(crate) async fn of_version(
        &self,
        version: &Version,
        hardware: &BTreeSet<Hardware>,
    ) -> Result<BTreeSet<Id>, FirmwareFailure> {
        let keys = hardware.iter().map(|hardware| version_key(hardware, version)).collect();
        self.table.batch(keys).await?.iter().map(items::id_in).collect()
    }

    /// A stretch of the list, newest first: at most `limit` that are wanted, and the place after which there may be more.
    pub(crate) async fn page(
        &self,
        wanted: &Wanted,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Release>, Option<String>), FirmwareFailure> {
        let (mut found, mut after) = (vec![], after.map(str::to_owned));
        let read = if wanted.is_everything() { i32::try_from(limit).unwrap_or(MOST_READ) } else { MOST_READ };
        loop {
            let page = self.table.page(LIST, "r#", after.as_deref(), true, read).await?;
            for item in &page.items {
                let release = release_of(item)?;
                if !wanted.holds(&release) {
                    continue;
                }
                let place = items::text_in(item, "item")?.to_owned();
                found.push(release);
                if found.len() == limit {
                    return Ok((found, Some(place)));
                }
            }
            after = page.last;
            if after.is_none() {
                return Ok((found, None));
            }
        }
    }
}

impl Wanted {
    const fn is_everything(&self) -> bool {
        self.channel.is_none() && self.state.is_none()
    }

    fn holds(&self, release: &Release) -> bool {
        self.channel.as_ref().is_none_or(|channel| *channel == release.channel)
            && self.state.is_none_or(|state| state == release.state)
    }
}

fn partition(id: &Id) -> String {
    format!("release#{id}")
}

fn release_key(id: &Id) -> Item {
    items::key(&partition(id), "release")
}

fn release_item(release: &Release, signed: Option<&Signed>) -> Result<Item, FirmwareFailure> {
    let mut item = release_key(&release.firmware.release);
    item.insert("version".to_owned(), items::number(release.version));
    item.insert("release".to_owned(), items::json(release)?);
    if let Some(signed) = signed {
        item.insert("manifest".to_owned(), items::text(signed.manifest.clone()));
        item.insert("signature".to_owned(), items::text(signed.signature.clone()));
    }
    Ok(item)
}

fn release_of(item: &Item) -> Result<Release, FirmwareFailure> {
    items::read(item, "release")
}

fn list_item(release: &Release) -> Result<Item, FirmwareFailure> {
    let at = release.created_at.as_millis().max(0);
    let mut item = items::key(LIST, &format!("r#{at:013}#{}", release.firmware.release));
    item.insert("release".to_owned(), items::json(release)?);
    Ok(item)
}

fn version_key(hardware: &Hardware, version: &Version) -> Item {
    items::key(&format!("version#{hardware}#{version}"), "release")
}

#[cfg(test)]
mod tests {
    use loam_domain::Timestamp;
    use loam_releases::samples::{hardware, version};

    use super::*;
    use crate::release::tests::draft;

    #[test]
    fn a_release_comes_back_from_its_item_and_its_manifest_lies_beside_it() {
        let release = draft("2.1.0");
        let signed = Signed { manifest: "m".to_owned(), signature: "s".to_owned() };
        let item = release_item(&release, Some(&signed)).unwrap();
        assert_eq!(release_of(&item).unwrap(), release);
        assert_eq!(
            (items::text_in(&item, "manifest").unwrap(), items::text_in(&item, "signature").unwrap()),
            ("m", "s")
        );
        assert!(!release_item(&release, None).unwrap().contains_key("manifest"));
    }

    #[test]
    fn the_list_goes_by_the_time_of_the_upload() {
        let place = |at| {
            let release = Release { created_at: Timestamp::from_millis(at), ..draft("2.1.0") };
            items::text_in(&list_item(&release).unwrap(), "item").unwrap().to_owned()
        };
        assert!(place(999_999_999_999) < place(1_000_000_000_000) && place(-1) == place(0));
    }

    #[test]
    fn a_version_has_one_row_for_each_kind_of_hardware() {
        let key = |board: &str, text: &str| version_key(&hardware(board), &version(text));
        assert_eq!(key("c3", "2.1.0"), key("c3", "2.1.0"));
        assert!(key("c3", "2.1.0") != key("s3", "2.1.0") && key("c3", "2.1.0") != key("c3", "2.1.1"));
    }

    #[test]
    fn a_list_holds_what_is_wanted_and_without_a_wish_everything() {
        let wanted = |channel: Option<&str>, state| Wanted { channel: channel.map(str::to_owned), state };
        let release = draft("2.1.0");
        for (channel, state, expected) in [
            (None, None, true),
            (Some("stable"), Some(State::Draft), true),
            (Some("beta"), None, false),
            (None, Some(State::Published), false),
        ] {
            assert_eq!(wanted(channel, state).holds(&release), expected, "{channel:?} {state:?}");
        }
    }
}
