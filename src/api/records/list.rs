//! Pages of a zone's record sets, in canonical order. A page costs what it shows, whatever the zone holds.

use crate::api::Problem;
use crate::api::auth::Allowed;
use crate::api::extract::{self, Queries};
use crate::api::types::{RecordList, RecordSet, plain};
use crate::wire::{Kind, Name, NameRef};
use crate::zone::{Fault, Zone};

/// Sets of a page, if the request does not say.
pub(in crate::api) const LIMIT_DEFAULT: usize = 100;
/// Sets of a page at most.
pub(in crate::api) const LIMIT_MAX: usize = 1_000;
/// Names that are looked at for one page. With a filter that nearly nothing passes, a page ends here, short, and
/// nobody waits for a walk through a million names.
const NAMES_MAX: usize = 10_000;

/// Which sets, and how many.
#[derive(Debug)]
pub(in crate::api) struct Filter {
    name: Option<Name>,
    below: Option<Name>,
    kind: Option<Kind>,
    limit: usize,
    from: Option<Place>,
}

/// Where a page begins: at the set of this name and type, or at the next that there is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    name: Name,
    kind: Kind,
}

impl Filter {
    /// Reads it from the query.
    pub(super) fn read(queries: Queries, apex: NameRef<'_>) -> Result<Self, Problem> {
        let queries = queries.only(&["name", "below", "type", "limit", "cursor"])?;
        let told = |fault: Fault| Problem::bad_request(fault.message, &fault.cure);
        let owner = |key| queries.one(key)?.map(|text| extract::owner(text, apex).map_err(told)).transpose();
        Ok(Self {
            name: owner("name")?,
            below: owner("below")?,
            kind: queries.one("type")?.map(|text| extract::kind(text).map_err(told)).transpose()?,
            limit: queries.number("limit", 1..=LIMIT_MAX as u64)?.map_or(LIMIT_DEFAULT, |limit| limit as usize),
            from: queries.one("cursor")?.map(|text| Place::read(text, apex)).transpose()?,
        })
    }

    /// The page.
    pub(super) fn page(&self, zone: &Zone) -> RecordList {
        self.walk(zone, NAMES_MAX, &|_, _| true)
    }

    /// The page with everything left out that somebody may not see. It goes on until it is full or the zone ends, however
    /// many names that takes: where it stopped would tell a name. Blocks that long.
    pub(super) fn page_for(&self, zone: &Zone, allowed: &Allowed) -> RecordList {
        self.walk(zone, usize::MAX, &|name, kind| allowed.sees(zone.apex(), name, kind))
    }

    fn walk(&self, zone: &Zone, names_max: usize, shows: &dyn Fn(NameRef<'_>, Kind) -> bool) -> RecordList {
        let mut list = RecordList { zone: plain(zone.apex()), serial: zone.serial(), records: Vec::new(), next: None };
        let within = self.name.as_ref().or(self.below.as_ref());
        let starts = [within, self.from.as_ref().map(|place| &place.name)].into_iter().flatten();
        let start = starts.map(Name::borrow).max_by(|a, b| a.canonical_cmp(*b)).unwrap_or(zone.apex());
        for (number, node) in zone.nodes_from(start).enumerate() {
            let name = node.name();
            if !self.reaches(name) {
                break;
            }
            if number == names_max {
                list.next = Some(Place { name: name.to_name(), kind: Kind(0) }.write());
                break;
            }
            for set in node.sets().filter(|set| self.passes(name, set.kind()) && shows(name, set.kind())) {
                if list.records.len() == self.limit {
                    list.next = Some(Place { name: name.to_name(), kind: set.kind() }.write());
                    return list;
                }
                list.records.push(RecordSet::of(name, set));
            }
        }
        list
    }

    /// Whether this name, or one behind it, can be wanted.
    fn reaches(&self, name: NameRef<'_>) -> bool {
        self.name.as_ref().is_none_or(|only| only.borrow() == name)
            && self.below.as_ref().is_none_or(|top| name.is_within(top.borrow()))
    }

    fn passes(&self, name: NameRef<'_>, kind: Kind) -> bool {
        let shown = self.from.as_ref().is_some_and(|from| from.name.borrow() == name && kind < from.kind);
        !shown && self.kind.is_none_or(|only| only == kind)
    }
}

impl Place {
    /// The type and the name in hexadecimal: nothing in it has to be escaped in a query.
    fn write(&self) -> String {
        let octets = self.kind.0.to_be_bytes().into_iter().chain(self.name.as_bytes().iter().copied());
        octets.map(|octet| format!("{octet:02x}")).collect()
    }

    fn read(text: &str, apex: NameRef<'_>) -> Result<Self, Problem> {
        let digit = |letter: u8| b"0123456789abcdef".iter().position(|digit| *digit == letter);
        let octet = |pair: &[u8]| match *pair {
            [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
            _ => None,
        };
        let octets: Option<Vec<u8>> = text.as_bytes().chunks(2).map(octet).collect();
        let place = octets.as_deref().and_then(|octets| {
            let (kind, name) = octets.split_first_chunk()?;
            let (name, rest) = NameRef::read(name).ok()?;
            let sound =
                rest.is_empty() && name.as_bytes().len() <= crate::limits::NAME_SIZE_MAX && name.is_within(apex);
            sound.then(|| Self { name: name.to_lower(), kind: Kind(u16::from_be_bytes(*kind)) })
        });
        place.ok_or_else(|| {
            let detail = "the cursor is not one of this zone".to_owned();
            let hint = "send `next` of the page before, as it is; without a cursor the list begins anew";
            Problem::bad_request(detail, hint)
        })
    }
}
