//! What comes of news: pure, so that whoever runs it may be stopped anywhere and run again.

use loam_domain::ThingName;
use loam_things::twins::{Notes, PresenceView, RecordView, ShadowView, Twin};

use crate::event::Source;

/// A shadow that was deleted keeps its version for 48 hours; made again after that, it begins anew. So documents that lie
/// further apart than half of it are in the order of their time, and all others in the order of their version.
/// Source: AWS IoT Core developer guide, "Interacting with shadows", DELETE.
const RESET_GAP_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The largest twin, in bytes of its JSON; DynamoDB takes 400 KB. What devices and people may say is a tenth of it.
pub const MAX_TWIN_BYTES: usize = 350 * 1024;

/// What is new of a thing: of each source the newest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct News {
    /// Its record, where it was read.
    pub record: Option<RecordView>,
    /// Its shadow.
    pub shadow: Option<ShadowView>,
    /// Its connection.
    pub presence: Option<PresenceView>,
    /// Whether its record must be read.
    pub reread: bool,
    /// Whether it is to be erased.
    pub end: bool,
    /// Whether what people said of it is to be erased.
    pub owners_end: bool,
}

impl News {
    /// Takes in what one message says.
    pub fn add(&mut self, source: Source) {
        match source {
            Source::Shadow(shadow) => {
                if self.shadow.as_ref().is_none_or(|known| newer_shadow(&shadow, known)) {
                    self.shadow = Some(shadow);
                }
            }
            Source::Presence(presence) => {
                if self.presence.as_ref().is_none_or(|known| presence.version > known.version) {
                    self.presence = Some(presence);
                }
            }
            Source::Record => self.reread = true,
            Source::End => self.end = true,
            Source::OwnersEnd => (self.reread, self.owners_end) = (true, true),
        }
    }
}

/// The twin without what people said of it: its tags and the name that they gave it. `None` if there is nothing of that. The
/// groups are the operators' matter.
#[must_use]
pub fn without_people(before: &Twin) -> Option<Twin> {
    let notes = &before.notes;
    if notes.tags.is_empty() && notes.friendly_name.is_none() {
        return None;
    }
    let notes = Notes { version: notes.version + 1, groups: notes.groups.clone(), ..Notes::default() };
    Some(Twin { version: before.version + 1, notes, ..before.clone() })
}

/// The twin with what is newer in `news`; `None` if nothing is. A thing without a twin gets one only with its record.
#[must_use]
pub fn next(thing: &ThingName, before: Option<&Twin>, news: &News) -> Option<Twin> {
    let mut twin = match (before, &news.record) {
        (Some(twin), _) => twin.clone(),
        (None, Some(record)) => young(thing, record.clone()),
        (None, None) => return None,
    };
    if let Some(record) = news.record.as_ref().filter(|record| record.version > twin.record.version) {
        twin.record = record.clone();
    }
    if let Some(shadow) = &news.shadow
        && twin.shadow.as_ref().is_none_or(|known| newer_shadow(shadow, known))
    {
        twin.shadow = Some(shadow.clone());
    }
    if let Some(presence) = &news.presence
        && twin.presence.as_ref().is_none_or(|known| presence.version > known.version)
    {
        twin.presence = Some(presence.clone());
    }
    let changed = before != Some(&twin);
    twin.version += 1;
    changed.then_some(twin)
}

/// The twin of a thing of which nothing but its record is known; version 0: there is no row.
#[must_use]
pub fn young(thing: &ThingName, record: RecordView) -> Twin {
    Twin { thing: thing.clone(), version: 0, record, shadow: None, presence: None, notes: Notes::default() }
}

/// A total order of all that a thing's shadows ever were.
fn newer_shadow(one: &ShadowView, other: &ShadowView) -> bool {
    if one.at.millis_since(other.at).saturating_abs() > RESET_GAP_MILLIS {
        return one.at > other.at;
    }
    (one.version, one.deleted) > (other.version, other.deleted)
}

#[cfg(test)]
mod tests {
    use loam_domain::Timestamp;
    use serde_json::Map;

    use super::*;

    fn shadow(version: u64, hours: i64, deleted: bool) -> ShadowView {
        let at = Timestamp::from_millis(hours * 3_600_000);
        ShadowView { version, at, deleted, desired: Map::new(), reported: Map::new() }
    }

    #[test]
    fn a_higher_version_is_newer_and_an_equal_one_is_the_same() {
        assert!(newer_shadow(&shadow(11, 1, false), &shadow(10, 1, false)));
        assert!(!newer_shadow(&shadow(10, 1, false), &shadow(10, 1, false)));
        assert!(!newer_shadow(&shadow(9, 1, false), &shadow(10, 1, false)));
    }

    #[test]
    fn an_end_is_newer_than_its_version_and_older_than_the_next() {
        assert!(newer_shadow(&shadow(10, 1, true), &shadow(10, 1, false)));
        assert!(!newer_shadow(&shadow(10, 1, false), &shadow(10, 1, true)));
        assert!(newer_shadow(&shadow(11, 1, false), &shadow(10, 1, true)));
    }

    #[test]
    fn a_shadow_that_begins_anew_is_newer_and_a_late_document_of_the_old_one_is_not() {
        let (old, anew) = (shadow(500, 0, false), shadow(1, 49, false));
        assert!(newer_shadow(&anew, &old) && !newer_shadow(&old, &anew));
    }

    #[test]
    fn within_24_hours_the_version_decides_and_a_moment_later_the_time_does() {
        let at = |millis: i64, version| ShadowView { at: Timestamp::from_millis(millis), ..shadow(version, 0, false) };
        assert!(!newer_shadow(&at(RESET_GAP_MILLIS, 1), &at(0, 2)));
        assert!(newer_shadow(&at(RESET_GAP_MILLIS + 1, 1), &at(0, 2)));
    }

    #[test]
    fn with_an_owners_end_tags_and_name_go_and_groups_stay() {
        let thing = ThingName::parse("t1").unwrap();
        let record = crate::histories::record(1);
        let mut twin = young(&thing, record);
        twin.notes.groups.insert("balcony".to_owned());
        assert_eq!(without_people(&twin), None);
        twin.notes.tags.insert("floor".to_owned(), serde_json::json!(3));
        twin.notes.friendly_name = Some("Basil".to_owned());
        let after = without_people(&twin).unwrap();
        assert_eq!((after.notes.version, after.version), (twin.notes.version + 1, twin.version + 1));
        assert!(after.notes.tags.is_empty() && after.notes.friendly_name.is_none());
        assert_eq!(after.notes.groups, twin.notes.groups);
    }

    #[test]
    fn without_a_record_a_thing_gets_no_twin() {
        let thing = ThingName::parse("t1").unwrap();
        let news = News { shadow: Some(shadow(1, 0, false)), ..News::default() };
        assert_eq!(next(&thing, None, &news), None);
    }
}
