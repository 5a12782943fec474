//! What requests and answers hold, as JSON. The command line reads the very same types.

use serde::{Deserialize, Serialize};

use super::problem::ZoneFault;
use crate::wire::{NameRef, rdata};
use crate::zone::{Set, Zone};

/// A name as people write it: without the final dot. The root stays `.`
pub fn plain(name: NameRef<'_>) -> String {
    let mut text = name.to_string();
    if text.len() > 1 {
        text.pop();
    }
    text
}

/// A zone in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneSummary {
    /// The name of the zone.
    pub name: String,
    /// The serial of its SOA.
    pub serial: u32,
    /// How many names have records or names below them.
    pub names: usize,
    /// How many records.
    pub records: usize,
}

impl ZoneSummary {
    /// The summary of a zone.
    pub fn of(zone: &Zone) -> Self {
        Self { name: plain(zone.apex()), serial: zone.serial(), names: zone.name_count(), records: zone.record_count() }
    }
}

/// All zones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ZoneList {
    /// The revision of everything Freehold knows that this list was read from.
    pub revision: u64,
    /// The zones in canonical order.
    pub zones: Vec<ZoneSummary>,
}

/// What a change of a zone did, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZoneChange {
    /// The name of the zone.
    pub zone: String,
    /// Whether anything changed; without a change the revision and the serial stay.
    pub changed: bool,
    /// Whether this only says what would change.
    pub dry_run: bool,
    /// The revision after the change; of a dry run, the revision it was tried at.
    pub revision: u64,
    /// The serial before; none for a new zone.
    pub serial_before: Option<u32>,
    /// The serial after; none for a deleted zone.
    pub serial_after: Option<u32>,
    /// Records that came and replaced none. The SOA is not counted when only its serial moved.
    pub added: usize,
    /// Records that took another's place: the same name and type with new data or TTL.
    pub altered: usize,
    /// Records that went and were not replaced.
    pub removed: usize,
    /// Each record that goes or comes; only when asked what would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// What somebody should look at, although the zone is served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ZoneFault>,
}

/// A record that goes or comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `-` for a record that goes, `+` for one that comes.
    pub sign: char,
    /// The record as a line of a zone file.
    pub record: String,
}

/// All records of one name and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSet {
    /// The name, absolute, with its final dot.
    pub name: String,
    /// The type, such as `A` or `TYPE65280`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The TTL of all of them, in seconds.
    pub ttl: u32,
    /// The data of each, in presentation format, names absolute; in the order of their octets.
    pub values: Vec<String>,
}

impl RecordSet {
    /// A set as it stands in a zone.
    pub fn of(name: NameRef<'_>, set: Set<'_>) -> Self {
        let print = |data| {
            let mut text = String::new();
            rdata::print(set.kind(), data, &mut text);
            text
        };
        let values = set.rdatas().map(print).collect();
        Self { name: name.to_string(), kind: set.kind().to_string(), ttl: set.ttl(), values }
    }
}

/// A page of a zone's record sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordList {
    /// The name of the zone.
    pub zone: String,
    /// The serial of the zone that was read.
    pub serial: u32,
    /// The sets, by name in canonical order, then by the number of their type.
    pub records: Vec<RecordSet>,
    /// Where the next page begins; none behind the last. A page may be short, even empty, and not be the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What shall become of one record set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetBody {
    /// The TTL in seconds, 0 to 2,147,483,647. Without one the set keeps its own; a new set takes that of the zone's SOA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// The data of each record, in presentation format.
    pub values: Vec<String>,
}

/// Many changes that happen together or not at all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The changes, made one after the other.
    pub changes: Vec<PatchStep>,
}

/// One of many changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchStep {
    /// What to do.
    pub action: Action,
    /// The name: `@`, relative to the zone, or absolute with its final dot.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The TTL, as in [`SetBody::ttl`]; only with `put` and `add`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// The values; none with `delete`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What to do with a record set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The set is from now on this.
    Put,
    /// These values join the set.
    Add,
    /// These values leave the set.
    Remove,
    /// The set goes.
    Delete,
}

/// A zone to be made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewZone {
    /// The full names of its name servers, the primary first.
    pub name_servers: Vec<String>,
    /// Whom to write to about the zone, as `anna@example.org`. Default: `hostmaster` at the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The TTL of its first records in seconds. Default: 3600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
}

/// What the server does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version of Freehold.
    pub version: String,
    /// The revision of everything it knows.
    pub revision: u64,
    /// How many zones.
    pub zones: usize,
    /// How many records in all zones.
    pub records: usize,
    /// Where it answers DNS; nowhere when the command line works on the data directory by itself.
    pub addresses: Vec<String>,
    /// Seconds since the start.
    pub uptime_seconds: u64,
}
