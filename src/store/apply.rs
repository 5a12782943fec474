//! Snapshot + change → the next state, or why not. No I/O, no clock: what is decided here is decided the same way
//! every time.

use std::sync::Arc;

use crate::wire::{Name, NameRef};
use crate::zone::{Edit, Zone, node_difference, serial};

use super::change::Change;
use super::fault::Refused;
use super::snapshot::{Snapshot, Zones};
use super::undo;

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
        Change::Decide(decision) => apply(zones, &decision.make(zones.get(decision.apex().borrow()))?),
        Change::Undo(undo) => undo::apply(zones, undo),
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

/// Edits a zone and moves its serial.
pub(super) fn change_zone(zones: &Zones, apex: &Name, edit: &Edit) -> Result<Applied, Refused> {
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

/// What it is when a zone takes another's place.
pub(super) fn replaced(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Decision;
    use crate::store::codec::tests::zone;
    use crate::wire::Kind;
    use crate::zone::{SetData, SetEdit};

    fn serial(applied: &Applied) -> (bool, Option<u32>) {
        (applied.changed(), applied.after.as_ref().map(|zone| zone.serial()))
    }

    fn put(zones: &Zones, serial: u32, texts: &[(&str, &str)]) -> Applied {
        apply(zones, &Change::PutZone { zone: Arc::new(zone("example.org", serial, texts)) }).unwrap()
    }

    fn edit(zones: &Zones, sets: Vec<SetEdit>) -> Result<Applied, Refused> {
        apply(zones, &Change::EditZone { apex: "Example.ORG.".parse().unwrap(), edit: Edit { sets } })
    }

    fn text(name: &str, text: Option<&str>) -> SetEdit {
        let data = |text: &str| [&[text.len() as u8], text.as_bytes()].concat().into();
        let after = text.map(|text| SetData::new(Kind::TXT, 300, vec![data(text)]));
        SetEdit { name: name.parse().unwrap(), kind: Kind::TXT, after }
    }

    fn soa(serial: u32) -> SetEdit {
        let zone = zone("example.org", serial, &[]);
        let after = zone.apex_node().set(Kind::SOA).map(|set| set.to_data());
        SetEdit { name: zone.apex().to_name(), kind: Kind::SOA, after }
    }

    #[test]
    fn the_serial_of_a_zone_that_is_put() {
        let zones = put(&Zones::default(), 7, &[("a", "x")]);
        assert_eq!(serial(&zones), (true, Some(7)));
        let zones = zones.zones;
        assert_eq!(serial(&put(&zones, 7, &[("a", "x")])), (false, Some(7)), "the same");
        assert_eq!(serial(&put(&zones, 3, &[("a", "x")])), (false, Some(7)), "the same with an older serial");
        assert_eq!(serial(&put(&zones, 9, &[("a", "x")])), (true, Some(9)), "a newer serial alone");
        assert_eq!(serial(&put(&zones, 9, &[("a", "y")])), (true, Some(9)));
        assert_eq!(serial(&put(&zones, 7, &[("a", "y")])), (true, Some(8)));
        assert_eq!(serial(&put(&zones, 3, &[("a", "y")])), (true, Some(8)));
        assert_eq!(serial(&put(&zones, 7 + (1 << 31), &[("a", "y")])), (true, Some(8)), "no order, so not newer");
    }

    #[test]
    fn the_serial_of_an_edit() {
        let zones = put(&Zones::default(), u32::MAX, &[("a", "x")]).zones;
        let edited = |sets| serial(&edit(&zones, sets).unwrap());
        assert_eq!(edited(vec![]), (false, Some(u32::MAX)));
        assert_eq!(
            edited(vec![text("a.example.org", Some("x")), text("b.example.org", None)]),
            (false, Some(u32::MAX))
        );
        assert_eq!(edited(vec![text("A.example.org", Some("y")), text("b.example.org", Some("z"))]), (true, Some(1)));
        assert_eq!(edited(vec![text("a.example.org", None), soa(5)]), (true, Some(5)));
        assert_eq!(edited(vec![text("a.example.org", None), soa(u32::MAX - 1)]), (true, Some(1)));
    }

    #[test]
    fn a_change_is_tried_without_being_made() {
        let now = Snapshot { revision: 3, zones: put(&Zones::default(), 7, &[("a", "x")]).zones };
        let tried = |text| {
            let zone = Arc::new(zone("example.org", 7, &[("a", text)]));
            let after = now.after(&Change::PutZone { zone }).unwrap();
            (after.revision, after.zones.iter().map(|zone| zone.serial()).collect::<Vec<_>>())
        };
        assert_eq!(tried("x"), (3, vec![7]));
        assert_eq!(tried("y"), (4, vec![8]));
        assert_eq!((now.revision, now.zones.iter().map(|zone| zone.serial()).collect::<Vec<_>>()), (3, vec![7]));
    }

    #[test]
    fn what_is_refused() {
        let none = Zones::default();
        let apex: Name = "example.org.".parse().unwrap();
        let no_zone = Some(Refused::NoSuchZone(apex.clone()));
        assert_eq!(apply(&none, &Change::DeleteZone { apex: apex.clone() }).err(), no_zone);
        assert_eq!(edit(&none, vec![]).err(), no_zone);
        let zones = put(&none, 1, &[]).zones;
        assert!(matches!(edit(&zones, vec![text("example.com", Some("x"))]), Err(Refused::Unsound(_))));
        let gone = apply(&zones, &Change::DeleteZone { apex }).unwrap();
        assert_eq!((serial(&gone), gone.zones.len()), ((true, None), 0));
    }

    /// Puts the set's text to `to` only if it is `from` when the decision is made.
    fn exchange(from: &'static str, to: &'static str) -> Change {
        let apex: Name = "Example.ORG.".parse().unwrap();
        Change::Decide(Decision::new(&apex.clone(), 1, move |zone| {
            let zone = zone.ok_or_else(|| Refused::NoSuchZone(apex.clone()))?;
            let name: Name = "a.example.org.".parse().unwrap();
            let now = zone.node(name.borrow()).and_then(|node| node.set(Kind::TXT)?.rdatas().next());
            if now.is_none_or(|data| &data[1..] != from.as_bytes()) {
                return Err(Refused::Stale { current: None });
            }
            Ok(Change::EditZone { apex: apex.clone(), edit: Edit { sets: vec![text("a.example.org", Some(to))] } })
        }))
    }

    #[test]
    fn a_decision_sees_the_zone_of_its_turn() {
        let none = apply(&Zones::default(), &exchange("x", "y")).err();
        assert_eq!(none, Some(Refused::NoSuchZone("Example.ORG.".parse().unwrap())));
        let zones = put(&Zones::default(), 7, &[("a", "x")]).zones;
        let first = apply(&zones, &exchange("x", "y")).unwrap();
        assert_eq!(serial(&first), (true, Some(8)));
        assert_eq!(apply(&first.zones, &exchange("x", "z")).err(), Some(Refused::Stale { current: None }));
        assert_eq!(serial(&apply(&first.zones, &exchange("y", "y")).unwrap()), (false, Some(8)));
    }
}
