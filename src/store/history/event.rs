//! One change as the history tells it: who, from where, when, which zones and items, how much, and the first of its sets.

use std::borrow::Cow;
use std::io::{self, Read};

use crate::store::change::Actor;
use crate::store::entry::{self, ItemChange, Part, SetChange, Shape};
use crate::store::snapshot::{Item, ItemKey};
use crate::wire::{Kind, Name, NameRef};
use crate::zone::{Count, SetData, record_difference};

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The revision it made.
    pub revision: u64,
    /// When, in seconds since 1970.
    pub unix_seconds: u64,
    /// Who, and from where.
    pub actor: Actor,
    /// The zones that changed: all, or the first of many; where one zone was asked for, only that.
    pub zones: Vec<ZoneEvent>,
    /// The items that changed: all, or the first of many.
    pub items: Vec<ItemEvent>,
    /// How many zones and items changed.
    pub part_count: usize,
}

/// What a change did to a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneEvent {
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

/// What a change did to an item; nothing secret is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemEvent {
    /// Where it lies.
    pub key: ItemKey,
    /// What people call it.
    pub name: String,
    /// What became of it.
    pub shape: Shape,
    /// What there is to say of it as it was before.
    pub before: Option<String>,
    /// What there is to say of it as it was afterwards.
    pub after: Option<String>,
}

/// How much of a change is kept.
#[derive(Clone, Copy)]
pub(super) struct Keep {
    parts: usize,
    sets: usize,
    octets: usize,
}

impl Keep {
    /// In a page of many: enough to say what it was about.
    pub(super) const PAGE: Self = Self { parts: 20, sets: 20, octets: 16 << 10 };
    /// Of one change.
    pub(super) const ONE: Self = Self { parts: 10_000, sets: 1_000, octets: 1 << 20 };
}

impl Event {
    /// Whether all parts and all sets are at hand.
    pub fn is_whole(&self) -> bool {
        self.zones.len() + self.items.len() == self.part_count && self.zones.iter().all(ZoneEvent::is_whole)
    }

    /// What it did to a zone, given in lower case.
    pub fn of_zone(&self, apex: &Name) -> Option<&ZoneEvent> {
        self.zones.iter().find(|part| part.zone == *apex)
    }

    /// Reads a change; `None` if there is nothing to tell of it: it was of other zones than the wanted one, or only of
    /// items that are nobody's news.
    pub(super) fn read(
        revision: u64,
        input: &mut impl Read,
        wanted: Option<NameRef<'_>>,
        keep: Keep,
    ) -> io::Result<Option<Self>> {
        let mut head = entry::read(input)?;
        let (unix_seconds, actor) = (head.unix_seconds, head.actor.clone());
        let (mut zones, mut items, mut part_count) = (Vec::new(), Vec::new(), 0);
        let mut keep = keep;
        let mut found = wanted.is_none();
        while let Some(part) = head.next_part(input)? {
            let has_room = zones.len() + items.len() < keep.parts;
            match part {
                Part::Item(change) if change.key.shelf.is_silent() => continue,
                Part::Item(change) if has_room => items.push(ItemEvent::of(&change)),
                Part::Item(_) => (),
                Part::Zone { apex, shape } => {
                    let is_wanted = wanted.is_none_or(|wanted| wanted == apex.borrow());
                    found |= is_wanted;
                    let event = ZoneEvent::read(input, apex, shape, &mut keep)?;
                    match is_wanted {
                        true if has_room => zones.push(event),
                        true => (),
                        false => continue,
                    }
                }
            }
            part_count += 1;
        }
        let event = Self { revision, unix_seconds, actor, zones, items, part_count };
        Ok((found && part_count > 0).then_some(event))
    }
}

impl ItemEvent {
    fn of(change: &ItemChange) -> Self {
        let name = change.after.as_ref().or(change.before.as_ref()).map(Item::name);
        Self {
            key: change.key.clone(),
            name: name.map_or_else(|| change.key.key.clone(), Cow::into_owned),
            shape: change.shape(),
            before: change.before.as_ref().map(Item::line),
            after: change.after.as_ref().map(Item::line),
        }
    }
}

impl ZoneEvent {
    /// Whether all sets are at hand.
    pub fn is_whole(&self) -> bool {
        self.sets.len() == self.set_count
    }

    fn read(input: &mut impl Read, zone: Name, shape: Shape, keep: &mut Keep) -> io::Result<Self> {
        let mut event = Self {
            zone,
            shape,
            serial_before: None,
            serial_after: None,
            count: Count::default(),
            set_count: 0,
            sets: Vec::new(),
        };
        while let Some(change) = entry::read_set_change(input, event.zone.borrow())? {
            event.add(change, keep);
        }
        Ok(event)
    }

    fn add(&mut self, change: SetChange, keep: &mut Keep) {
        if change.kind == Kind::SOA && change.name == self.zone {
            self.serial_before = change.before.as_ref().and_then(serial);
            self.serial_after = change.after.as_ref().and_then(serial);
        }
        change.records(&mut self.count, &mut |_, _, _| ());
        let is_next = self.sets.len() == self.set_count; // a gap among those kept would mislead
        self.set_count += 1;
        let size: usize = change.before.iter().chain(&change.after).map(size).sum();
        if is_next && keep.sets > 0 && (size <= keep.octets || self.sets.is_empty()) {
            keep.octets = keep.octets.saturating_sub(size);
            keep.sets -= 1;
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
