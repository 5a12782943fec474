//! Snapshot + change → the next state, or why not. No I/O, no clock: what is decided here is decided the same way
//! every time.

use std::sync::Arc;

use crate::wire::{Name, NameRef};
use crate::zone::{Edit, Zone, node_difference, serial};

use super::change::Change;
use super::fault::Refused;
use super::snapshot::{Snapshot, Zones};

/// What a change makes of the state.
pub(super) struct Applied {
    /// All zones afterwards.
    pub(super) zones: Zones,
    /// The zone that changed.
    pub(super) apex: Name,
    /// That zone before.
    pub(super) before: Option<Arc<Zone>>,
    /// That zone afterwards.
    pub(super) after: Option<Arc<Zone>>,
    /// Where in it to look for the difference.
    pub(super) touched: Touched,
}

impl Applied {
    /// Whether this is a change at all.
    pub(super) fn changed(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => !Arc::ptr_eq(before, after),
            (before, after) => before.is_some() || after.is_some(),
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

/// Applies a change.
pub(super) fn apply(zones: &Zones, change: &Change) -> Result<Applied, Refused> {
    match change {
        Change::PutZone { zone } => Ok(put(zones, zone)),
        Change::EditZone { apex, edit } => change_zone(zones, apex, edit),
        Change::DeleteZone { apex } => delete(zones, apex),
    }
}

impl Snapshot {
    /// What a change would make of this state, were it committed now; nothing is kept.
    pub fn after(&self, change: &Change) -> Result<Self, Refused> {
        let applied = apply(&self.zones, change)?;
        let revision = self.revision + u64::from(applied.changed());
        Ok(Self { revision, zones: applied.zones })
    }
}

fn put(zones: &Zones, new: &Arc<Zone>) -> Applied {
    let apex = new.apex().to_name();
    let Some(old) = zones.get(new.apex()).cloned() else {
        return replaced(zones, apex, None, Some(new.clone()), Touched::Whole);
    };
    let newer = serial::newer(new.serial(), old.serial());
    // A file that was imported before comes back with the serial it had then; that alone is no change.
    let level = if newer { new.clone() } else { with_serial(new, old.serial()) };
    let after = match (same_content(&old, &level), newer) {
        (true, _) => old.clone(),
        (false, true) => level,
        (false, false) => with_serial(new, serial::next(old.serial())),
    };
    replaced(zones, apex, Some(old), Some(after), Touched::Whole)
}

fn change_zone(zones: &Zones, apex: &Name, edit: &Edit) -> Result<Applied, Refused> {
    let apex = apex.borrow().to_lower();
    let old = zones.get(apex.borrow()).ok_or_else(|| Refused::NoSuchZone(apex.clone()))?.clone();
    let new = old.edit(edit).map_err(Refused::Unsound)?;
    let mut touched: Vec<_> = edit.sets.iter().map(|set| set.name.borrow().to_lower()).collect();
    let after = match touched.iter().any(|name| differs(&old, &new, name.borrow())) {
        false => old.clone(),
        true if serial::newer(new.serial(), old.serial()) => Arc::new(new),
        true => Arc::new(new.with_serial(serial::next(old.serial()))),
    };
    touched.push(apex.clone()); // the serial stands there
    touched.sort_by(|a, b| a.borrow().canonical_cmp(b.borrow()));
    touched.dedup();
    Ok(replaced(zones, apex, Some(old), Some(after), Touched::Names(touched)))
}

fn delete(zones: &Zones, apex: &Name) -> Result<Applied, Refused> {
    let apex = apex.borrow().to_lower();
    let old = zones.get(apex.borrow()).ok_or_else(|| Refused::NoSuchZone(apex.clone()))?.clone();
    Ok(replaced(zones, apex, Some(old), None, Touched::Whole))
}

fn replaced(
    zones: &Zones,
    apex: Name,
    before: Option<Arc<Zone>>,
    after: Option<Arc<Zone>>,
    touched: Touched,
) -> Applied {
    Applied { zones: with_zone(zones, apex.borrow(), after.clone()), apex, before, after, touched }
}

/// The zones with this one in place of the one of the same name.
pub(super) fn with_zone(zones: &Zones, apex: NameRef<'_>, after: Option<Arc<Zone>>) -> Zones {
    let mut zones = zones.clone();
    match after {
        Some(zone) => zones.insert(zone),
        None => drop(zones.remove(apex)),
    }
    zones
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
