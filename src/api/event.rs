//! A change of the past as JSON: who, when, what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::types::plain;
use crate::store::{Event, ItemEvent, Page, SetChange, Shape, ZoneEvent};
use crate::wire::{NameRef, rdata};
use crate::zone::SetData;

/// Changes that were made, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// The changes. There may be fewer than `limit` although there is a `next`.
    pub changes: Vec<PastChange>,
    /// What to send as `before` for the next page; null at the end.
    #[schema(required, examples(5))]
    pub next: Option<u64>,
    /// The oldest revision that is still known: what was before was forgotten (`history_size_max`).
    #[schema(examples(1))]
    pub known_from: u64,
}

/// A change that was made. It happened as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastChange {
    /// The revision it made.
    #[schema(examples(7))]
    pub revision: u64,
    /// When, in UTC (RFC 3339).
    #[schema(format = DateTime, examples("2026-11-21T15:44:05Z"))]
    pub time: String,
    /// Who: a user of the server's machine, a token, or a part of Freehold.
    #[schema(examples("anna", "token ci-deploy"))]
    pub actor: String,
    /// From where: `socket` for the admin socket, `here` for a command that worked on the data directory itself, otherwise
    /// an address; empty where there is nothing to say.
    #[schema(examples("socket", "192.0.2.7"))]
    pub from: String,
    /// The zones that changed: all, or the first of many; in the history of one zone only that one.
    pub zones: Vec<PastZone>,
    /// What else changed: all, or the first of many.
    pub items: Vec<PastItem>,
    /// How many zones and items changed.
    #[schema(examples(1))]
    pub part_count: usize,
}

/// What a change did to a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastZone {
    /// The zone.
    #[schema(examples("home.example"))]
    pub zone: String,
    /// What became of the zone: `created`, `changed` or `deleted`.
    pub deed: Deed,
    /// The serial before; none for a new zone.
    #[schema(required, examples(2026112101))]
    pub serial_before: Option<u32>,
    /// The serial after; none for a deleted zone.
    #[schema(required, examples(2026112102))]
    pub serial_after: Option<u32>,
    /// Records that came and replaced none. The SOA is not counted when only its serial moved.
    #[schema(examples(0))]
    pub added: usize,
    /// Records that took another's place: the same name and type with new data or TTL.
    #[schema(examples(1))]
    pub altered: usize,
    /// Records that went and were not replaced.
    #[schema(examples(0))]
    pub removed: usize,
    /// How many record sets changed.
    #[schema(examples(2))]
    pub set_count: usize,
    /// The record sets before and after: all, or the first of a large change; `.../diff` gives every record.
    pub sets: Vec<PastSet>,
}

/// What a change did to something beside the zones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastItem {
    /// What kind of thing, such as `token` or `route`.
    #[schema(examples("token"))]
    pub kind: String,
    /// What it is called.
    #[schema(examples("ci-deploy"))]
    pub name: String,
    /// What became of it.
    pub deed: Deed,
    /// What there is to say of it as it was before; null if it was not there. Nothing secret is said.
    pub before: Option<String>,
    /// What there is to say of it as it was afterwards; null if it is gone.
    pub after: Option<String>,
}

/// What became of a zone or an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// There was none before.
    Created,
    /// It was there before and afterwards.
    Changed,
    /// There was none afterwards.
    Deleted,
}

/// A record set before and after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(json!({
    "name": "printer", "type": "A",
    "before": {"ttl": 3600, "values": ["192.0.2.31"]},
    "after": {"ttl": 3600, "values": ["192.0.2.77"]},
})))]
pub struct PastSet {
    /// The owner, relative to the zone; `@` is the zone's own name.
    #[schema(examples("www"))]
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    #[schema(examples("A"))]
    pub kind: String,
    /// The set before; null if there was none.
    #[schema(required)]
    pub before: Option<PastValues>,
    /// The set after; null if there was none.
    #[schema(required)]
    pub after: Option<PastValues>,
}

/// The content of a record set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PastValues {
    /// The TTL in seconds.
    #[schema(maximum = 2_147_483_647, examples(300))]
    pub ttl: u32,
    /// The data of each record as in a zone file.
    #[schema(min_items = 1, examples("192.0.2.10"))]
    pub values: Vec<String>,
}

impl From<Page> for History {
    fn from(page: Page) -> Self {
        let changes = page.events.iter().map(PastChange::of).collect();
        Self { changes, next: page.next, known_from: page.known_from }
    }
}

impl PastChange {
    /// The change that the store tells of.
    pub(super) fn of(event: &Event) -> Self {
        Self {
            revision: event.revision,
            time: moment(event.unix_seconds),
            actor: event.actor.who.clone(),
            from: event.actor.from.clone(),
            zones: event.zones.iter().map(PastZone::of).collect(),
            items: event.items.iter().map(PastItem::of).collect(),
            part_count: event.part_count,
        }
    }
}

impl From<Shape> for Deed {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Create => Self::Created,
            Shape::Alter => Self::Changed,
            Shape::Delete => Self::Deleted,
        }
    }
}

impl PastZone {
    fn of(event: &ZoneEvent) -> Self {
        Self {
            zone: plain(event.zone.borrow()),
            deed: event.shape.into(),
            serial_before: event.serial_before,
            serial_after: event.serial_after,
            added: event.count.added,
            altered: event.count.altered,
            removed: event.count.removed,
            set_count: event.set_count,
            sets: event.sets.iter().map(|change| PastSet::of(event.zone.borrow(), change)).collect(),
        }
    }
}

impl PastItem {
    fn of(event: &ItemEvent) -> Self {
        Self {
            kind: event.key.shelf.word().to_owned(),
            name: event.name.clone(),
            deed: event.shape.into(),
            before: event.before.clone(),
            after: event.after.clone(),
        }
    }
}

impl PastSet {
    fn of(apex: NameRef<'_>, change: &SetChange) -> Self {
        let values = |set: &SetData| {
            let values = set.rdatas.iter().map(|data| {
                let mut text = String::new();
                rdata::print(set.kind, data, &mut text);
                text
            });
            PastValues { ttl: set.ttl, values: values.collect() }
        };
        Self {
            name: relative(change.name.borrow(), apex),
            kind: change.kind.to_string(),
            before: change.before.as_ref().map(values),
            after: change.after.as_ref().map(values),
        }
    }
}

/// An owner as seen from its zone: `www`, or `@` for the zone's own name.
fn relative(name: NameRef<'_>, apex: NameRef<'_>) -> String {
    if name == apex {
        return "@".to_owned();
    }
    let (name, apex) = (name.to_string(), apex.to_string());
    name.strip_suffix(&apex).unwrap_or(&name).trim_end_matches('.').to_owned()
}

/// Seconds since 1970 as `2026-11-21T15:04:05Z` (RFC 3339); the calendar goes back to a year that begins in March, so that
/// leap days stand at its end.
pub(super) fn moment(unix_seconds: u64) -> String {
    const ERA: u64 = 146_097; // days of 400 years
    let (days, rest) = (unix_seconds / 86_400 + 719_468, unix_seconds % 86_400);
    let day_of_era = days % ERA;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = days / ERA * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates() {
        let moments = [0, 951_782_399, 951_782_400, 951_868_800, 1_795_274_645, 4_107_542_400].map(moment);
        assert_eq!(
            moments,
            [
                "1970-01-01T00:00:00Z",
                "2000-02-28T23:59:59Z",
                "2000-02-29T00:00:00Z",
                "2000-03-01T00:00:00Z",
                "2026-11-21T15:24:05Z",
                "2100-03-01T00:00:00Z",
            ]
        );
    }

    #[test]
    fn owners_are_seen_from_their_zone() {
        let relative = |name: &str, apex: &str| {
            let (name, apex) = (name.parse::<crate::wire::Name>().unwrap(), apex.parse::<crate::wire::Name>().unwrap());
            relative(name.borrow(), apex.borrow())
        };
        assert_eq!(relative("example.org", "example.org"), "@");
        assert_eq!(relative("a.b.example.org", "example.org"), "a.b");
        assert_eq!(relative("org", "."), "org");
        assert_eq!(relative("a\\.example.example", "example"), "a\\.example");
    }
}
