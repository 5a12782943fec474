//! One change as the history tells it: who, when, which zone, how much, and the first of its sets.

use std::io::{self, Read};

use crate::store::change::Actor;
use crate::store::entry::{self, SetChange, Shape};
use crate::wire::{Kind, Name, NameRef};
use crate::zone::{Count, SetData, record_difference};

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The revision it made.
    pub revision: u64,
    /// When, in seconds since 1970.
    pub unix_seconds: u64,
    /// Who.
    pub actor: Actor,
    /// The zone.
    pub zone: Name,
    /// What became of the zone.
    pub shape: Shape,
    /// The serial before; none for a new zone.
    pub serial_before: Option<u32>,
    /// The serial after; none for a deleted zone.
    pub serial_after: Option<u32>,
    /// How many records came, changed and went. A new serial alone is not counted.
    pub count: Count,
    /// How many sets changed, the SOA among them.
    pub set_count: usize,
    /// The sets before and after, in canonical order: all, or the first of a large change.
    pub sets: Vec<SetChange>,
}

/// How many sets of a change are kept.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    sets: usize,
    octets: usize,
}

impl Keep {
    /// In a page of many: enough to say what it was about.
    pub(super) const PAGE: Self = Self { sets: 20, octets: 16 << 10 };
    /// Of one change.
    pub(super) const ONE: Self = Self { sets: 1_000, octets: 1 << 20 };
}

impl Event {
    /// Whether all sets are at hand.
    pub fn is_whole(&self) -> bool {
        self.sets.len() == self.set_count
    }

    /// Reads a change; `None` if it is of another zone than the wanted one.
    pub(super) fn read(
        revision: u64,
        input: &mut impl Read,
        zone: Option<NameRef<'_>>,
        keep: Keep,
    ) -> io::Result<Option<Self>> {
        let head = entry::read(input)?;
        if zone.is_some_and(|zone| zone != head.apex.borrow()) {
            return Ok(None);
        }
        let mut event = Self {
            revision,
            unix_seconds: head.unix_seconds,
            actor: head.actor,
            zone: head.apex,
            shape: head.shape,
            serial_before: None,
            serial_after: None,
            count: Count::default(),
            set_count: 0,
            sets: Vec::new(),
        };
        let mut room = keep.octets;
        while let Some(change) = entry::read_set_change(input, event.zone.borrow())? {
            event.add(change, keep.sets, &mut room);
        }
        Ok(Some(event))
    }

    fn add(&mut self, change: SetChange, sets_max: usize, room: &mut usize) {
        if change.kind == Kind::SOA && change.name == self.zone {
            self.serial_before = change.before.as_ref().and_then(serial);
            self.serial_after = change.after.as_ref().and_then(serial);
        }
        change.records(&mut self.count, &mut |_, _, _| ());
        let is_next = self.sets.len() == self.set_count; // a gap among those kept would mislead
        self.set_count += 1;
        let size: usize = change.before.iter().chain(&change.after).map(size).sum();
        if is_next && self.sets.len() < sets_max && (size <= *room || self.sets.is_empty()) {
            *room = room.saturating_sub(size);
            self.sets.push(change);
        }
    }
}

impl SetChange {
    /// Tells `tell(sign, ttl, rdata)` the records that go (`-`) and come (`+`), and counts them.
    pub fn records<'s>(&'s self, count: &mut Count, tell: &mut dyn FnMut(char, u32, &'s [u8])) {
        let records = |set: &'s Option<SetData>| {
            set.iter().flat_map(|set| set.rdatas.iter().map(move |data| (set.ttl, data.as_ref())))
        };
        record_difference(self.kind, records(&self.before), records(&self.after), count, tell);
    }
}

fn size(set: &SetData) -> usize {
    set.rdatas.iter().map(|data| data.len() + 16).sum()
}

fn serial(soa: &SetData) -> Option<u32> {
    let fixed = soa.rdatas.first()?.last_chunk::<20>()?;
    Some(u32::from_be_bytes([fixed[0], fixed[1], fixed[2], fixed[3]]))
}
