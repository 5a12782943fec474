//! Snapshot + change → the next state, or why not. No I/O, no clock: what is decided here is decided the same way
//! every time.

use std::sync::Arc;

use crate::limits::CHANGES_AT_ONCE_MAX;
use crate::wire::{Name, NameRef};
use crate::zone::{Edit, Fault, Zone, node_difference, serial};

use crate::store::change::{Change, Done, DoneItem, DoneZone};
use crate::store::fault::Refused;
use crate::store::snapshot::{Item, ItemKey, Snapshot};
use crate::store::undo;

/// What a change makes of the state: while it is being made out, and in the end.
///
/// Each zone and each item is there once, however often the change came to it, with what it was before the change.
pub(super) struct Applied {
    /// Everything afterwards, still with the revision before.
    pub(super) state: Snapshot,
    /// The zones it came to, changed or not.
    pub(super) zones: Vec<ZonePart>,
    /// The items it came to, changed or not.
    pub(super) items: Vec<ItemPart>,
    /// What whoever made it should know.
    pub(super) warnings: Vec<Fault>,
    /// Hosts of routes whose sets were put into a zone that came as a whole.
    pub(super) settled: Vec<Name>,
}

/// What became of a zone.
pub(super) struct ZonePart {
    pub(super) apex: Name,
    pub(super) before: Option<Arc<Zone>>,
    pub(super) after: Option<Arc<Zone>>,
    /// Where in it to look for the difference.
    pub(super) touched: Touched,
}

/// What became of an item.
pub(super) struct ItemPart {
    pub(super) key: ItemKey,
    pub(super) before: Option<Kept>,
    pub(super) after: Option<Kept>,
}

/// An item, and the octets that are kept of it.
pub(super) struct Kept {
    pub(super) item: Item,
    pub(super) octets: Vec<u8>,
}

impl Kept {
    fn new(item: Item) -> Result<Self, Refused> {
        match item.encode() {
            Ok(octets) => Ok(Self { item, octets }),
            Err(fault) => Err(Refused::Unfit { key: item.key(), reason: fault.to_string() }),
        }
    }
}

/// Which names of a zone may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// Only these, in lower case and canonical order.
    Names(Vec<Name>),
    /// Any.
    Whole,
}

impl ZonePart {
    /// Whether this is a change at all.
    pub(super) fn changed(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => !Arc::ptr_eq(before, after),
            (before, after) => before.is_some() || after.is_some(),
        }
    }
}

impl ItemPart {
    /// Whether this is a change at all.
    pub(super) fn changed(&self) -> bool {
        self.before.as_ref().map(|kept| &kept.octets) != self.after.as_ref().map(|kept| &kept.octets)
    }
}

/// Applies a change.
pub(super) fn apply(state: &Snapshot, change: &Change) -> Result<Applied, Refused> {
    let mut applied = Applied {
        state: state.clone(),
        zones: Vec::new(),
        items: Vec::new(),
        warnings: Vec::new(),
        settled: Vec::new(),
    };
    applied.make(change)?;
    applied.must_be_alone()?;
    applied.derive(state)?;
    Ok(applied)
}

impl Snapshot {
    /// What a change would make of this state, were it committed now; nothing is kept, and the revision is that of now.
    pub fn attempt(&self, change: &Change) -> Result<Done, Refused> {
        apply(self, change).map(|applied| applied.done(self.revision))
    }
}

impl Applied {
    /// Whether this is a change at all.
    pub(super) fn changed(&self) -> bool {
        self.zones.iter().any(ZonePart::changed) || self.items.iter().any(ItemPart::changed)
    }

    /// What to tell whoever made it.
    pub(super) fn done(&self, revision: u64) -> Done {
        let zone = |part: &ZonePart| DoneZone {
            apex: part.apex.clone(),
            before: part.before.clone(),
            after: part.after.clone(),
        };
        let item = |part: &ItemPart| DoneItem {
            key: part.key.clone(),
            before: part.before.as_ref().map(|kept| kept.item.clone()),
            after: part.after.as_ref().map(|kept| kept.item.clone()),
        };
        Done {
            revision,
            changed: self.changed(),
            zones: self.zones.iter().map(zone).collect(),
            items: self.items.iter().map(item).collect(),
            warnings: self.warnings.clone(),
        }
    }

    fn make(&mut self, change: &Change) -> Result<(), Refused> {
        match change {
            Change::PutZone { zone } => {
                let zone = self.complete(zone)?;
                self.put_zone(&zone);
                Ok(())
            }
            Change::EditZone { apex, edit } => self.edit_zone(apex, edit),
            Change::DeleteZone { apex } => self.delete_zone(apex),
            Change::PutItem(item) => self.put_item(item.key(), Some(item.clone())),
            Change::DeleteItem(key) => match self.state.item(key) {
                Some(_) => self.put_item(key.clone(), None),
                None => Err(Refused::NoSuchItem(key.clone())),
            },
            Change::Many(changes) if changes.len() > CHANGES_AT_ONCE_MAX => Err(Refused::TooMany(changes.len())),
            Change::Many(changes) => changes.iter().try_for_each(|change| self.make(change)),
            Change::Decide(decision) => {
                let change = decision.make(&self.state)?;
                self.make(&change)
            }
            Change::Undo(undo) => undo::apply(self, undo),
        }
    }

    // ----- Zones --------------------------------------------------------------------------------------------

    /// A zone as it was before this change.
    fn before(&self, apex: &Name) -> Option<&Arc<Zone>> {
        match self.zones.iter().find(|part| part.apex == *apex) {
            Some(part) => part.before.as_ref(),
            None => self.state.zones.get(apex.borrow()),
        }
    }

    fn put_zone(&mut self, new: &Arc<Zone>) {
        let apex = new.apex().to_name();
        let Some(old) = self.before(&apex).cloned() else {
            return self.replace_zone(apex, Some(new.clone()), Touched::Whole);
        };
        let newer = serial::newer(new.serial(), old.serial());
        // A file that was imported before comes back with the serial it had then; that alone is no change.
        let level = if newer { new.clone() } else { with_serial(new, old.serial()) };
        let after = match (same_content(&old, &level), newer) {
            (true, _) => old,
            (false, true) => level,
            (false, false) => with_serial(new, serial::next(old.serial())),
        };
        self.replace_zone(apex, Some(after), Touched::Whole);
    }

    /// Edits a zone for somebody, and moves its serial.
    pub(super) fn edit_zone(&mut self, apex: &Name, edit: &Edit) -> Result<(), Refused> {
        let (apex, zone) = self.zone(apex)?;
        self.must_not_be_owned(&zone, edit)?;
        self.edit_unasked(&apex, edit)
    }

    /// Edits a zone, whoever owns what, and moves its serial.
    pub(super) fn edit_unasked(&mut self, apex: &Name, edit: &Edit) -> Result<(), Refused> {
        let (apex, old) = self.zone(apex)?;
        let new = old.edit(edit).map_err(Refused::Unsound)?;
        let mut touched: Vec<_> = edit.sets.iter().map(|set| set.name.borrow().to_lower()).collect();
        let before = self.before(&apex).map(|before| before.serial());
        let after = match (touched.iter().any(|name| differs(&old, &new, name.borrow())), before) {
            (false, _) => old,
            (true, Some(before)) if !serial::newer(new.serial(), before) => {
                Arc::new(new.with_serial(serial::next(before)))
            }
            (true, Some(_) | None) => Arc::new(new),
        };
        touched.push(apex.clone()); // the serial stands there
        sort(&mut touched);
        self.replace_zone(apex, Some(after), Touched::Names(touched));
        Ok(())
    }

    fn delete_zone(&mut self, apex: &Name) -> Result<(), Refused> {
        let (apex, _) = self.zone(apex)?;
        self.replace_zone(apex, None, Touched::Whole);
        Ok(())
    }

    /// A zone that must be there as of now.
    fn zone(&self, apex: &Name) -> Result<(Name, Arc<Zone>), Refused> {
        let apex = apex.borrow().to_lower();
        match self.state.zones.get(apex.borrow()).cloned() {
            Some(zone) => Ok((apex, zone)),
            None => Err(Refused::NoSuchZone(apex)),
        }
    }

    /// Puts a zone in another's place.
    pub(super) fn replace_zone(&mut self, apex: Name, after: Option<Arc<Zone>>, touched: Touched) {
        let now = self.state.zones.get(apex.borrow()).cloned();
        let at = match self.zones.iter().position(|part| part.apex == apex) {
            Some(at) => {
                self.zones[at].step(after, touched);
                at
            }
            None => {
                self.zones.push(ZonePart { apex, before: now.clone(), after, touched });
                self.zones.len() - 1
            }
        };
        let ZonePart { apex, after, .. } = &self.zones[at];
        match after {
            Some(after) if now.as_ref().is_some_and(|now| Arc::ptr_eq(now, after)) => (),
            Some(after) => self.state.zones.insert(after.clone()),
            None => drop(self.state.zones.remove(apex.borrow())),
        }
    }

    // ----- Items --------------------------------------------------------------------------------------------

    /// Puts an item where another lies, or nothing.
    pub(super) fn put_item(&mut self, key: ItemKey, after: Option<Item>) -> Result<(), Refused> {
        let kept = after.clone().map(Kept::new).transpose()?;
        match self.items.iter_mut().find(|part| part.key == key) {
            Some(part) => part.after = kept,
            None => {
                let before = self.state.item(&key).map(Kept::new).transpose()?;
                self.items.push(ItemPart { key: key.clone(), before, after: kept });
            }
        }
        match after {
            Some(item) => self.state.put_item(item),
            None => self.state.take_item(&key),
        }
        Ok(())
    }
}

impl Applied {
    /// Refuses a route that is passed on unopened beside another one of its host: nobody could tell whose a connection is.
    fn must_be_alone(&self) -> Result<(), Refused> {
        let changed = self.items.iter().filter(|part| part.changed());
        for kept in changed.filter_map(|part| part.after.as_ref()) {
            let Item::Route(route) = &kept.item else { continue };
            let others = self.state.routes.of_host(route.host());
            if others.len() > 1 && others.iter().any(|other| other.is_passed()) {
                let host = route.host().to_string();
                let route = others.iter().find(|other| other.id() != route.id()).map_or(route.id(), |other| other.id());
                return Err(Refused::NotAlone { host, route: route.to_owned() });
            }
        }
        Ok(())
    }
}

impl ZonePart {
    /// One more step. Of several that lead back to where they began nothing is left, not even a new serial.
    fn step(&mut self, after: Option<Arc<Zone>>, touched: Touched) {
        self.touched.join(touched);
        self.after = after;
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return };
        let level = after.with_serial(before.serial());
        let is_nothing = match &self.touched {
            Touched::Names(names) => !names.iter().any(|name| differs(before, &level, name.borrow())),
            Touched::Whole => same_content(before, &level),
        };
        if is_nothing {
            self.after = self.before.clone();
        }
    }
}

impl Touched {
    fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Names(names), Self::Names(more)) => {
                names.extend(more);
                sort(names);
            }
            (Self::Names(_) | Self::Whole, _) => *self = Self::Whole,
        }
    }
}

/// Brings names in canonical order, each once.
pub(super) fn sort(names: &mut Vec<Name>) {
    names.sort_by(|a, b| a.borrow().canonical_cmp(b.borrow()));
    names.dedup();
}

fn with_serial(zone: &Arc<Zone>, serial: u32) -> Arc<Zone> {
    if zone.serial() == serial { zone.clone() } else { Arc::new(zone.with_serial(serial)) }
}

fn same_content(a: &Zone, b: &Zone) -> bool {
    a.name_count() == b.name_count()
        && a.record_count() == b.record_count()
        && a.nodes().zip(b.nodes()).all(|(a, b)| a.same(b))
}

fn differs(old: &Zone, new: &Zone, name: NameRef<'_>) -> bool {
    let mut differs = false;
    node_difference(old.node(name), new.node(name), &mut |_, _| differs = true);
    differs
}

#[cfg(test)]
mod tests;
