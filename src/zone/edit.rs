//! Zone + edit → new zone or faults. Costs what the edit touches, not what the zone holds.

use std::collections::BTreeSet;

use crate::wire::{Kind, Name, NameRef, rdata};

use super::tree::{Named, Tree};
use super::{Fault, Node, SetData, Zone, check};

/// A change to a zone: sets as they shall be afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// The sets that change.
    pub sets: Vec<SetEdit>,
}

/// One set as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetEdit {
    /// The owner name.
    pub name: Name,
    /// The type.
    pub kind: Kind,
    /// The set afterwards; `None` if there shall be none. Its type is `kind`.
    pub after: Option<SetData>,
}

impl Zone {
    /// The zone after the edit, or every fault that would be new in it. The serial does not move by itself.
    pub fn edit(&self, edit: &Edit) -> Result<Self, Vec<Fault>> {
        let mut faults: Vec<_> = edit.sets.iter().filter_map(|set| unsound(self, set)).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let (mut names, mut counts) = (self.names.clone(), self.counts);
        for set in &edit.sets {
            let name = set.name.borrow().to_lower();
            names.get(name.borrow()).inspect(|node| counts.take(node));
            if let Err(fault) = apply(&mut names, self.apex(), name.borrow(), set) {
                faults.push(fault);
            }
            names.get(name.borrow()).inspect(|node| counts.add(node));
        }
        let view = check::View { apex: self.apex(), names: &names };
        let touched: BTreeSet<_> = edit.sets.iter().map(|set| set.name.as_bytes().to_ascii_lowercase()).collect();
        for name in &touched {
            view.errors_at(NameRef::trusted(name), &mut |finding| faults.push(finding.fault(None)));
        }
        match faults.is_empty() {
            true => Zone::assemble(names, self.apex(), counts).map_err(|fault| vec![fault]),
            false => Err(faults),
        }
    }
}

fn unsound(zone: &Zone, edit: &SetEdit) -> Option<Fault> {
    if !edit.name.borrow().is_within(zone.apex()) {
        return Some(Fault::error(
            None,
            format!("{} does not lie in the zone {}", edit.name, zone.apex()),
            "give a name at or below the zone's apex",
        ));
    }
    if edit.kind.is_meta() {
        return Some(Fault::error(
            None,
            format!("{} is a type that is only ever asked, never data", edit.kind),
            "give a type that records can have",
        ));
    }
    let set = edit.after.as_ref()?;
    let sound = set.kind == edit.kind && !set.rdatas.is_empty() && set.rdatas.is_sorted_by(|a, b| a < b);
    if sound && set.rdatas.iter().all(|data| rdata::verify(set.kind, data)) {
        return None;
    }
    Some(Fault::error(
        None,
        format!("the {} record data for {} is not sound", edit.kind, edit.name),
        "give every record of the set once, in the format of its type",
    ))
}

fn apply(names: &mut Tree<Node>, apex: NameRef<'_>, name: NameRef<'_>, edit: &SetEdit) -> Result<(), Fault> {
    let old = names.get(name);
    let mut sets: Vec<SetData> = old.map(|node| node.sets().map(|set| set.to_data()).collect()).unwrap_or_default();
    sets.retain(|set| set.kind != edit.kind);
    if let Some(after) = &edit.after {
        let at = sets.partition_point(|set| set.kind < after.kind);
        sets.insert(at, after.clone());
    }
    if sets.is_empty() {
        clear(names, apex, name);
        return Ok(());
    }
    let node = Node::new(name, &sets).map_err(|large| check::too_large(name, large.0).fault(None))?;
    names.insert(node);
    let mut above = name.parent();
    while let Some(ancestor) = above.filter(|ancestor| ancestor.is_within(apex) && names.get(*ancestor).is_none()) {
        names.insert(Node::empty(ancestor));
        above = ancestor.parent();
    }
    Ok(())
}

/// Takes a name's last set away: the name stays as an empty non-terminal while others lie below it, and with it go the
/// empty non-terminals above that existed only for its sake.
fn clear(names: &mut Tree<Node>, apex: NameRef<'_>, name: NameRef<'_>) {
    let mut at = Some(name);
    while let Some(empty) = at {
        let gone = empty == name || names.get(empty).is_some_and(Node::is_empty);
        if !gone || !empty.is_within(apex) {
            return;
        }
        if has_descendants(names, empty) {
            if empty == name {
                names.insert(Node::empty(name));
            }
            return;
        }
        names.remove(empty);
        at = empty.parent();
    }
}

/// Whether there are names below this one: they follow it in canonical order.
pub(super) fn has_descendants(names: &Tree<Node>, name: NameRef<'_>) -> bool {
    let next = names.iter_from(name).find(|node| Named::name(*node) != name);
    next.is_some_and(|node| node.name().is_within(name))
}
