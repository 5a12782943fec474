//! What requests and answers hold, as JSON. The command line reads the very same types.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

use super::certificates::CertificateError;
use super::problem::ZoneFault;
use crate::wire::{NameRef, rdata};
use crate::zone::{Set, Zone};

/// A whole number, however it is written: to JSON Schema, and to some languages, 300.0 is one too.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    // Beyond 2^53 not every number is a float: there only digits are taken at their word.
    let of_float =
        |float: f64| (float.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&float)).then_some(float as u64);
    let whole = number.as_u64().or_else(|| of_float(number.as_f64()?));
    whole.ok_or_else(|| D::Error::custom(format!("{number} is not a whole number from 0")))
}

/// As [`whole`], or null.
pub(super) fn maybe_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Whole(#[serde(deserialize_with = "whole")] u64);
    Ok(Option::<Whole>::deserialize(deserializer)?.map(|Whole(number)| number))
}

/// A name as people write it: without the final dot. The root stays `.`
pub fn plain(name: NameRef<'_>) -> String {
    let mut text = name.to_string();
    if text.len() > 1 {
        text.pop();
    }
    text
}

/// A zone in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZoneSummary {
    /// The name of the zone.
    #[schema(examples("home.example"))]
    pub name: String,
    /// The serial of its SOA.
    #[schema(examples(2026112102))]
    pub serial: u32,
    /// How many names have records or names below them.
    #[schema(examples(25))]
    pub names: usize,
    /// How many records.
    #[schema(examples(48))]
    pub records: usize,
}

impl ZoneSummary {
    /// The summary of a zone.
    pub fn of(zone: &Zone) -> Self {
        Self { name: plain(zone.apex()), serial: zone.serial(), names: zone.name_count(), records: zone.record_count() }
    }
}

/// Zones: all, or a page of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ZoneList {
    /// The revision of everything Freehold knows that this list was read from.
    #[schema(examples(7))]
    pub revision: u64,
    /// The zones in canonical order.
    pub zones: Vec<ZoneSummary>,
    /// Where the next page begins; none behind the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("office.example"))]
    pub next: Option<String>,
}

/// What a change of a zone did, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(examples(json!({
    "zone": "home.example", "changed": true, "dry_run": false, "revision": 7,
    "serial_before": 2026112101, "serial_after": 2026112102, "added": 0, "altered": 1, "removed": 0,
    "differences": [
        {"sign": "-", "record": "www.home.example. 300 IN A 192.0.2.10"},
        {"sign": "+", "record": "www.home.example. 300 IN A 192.0.2.11"},
    ],
})))]
pub struct ZoneChange {
    /// The name of the zone.
    #[schema(examples("home.example"))]
    pub zone: String,
    /// Whether anything changed; without a change the revision and the serial stay.
    #[schema(examples(true))]
    pub changed: bool,
    /// Whether this only says what would change.
    #[schema(examples(false))]
    pub dry_run: bool,
    /// The revision after the change; of a dry run, the revision it was tried at.
    #[schema(examples(7))]
    pub revision: u64,
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
    /// Each record that goes or comes; only when asked what would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// What somebody should look at, although the zone is served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ZoneFault>,
}

/// A record that goes or comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// `-` for a record that goes, `+` for one that comes.
    #[schema(value_type = String, pattern = "^[-+]$", examples("+"))]
    pub sign: char,
    /// The record as a line of a zone file.
    #[schema(examples("www.home.example. 300 IN A 192.0.2.10"))]
    pub record: String,
}

/// All records of one name and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordSet {
    /// The name, absolute, with its final dot.
    #[schema(examples("www.home.example."))]
    pub name: String,
    /// The type, such as `A` or `TYPE65280`.
    #[serde(rename = "type")]
    #[schema(examples("A"))]
    pub kind: String,
    /// The TTL of all of them, in seconds.
    #[schema(maximum = 2_147_483_647, examples(300))]
    pub ttl: u32,
    /// The data of each, in presentation format, names absolute; in the order of their octets.
    #[schema(min_items = 1, examples("192.0.2.10"))]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordList {
    /// The name of the zone.
    #[schema(examples("home.example"))]
    pub zone: String,
    /// The serial of the zone that was read.
    #[schema(examples(2026112102))]
    pub serial: u32,
    /// The sets, by name in canonical order, then by the number of their type.
    pub records: Vec<RecordSet>,
    /// Where the next page begins; none behind the last. A page may be short, even empty, and not be the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("00010377777704686f6d65076578616d706c6500"))]
    pub next: Option<String>,
}

/// What shall become of one record set.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBody {
    /// The TTL in seconds, 0 to 2,147,483,647. Without one the set keeps its own; a new set takes that of the zone's SOA.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "maybe_whole")]
    #[schema(value_type = Option<u32>, maximum = 2_147_483_647, examples(300))]
    pub ttl: Option<u64>,
    /// The data of each record, in presentation format.
    #[schema(min_items = 1, examples("192.0.2.10"))]
    pub values: Vec<String>,
}

/// Many changes that happen together or not at all.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"changes": [
    {"action": "delete", "name": "new", "type": "A"},
    {"action": "put", "name": "new", "type": "CNAME", "ttl": 3600, "values": ["www"]},
]})))]
pub struct Patch {
    /// The changes, made one after the other.
    #[schema(min_items = 1)]
    pub changes: Vec<PatchStep>,
}

/// One of many changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchStep {
    /// What to do.
    pub action: Action,
    /// The name: `@`, relative to the zone, or absolute with its final dot.
    #[schema(examples("www"))]
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    #[schema(examples("A"))]
    pub kind: String,
    /// The TTL in seconds; only with `put` and `add`. Without one the set keeps its own; a new set takes that of the zone's SOA.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "maybe_whole")]
    #[schema(value_type = Option<u32>, maximum = 2_147_483_647, examples(300))]
    pub ttl: Option<u64>,
    /// The values; none with `delete`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(examples("192.0.2.10"))]
    pub values: Vec<String>,
}

/// What to do with a record set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewZone {
    /// The full names of its name servers, the primary first.
    #[schema(min_items = 1, examples("ns1.example.net"))]
    pub name_servers: Vec<String>,
    /// Whom to write to about the zone, as `anna@example.org`. Default: `hostmaster` at the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(examples("anna@example.org"))]
    pub email: Option<String>,
    /// The TTL of its first records in seconds. Default: 3600.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "maybe_whole")]
    #[schema(value_type = Option<u32>, maximum = 2_147_483_647, default = 3600, examples(3600))]
    pub ttl: Option<u64>,
}

/// A change to be taken back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Undo {
    /// The revision that the change made, out of the zone's history.
    #[serde(deserialize_with = "whole")]
    #[schema(maximum = 9_007_199_254_740_991_u64, examples(7))]
    pub(super) revision: u64,
}

/// What the server does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The version of Freehold.
    #[schema(examples("0.1.0"))]
    pub version: String,
    /// The revision of everything it knows.
    #[schema(examples(7))]
    pub revision: u64,
    /// How many zones.
    #[schema(examples(3))]
    pub zones: usize,
    /// How many names in all zones.
    #[schema(examples(141))]
    pub names: usize,
    /// How many records in all zones.
    #[schema(examples(168))]
    pub records: usize,
    /// Where it answers DNS; nowhere when the command line works on the data directory by itself.
    #[schema(examples("127.0.0.1:5300"))]
    pub addresses: Vec<String>,
    /// Seconds since the start.
    #[schema(examples(86400))]
    pub uptime_seconds: u64,
    /// DNS queries since the start.
    #[schema(examples(1234567))]
    pub queries: u64,
    /// DNS replies since the start.
    #[schema(examples(1234560))]
    pub replies: u64,
    /// Whether the disk has refused the last change that it was given.
    #[schema(examples(false))]
    pub failing: bool,
    /// Octets of the journal, which holds the newest changes and the history.
    #[schema(examples(48210))]
    pub journal_size: u64,
    /// The newest checkpoint; none before the first.
    #[schema(required)]
    pub checkpoint: Option<Saved>,
    /// The last backup that was taken since the start.
    #[schema(required)]
    pub backup: Option<Saved>,
    /// Octets of memory in use, with the share of what is shared with other processes; unknown where the system does not say.
    #[schema(required, examples(9437184))]
    pub memory_size: Option<u64>,
    /// What somebody has to see to: certificates that nobody renews, zones that the world is not led here for.
    #[serde(default)]
    pub warnings: Vec<CertificateError>,
}

/// A file that holds everything as of one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Saved {
    /// The revision.
    #[schema(examples(7))]
    pub revision: u64,
    /// When it was complete, in UTC.
    #[schema(format = "date-time", examples("2026-11-21T15:55:58Z"))]
    pub time: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_however_they_are_written() {
        let ttl = |text: &str| {
            let body = format!("{{\"values\": [], \"ttl\": {text}}}");
            serde_json::from_str::<SetBody>(&body).map(|body| body.ttl).map_err(|fault| fault.to_string())
        };
        for (text, expected) in
            [("300", 300), ("300.0", 300), ("3e2", 300), ("0.0", 0), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(ttl(text), Ok(Some(expected)), "{text}");
        }
        assert_eq!(ttl("null"), Ok(None));
        for wrong in ["-1", "0.5", "1e300", "-0.5", "18446744073709551616", "\"300\"", "true"] {
            assert!(ttl(wrong).is_err(), "{wrong}");
        }
        assert!(ttl("300.5").unwrap_err().starts_with("300.5 is not a whole number from 0 at line 1 column "));
    }
}
