//! A change that takes another one back, as a change like any other.
//!
//! A small change is taken back set by set: the writer looks once more whether each set is still what the change had
//! made of it, so nothing that came in between is lost. A zone that comes back or goes, and a large change, are
//! prepared beside the writer ([`super::history`]); it only looks whether the zone is still the one that was prepared for.

use std::iter::Peekable;
use std::sync::Arc;

use super::apply::{Applied, Touched};
use super::codec::{Gathered, Undecodable};
use super::entry::SetChange;
use super::fault::Refused;
use super::snapshot::{Item, ItemKey};
use crate::wire::{Kind, Name};
use crate::zone::tree::Iter;
use crate::zone::{Edit, Fault, Node, SetData, SetEdit, Zone, without_serial};

/// A change that takes another one back; [`super::History::undo`] makes it.
#[derive(Clone, Debug)]
pub struct Undo {
    pub(super) zones: Vec<UndoZone>,
    pub(super) items: Vec<UndoItem>,
}

/// What a change did to a zone is taken back.
#[derive(Clone, Debug)]
pub(super) struct UndoZone {
    pub(super) apex: Name,
    pub(super) how: How,
}

/// How that is done.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// These sets, each from `after` back to `before`.
    Sets(Vec<SetChange>),
    /// The zone, if it is `base` and the very same, becomes `zone`.
    Whole { base: Option<Arc<Zone>>, zone: Option<Arc<Zone>> },
}

/// An item, from `after` back to `before`.
#[derive(Clone, Debug)]
pub(super) struct UndoItem {
    pub(super) key: ItemKey,
    pub(super) before: Option<Item>,
    pub(super) after: Option<Item>,
}

impl Undo {
    /// Records that the writer has to do with, about.
    pub(super) fn weight(&self) -> usize {
        let zone = |zone: &UndoZone| match &zone.how {
            How::Sets(sets) => sets.len(),
            How::Whole { zone, .. } => zone.as_ref().map_or(1, |zone| zone.record_count()),
        };
        self.items.len() + self.zones.iter().map(zone).sum::<usize>()
    }
}

/// Applies an undo.
pub(super) fn apply(applied: &mut Applied, undo: &Undo) -> Result<(), Refused> {
    let before = applied.state.clone();
    for UndoItem { key, before, after } in &undo.items {
        if !is_same_item(applied.state.item(key).as_ref(), after.as_ref()) {
            return Err(Refused::ItemChangedSince(key.clone()));
        }
        applied.put_item(key.clone(), before.clone())?;
    }
    for UndoZone { apex, how } in &undo.zones {
        let now = applied.state.zones.get(apex.borrow());
        match how {
            How::Sets(sets) => {
                let zone = now.ok_or_else(|| Refused::NoSuchZone(apex.clone()))?;
                // What belongs to a route, or did just now, follows from the routes.
                let is_derived = |set: &SetChange| [&before, &applied.state].iter().any(|state| state.derives(set));
                let edit = edit(zone, sets.iter().filter(|set| !is_derived(set)))?;
                applied.edit_zone(apex, &edit)?;
            }
            How::Whole { base, zone } => {
                if now.map(Arc::as_ptr) != base.as_ref().map(Arc::as_ptr) {
                    return Err(Refused::Overtaken);
                }
                let zone = zone.as_ref().map(|zone| applied.complete(zone)).transpose()?;
                applied.warnings.clear(); // they are about zone files
                applied.replace_zone(apex.clone(), zone, Touched::Whole);
            }
        }
    }
    Ok(())
}

/// Whether two items are kept as the same octets.
pub(super) fn is_same_item(a: Option<&Item>, b: Option<&Item>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.encode().ok() == b.encode().ok(),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The edit that puts the sets back, if each is still what the change has made of it.
fn edit<'s>(zone: &Zone, sets: impl Iterator<Item = &'s SetChange>) -> Result<Edit, Refused> {
    let mut edit = Edit::default();
    for change in sets {
        if !is_as_left(zone, change) {
            return Err(Refused::ChangedSince { name: change.name.clone(), kind: change.kind });
        }
        if let Some(set) = put_back(zone, change) {
            edit.sets.push(set);
        }
    }
    Ok(edit)
}

/// Whether a set is still what a change has made of it. The serial of the SOA moves with every change and counts for nothing.
pub(super) fn is_as_left(zone: &Zone, change: &SetChange) -> bool {
    let now = zone.node(change.name.borrow()).and_then(|node| node.set(change.kind)).map(|set| set.to_data());
    now == change.after || same_but_serial(now.as_ref(), change.after.as_ref())
}

/// Whether a change did no more to this set than to move its serial.
pub(super) fn only_moved_serial(change: &SetChange) -> bool {
    same_but_serial(change.before.as_ref(), change.after.as_ref())
}

fn same_but_serial(a: Option<&SetData>, b: Option<&SetData>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let same = || a.rdatas.iter().zip(&b.rdatas).all(|(a, b)| without_serial(a) == without_serial(b));
    a.kind == Kind::SOA && b.kind == Kind::SOA && a.ttl == b.ttl && same()
}

/// A set as it was before the change, for the zone as it is now; `None` if there is nothing to put back.
/// An SOA keeps the serial of now, from which the change moves it on.
pub(super) fn put_back(zone: &Zone, change: &SetChange) -> Option<SetEdit> {
    if only_moved_serial(change) {
        return None;
    }
    let mut after = change.before.clone();
    if change.kind == Kind::SOA
        && let Some(soa) = &mut after
    {
        for data in &mut soa.rdatas {
            with_serial(data, zone.serial());
        }
    }
    Some(SetEdit { name: change.name.clone(), kind: change.kind, after })
}

fn with_serial(soa: &mut [u8], serial: u32) {
    let at = soa.len().saturating_sub(20);
    if let Some(octets) = soa.get_mut(at..at + 4) {
        octets.copy_from_slice(&serial.to_be_bytes());
    }
}

/// Why sets do not make a zone.
pub(super) enum Unfit {
    /// A set is too large.
    Malformed,
    /// There is no SOA, or the names are out of order.
    Zone(Fault),
}

/// A zone and changed sets, both in canonical order, become one zone, in one pass.
pub(super) struct Merge<'z> {
    zone: Gathered,
    nodes: Option<Peekable<Iter<'z, Node>>>,
    /// The sets of the name that is being changed.
    open: Vec<SetEdit>,
}

impl<'z> Merge<'z> {
    /// Changes over a zone, or over nothing.
    pub(super) fn new(apex: Name, base: Option<&'z Zone>) -> Self {
        Self { zone: Gathered::new(apex), nodes: base.map(|zone| zone.nodes().peekable()), open: Vec::new() }
    }

    /// The next changed set.
    pub(super) fn push(&mut self, set: SetEdit) -> Result<(), Unfit> {
        if self.open.first().is_some_and(|first| first.name != set.name) {
            self.close()?;
        }
        self.open.push(set);
        Ok(())
    }

    /// The zone. Whether it is sound is not looked at.
    pub(super) fn finish(mut self) -> Result<Zone, Unfit> {
        self.close()?;
        let rest = self.nodes.take().into_iter().flatten().filter(|node| !node.is_empty());
        rest.for_each(|node| self.zone.push(node.clone()));
        self.zone.finish().map_err(Unfit::Zone)
    }

    fn close(&mut self) -> Result<(), Unfit> {
        let changes = std::mem::take(&mut self.open);
        let Some(name) = changes.first().map(|set| set.name.clone()) else { return Ok(()) };
        let mut sets: Vec<SetData> = Vec::new();
        if let Some(nodes) = &mut self.nodes {
            while let Some(node) = nodes.next_if(|node| node.name().canonical_cmp(name.borrow()).is_lt()) {
                if !node.is_empty() {
                    self.zone.push(node.clone());
                }
            }
            let node = nodes.next_if(|node| node.name() == name.borrow());
            sets.extend(node.into_iter().flat_map(Node::sets).map(|set| set.to_data()));
        }
        sets.retain(|set| changes.iter().all(|change| change.kind != set.kind));
        sets.extend(changes.into_iter().filter_map(|change| change.after));
        sets.sort_by_key(|set| set.kind);
        if !sets.is_empty() {
            self.zone.push(Node::new(name.borrow(), &sets).map_err(|_| Unfit::Malformed)?);
        }
        Ok(())
    }
}

impl From<Unfit> for std::io::Error {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Malformed => Undecodable::Malformed.into(),
            Unfit::Zone(fault) => Self::new(std::io::ErrorKind::InvalidData, fault.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::apply;
    use crate::store::change::{Actor, Change};
    use crate::store::codec::tests::zone;
    use crate::store::entry::{self, Part};
    use crate::store::snapshot::Snapshot;

    /// What the journal says of the way from one version to the next.
    fn changes(applied: &Applied) -> Vec<SetChange> {
        let (mut octets, mut sets) = (Vec::new(), Vec::new());
        if applied.changed() {
            entry::write(&mut octets, 0, &Actor::new("ann", ""), applied).unwrap();
            let mut input = &octets[..];
            let Part::Zone { apex, .. } = entry::read(&mut input).unwrap().next_part(&mut input).unwrap().unwrap()
            else {
                panic!("no zone")
            };
            while let Some(set) = entry::read_set_change(&mut input, apex.borrow()).unwrap() {
                sets.push(set);
            }
        }
        sets
    }

    fn state(zone: &Arc<Zone>) -> Snapshot {
        Snapshot { zones: [zone.clone()].into_iter().collect(), ..Snapshot::default() }
    }

    fn undone(state: &Snapshot, apex: Name, sets: Vec<SetChange>) -> Arc<Zone> {
        let undo = Undo { zones: vec![UndoZone { apex, how: How::Sets(sets) }], items: Vec::new() };
        let applied = apply::apply(state, &Change::Undo(undo)).unwrap();
        applied.zones[0].after.clone().unwrap()
    }

    fn same(a: &Zone, b: &Zone) -> bool {
        a.name_count() == b.name_count() && a.nodes().zip(b.nodes()).all(|(a, b)| a.same(b))
    }

    fn version(serial: u32, texts: &[(String, String)]) -> Arc<Zone> {
        let texts: Vec<_> = texts.iter().map(|(owner, text)| (&owner[..], &text[..])).collect();
        Arc::new(zone("example.org", serial, &texts))
    }

    fn texts() -> impl Strategy<Value = Vec<(String, String)>> {
        let texts = prop::collection::btree_map("[a-c]{1,2}(\\.[ab]){0,2}", "[a-z]{1,3}", 0..15);
        texts.prop_map(|texts| texts.into_iter().collect())
    }

    proptest! {
        /// Nothing is left of a change and its undo but a newer serial; and the two ways to put sets back agree.
        #[test]
        fn change_and_undo_are_nothing(old in texts(), new in texts()) {
            let (old, new) = (version(5, &old), version(6, &new));
            let done = apply::apply(&state(&old), &Change::PutZone { zone: new.clone() }).unwrap();
            let sets = changes(&done);
            let mut merge = Merge::new(old.apex().to_name(), Some(&new));
            for set in sets.iter().filter_map(|change| put_back(&new, change)) {
                prop_assert!(merge.push(set).is_ok());
            }
            let merged = merge.finish().ok().unwrap().with_serial(7);
            let undone = undone(&done.state, old.apex().to_name(), sets);
            prop_assert!(same(&undone, &old.with_serial(undone.serial())));
            if undone.serial() == 7 { // else there was nothing to put back
                prop_assert!(same(&merged, &undone) && merged.errors().is_empty());
            }
        }
    }

    #[test]
    fn other_fields_of_the_soa_come_back_and_the_serial_does_not() {
        let old = version(5, &[]);
        let soa = old.apex_node().set(Kind::SOA).unwrap().to_data();
        let mut after = soa.clone();
        *after.rdatas[0].last_mut().unwrap() ^= 1;
        let set = SetEdit { name: old.apex().to_name(), kind: Kind::SOA, after: Some(after) };
        let edit = Change::EditZone { apex: old.apex().to_name(), edit: Edit { sets: vec![set] } };
        let done = apply::apply(&state(&old), &edit).unwrap();
        let undone = undone(&done.state, old.apex().to_name(), changes(&done));
        assert!(same(&undone, &old.with_serial(7)), "{undone:?}");
    }
}
