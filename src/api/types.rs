//! What requests and answers hold, as JSON. The command line reads the very same types.

use serde::{Deserialize, Serialize};

use super::problem::ZoneFault;
use crate::wire::NameRef;
use crate::zone::Zone;

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
