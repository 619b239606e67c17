use loam_domain::{ThingName, Timestamp};

use super::items::{self, Item};
use super::{Saved, Store, StoreFailure};
use crate::attempts::Attempts;
use crate::code_hash::CodeHash;
use crate::people::UserId;
use crate::window::Window;

/// The code that is printed on a thing, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrintedCode {
    /// What the code hashes to.
    pub hash: CodeHash,
    /// When it was registered; an `ETag`.
    pub set_at: Timestamp,
    /// By which operator.
    pub by: String,
}

/// Whose attempts are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried<'a> {
    /// A person's, at all things.
    By(&'a UserId),
    /// All people's, at one thing.
    At(&'a ThingName),
}

impl Store {
    /// A thing's window, read consistently.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn window(&self, thing: &ThingName) -> Result<Option<Window>, StoreFailure> {
        let item = self.get(items::key(thing.as_str(), items::WINDOW)).await?;
        Ok(item.as_ref().map(items::value_of).transpose()?)
    }

    /// Puts a thing's window where there is none, or an older one. [`Saved::Lost`]: one as new or newer stands.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn put_window(&self, thing: &ThingName, window: &Window) -> Result<Saved, StoreFailure> {
        let opened_at = items::number(window.opened_at.as_millis());
        let condition = "attribute_not_exists(openedAt) OR openedAt < :openedAt";
        self.put(window_item(thing, window)?, Some(condition), vec![(":openedAt", opened_at)]).await
    }

    /// The code that is printed on a thing, read consistently.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn printed_code(&self, thing: &ThingName) -> Result<Option<PrintedCode>, StoreFailure> {
        let Some(item) = self.get(items::key(thing.as_str(), items::CODE)).await? else { return Ok(None) };
        let set_at = items::time_in(&item, "setAt")?;
        let by = items::text_in(&item, "by")?.to_owned();
        Ok(Some(PrintedCode { hash: items::value_of(&item)?, set_at, by }))
    }

    /// Registers what is printed on a thing, whatever stands there.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn put_printed_code(&self, thing: &ThingName, code: &PrintedCode) -> Result<(), StoreFailure> {
        let mut item = items::row(thing.as_str(), items::CODE, &code.hash)?;
        item.insert("setAt".to_owned(), items::number(code.set_at.as_millis()));
        item.insert("by".to_owned(), items::text(&code.by));
        self.put(item, None, vec![]).await.map(drop)
    }

    /// Nothing is printed on it any more.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn delete_printed_code(&self, thing: &ThingName) -> Result<(), StoreFailure> {
        let delete = self.client.delete_item().table_name(&self.pairings);
        let delete = delete.set_key(Some(items::key(thing.as_str(), items::CODE))).send().await;
        delete.map(drop).map_err(|error| StoreFailure::NotDeleted(Box::new(error)))
    }

    /// What was tried so far, read consistently.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn attempts(&self, tried: Tried<'_>) -> Result<Option<Attempts>, StoreFailure> {
        let item = self.get(items::key(&partition(tried), items::ATTEMPTS)).await?;
        Ok(item.as_ref().map(items::value_of).transpose()?)
    }

    /// Puts `next` in the place of `before`. [`Saved::Lost`]: others tried meanwhile.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn put_attempts(
        &self,
        tried: Tried<'_>,
        before: Option<&Attempts>,
        next: &Attempts,
    ) -> Result<Saved, StoreFailure> {
        let item = attempts_item(tried, next)?;
        match before {
            None => self.put(item, Some("attribute_not_exists(thing)"), vec![]).await,
            Some(before) => {
                let values = vec![(":read", items::number(before.version))];
                self.put(item, Some("attempts = :read"), values).await
            }
        }
    }
}

fn partition(tried: Tried<'_>) -> String {
    match tried {
        Tried::By(user) => items::of_user(user),
        Tried::At(thing) => thing.to_string(),
    }
}

/// The row, kept for a day after the window's end: a device's message that is older than that opens nothing any more.
fn window_item(thing: &ThingName, window: &Window) -> Result<Item, serde_json::Error> {
    let mut item = items::row(thing.as_str(), items::WINDOW, window)?;
    item.insert("openedAt".to_owned(), items::number(window.opened_at.as_millis()));
    Ok(items::expiring(item, window.until.plus_millis(items::DAY)))
}

/// The row, kept for two days after what it remembers: a day without an attempt forgets all.
fn attempts_item(tried: Tried<'_>, attempts: &Attempts) -> Result<Item, serde_json::Error> {
    let mut item = items::row(&partition(tried), items::ATTEMPTS, attempts)?;
    item.insert("attempts".to_owned(), items::number(attempts.version));
    let until = attempts.locked_until.map_or(attempts.last_at, |until| until.max(attempts.last_at));
    Ok(items::expiring(item, until.plus_millis(2 * items::DAY)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenancy::tests::{at, user};

    #[test]
    fn attempts_of_a_person_and_at_a_thing_lie_apart_and_outlive_their_wait() {
        let (thing, ann) = (ThingName::parse("ann").unwrap(), user("ann"));
        let row = Attempts { version: 3, tried: 0, waits: 1, locked_until: Some(at(9_000)), last_at: at(1) };
        let by = attempts_item(Tried::By(&ann), &row).unwrap();
        let at_thing = attempts_item(Tried::At(&thing), &row).unwrap();
        assert_eq!((&by["thing"], &at_thing["thing"]), (&items::text("user#ann"), &items::text("ann")));
        assert!(!items::is_over(&by, at(9_000 + 2 * 86_400_000 - 1)));
        assert_eq!(items::value_of::<Attempts>(&by).unwrap(), row);
    }
}
