use loam_domain::ThingName;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Twin;
use crate::BadRow;
use crate::rows::{Item, number, text, text_in};

impl Twin {
    /// The row of TwinsTable. Its parts are JSON texts, so that numbers stay what devices sent.
    ///
    /// # Errors
    /// Never for a twin that was read; serde's own otherwise.
    pub fn item(&self) -> Result<Item, serde_json::Error> {
        let mut item = Item::from([
            ("thing".to_owned(), text(self.thing.as_str())),
            ("version".to_owned(), number(self.version)),
            ("record".to_owned(), json(&self.record)?),
            ("notes".to_owned(), json(&self.notes)?),
        ]);
        if let Some(shadow) = &self.shadow {
            item.insert("shadow".to_owned(), json(shadow)?);
        }
        if let Some(presence) = &self.presence {
            item.insert("presence".to_owned(), json(presence)?);
        }
        Ok(item)
    }

    /// The twin in a row.
    ///
    /// # Errors
    /// The attribute that is missing or no such value.
    pub fn of(item: &Item) -> Result<Self, BadRow> {
        Ok(Self {
            thing: name_of(item)?,
            version: text_of_number(item, "version")?,
            record: parsed(item, "record")?,
            shadow: item.contains_key("shadow").then(|| parsed(item, "shadow")).transpose()?,
            presence: item.contains_key("presence").then(|| parsed(item, "presence")).transpose()?,
            notes: parsed(item, "notes")?,
        })
    }
}

/// The thing of a row; cheap beside reading the rest.
pub(super) fn name_of(item: &Item) -> Result<ThingName, BadRow> {
    ThingName::parse(text_in(item, "thing")?).map_err(|_| BadRow { attribute: "thing" })
}

fn text_of_number(item: &Item, attribute: &'static str) -> Result<u64, BadRow> {
    let digits = item.get(attribute).and_then(|value| value.as_n().ok());
    digits.and_then(|digits| digits.parse().ok()).ok_or(BadRow { attribute })
}

fn json(part: &impl Serialize) -> Result<aws_sdk_dynamodb::types::AttributeValue, serde_json::Error> {
    Ok(text(serde_json::to_string(part)?))
}

fn parsed<T: DeserializeOwned>(item: &Item, attribute: &'static str) -> Result<T, BadRow> {
    serde_json::from_str(text_in(item, attribute)?).map_err(|_| BadRow { attribute })
}
