//! Snapshot + change → the next state, or why not. No I/O, no clock: what is decided here is decided the same way
//! every time.

use std::sync::Arc;

use crate::limits::CHANGES_AT_ONCE_MAX;
use crate::wire::{Name, NameRef};
use crate::zone::{Edit, Fault, Zone, node_difference, serial};

use super::change::{Change, Done, DoneItem, DoneZone};
use super::fault::Refused;
use super::snapshot::{Item, ItemKey, Snapshot};
use super::undo;

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
mod tests {
    use super::*;
    use crate::store::Decision;
    use crate::store::EdgeAddresses;
    use crate::store::codec::tests::zone;
    use crate::wire::Kind;
    use crate::zone::{SetData, SetEdit};

    fn serial(applied: &Applied) -> (bool, Option<u32>) {
        (applied.changed(), applied.zones[0].after.as_ref().map(|zone| zone.serial()))
    }

    fn put(zones: &Snapshot, serial: u32, texts: &[(&str, &str)]) -> Applied {
        apply(zones, &Change::PutZone { zone: Arc::new(zone("example.org", serial, texts)) }).unwrap()
    }

    fn edit(zones: &Snapshot, sets: Vec<SetEdit>) -> Result<Applied, Refused> {
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
        let zones = put(&Snapshot::default(), 7, &[("a", "x")]);
        assert_eq!(serial(&zones), (true, Some(7)));
        let zones = zones.state;
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
        let zones = put(&Snapshot::default(), u32::MAX, &[("a", "x")]).state;
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
        let now = Snapshot { revision: 3, ..put(&Snapshot::default(), 7, &[("a", "x")]).state };
        let tried = |text| {
            let zone = Arc::new(zone("example.org", 7, &[("a", text)]));
            let done = now.attempt(&Change::PutZone { zone }).unwrap();
            (done.changed, done.zones[0].after.as_ref().unwrap().serial())
        };
        assert_eq!(tried("x"), (false, 7));
        assert_eq!(tried("y"), (true, 8));
        assert_eq!((now.revision, now.zones.iter().map(|zone| zone.serial()).collect::<Vec<_>>()), (3, vec![7]));
    }

    #[test]
    fn what_is_refused() {
        let none = Snapshot::default();
        let apex: Name = "example.org.".parse().unwrap();
        let no_zone = Some(Refused::NoSuchZone(apex.clone()));
        assert_eq!(apply(&none, &Change::DeleteZone { apex: apex.clone() }).err(), no_zone);
        assert_eq!(edit(&none, vec![]).err(), no_zone);
        let zones = put(&none, 1, &[]).state;
        assert!(matches!(edit(&zones, vec![text("example.com", Some("x"))]), Err(Refused::Unsound(_))));
        let gone = apply(&zones, &Change::DeleteZone { apex }).unwrap();
        assert_eq!((serial(&gone), gone.state.zones.len()), ((true, None), 0));
    }

    /// Puts the set's text to `to` only if it is `from` when the decision is made.
    fn exchange(from: &'static str, to: &'static str) -> Change {
        let apex: Name = "Example.ORG.".parse().unwrap();
        Change::Decide(Decision::new(1, move |now| {
            let zone =
                now.zones.get(apex.borrow().to_lower().borrow()).ok_or_else(|| Refused::NoSuchZone(apex.clone()))?;
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
        let none = apply(&Snapshot::default(), &exchange("x", "y")).err();
        assert_eq!(none, Some(Refused::NoSuchZone("Example.ORG.".parse().unwrap())));
        let zones = put(&Snapshot::default(), 7, &[("a", "x")]).state;
        let first = apply(&zones, &exchange("x", "y")).unwrap();
        assert_eq!(serial(&first), (true, Some(8)));
        assert_eq!(apply(&first.state, &exchange("x", "z")).err(), Some(Refused::Stale { current: None }));
        assert_eq!(serial(&apply(&first.state, &exchange("y", "y")).unwrap()), (false, Some(8)));
    }

    fn addresses(last: u8) -> Item {
        Item::Addresses(Arc::new(EdgeAddresses::new([[192, 0, 2, last].into()], [])))
    }

    fn apex() -> Name {
        "example.org.".parse().unwrap()
    }

    fn text_edit(name: &str, to: Option<&str>) -> Change {
        Change::EditZone { apex: apex(), edit: Edit { sets: vec![text(name, to)] } }
    }

    #[test]
    fn an_item_comes_changes_and_goes() {
        let none = Snapshot::default();
        let key = addresses(1).key();
        assert_eq!(apply(&none, &Change::DeleteItem(key.clone())).err(), Some(Refused::NoSuchItem(key.clone())));
        let one = apply(&none, &Change::PutItem(addresses(1))).unwrap();
        assert!(one.changed() && one.state.addresses.is_some() && none.addresses.is_none());
        let again = apply(&one.state, &Change::PutItem(addresses(1))).unwrap();
        assert!(!again.changed());
        let done = apply(&one.state, &Change::PutItem(addresses(2))).unwrap().done(9);
        let [DoneItem { before: Some(before), after: Some(after), .. }] = &done.items[..] else { panic!("{done:?}") };
        assert_eq!((before.line(), after.line()), ("192.0.2.1".to_owned(), "192.0.2.2".to_owned()));
        let gone = apply(&one.state, &Change::DeleteItem(key)).unwrap();
        assert!(gone.changed() && gone.state.items().next().is_none());
    }

    #[test]
    fn many_changes_are_one_or_none() {
        let before = put(&Snapshot::default(), 7, &[("a", "x")]).state;
        let one = |name: &str| text_edit(name, Some("y"));
        let done = apply(
            &before,
            &Change::Many(vec![one("b.example.org"), Change::PutItem(addresses(1)), one("c.example.org")]),
        )
        .unwrap();
        assert_eq!((serial(&done), done.zones.len(), done.items.len()), ((true, Some(8)), 1, 1));
        let names: Vec<_> =
            ["example.org.", "b.example.org.", "c.example.org."].map(|name| name.parse().unwrap()).into();
        assert_eq!(done.zones[0].touched, Touched::Names(names));
        assert_eq!(done.state.zones.get(apex().borrow()).unwrap().record_count(), 5);
        let broken = Change::Many(vec![Change::PutItem(addresses(1)), text_edit("example.com", Some("y"))]);
        assert!(matches!(apply(&before, &broken), Err(Refused::Unsound(_))));
        let too_many = Change::Many(vec![one("b.example.org"); CHANGES_AT_ONCE_MAX + 1]);
        assert_eq!(apply(&before, &too_many).err(), Some(Refused::TooMany(CHANGES_AT_ONCE_MAX + 1)));
        assert!(apply(&before, &Change::Many(vec![one("b.example.org"); CHANGES_AT_ONCE_MAX])).is_ok());
    }

    #[test]
    fn many_that_lead_nowhere_are_no_change() {
        let before = put(&Snapshot::default(), 7, &[("a", "x")]).state;
        let there_and_back = vec![text_edit("b.example.org", Some("y")), text_edit("b.example.org", None)];
        assert_eq!(serial(&apply(&before, &Change::Many(there_and_back)).unwrap()), (false, Some(7)));
        let other = Change::PutZone { zone: Arc::new(zone("example.org", 3, &[("a", "x")])) };
        let gone_and_back = Change::Many(vec![Change::DeleteZone { apex: apex() }, other]);
        assert_eq!(serial(&apply(&before, &gone_and_back).unwrap()), (false, Some(7)));
        let come_and_gone = vec![
            Change::PutZone { zone: Arc::new(zone("example.com", 3, &[])) },
            Change::DeleteZone { apex: "example.com.".parse().unwrap() },
            Change::PutItem(addresses(1)),
            Change::DeleteItem(addresses(1).key()),
        ];
        let nothing = apply(&before, &Change::Many(come_and_gone)).unwrap();
        assert!(!nothing.changed() && nothing.state.zones.len() == 1);
        // Deleted and made anew, it goes on from the serial it had.
        let new = Change::PutZone { zone: Arc::new(zone("example.org", 3, &[("a", "z")])) };
        let anew = Change::Many(vec![Change::DeleteZone { apex: apex() }, new]);
        assert_eq!(serial(&apply(&before, &anew).unwrap()), (true, Some(8)));
    }

    #[test]
    fn a_decision_among_many_sees_what_those_before_it_did() {
        let before = put(&Snapshot::default(), 7, &[("a", "x")]).state;
        let both = Change::Many(vec![exchange("x", "y"), exchange("y", "z")]);
        assert_eq!(serial(&apply(&before, &both).unwrap()), (true, Some(8)));
        let stale = Change::Many(vec![exchange("x", "y"), exchange("x", "z")]);
        assert_eq!(apply(&before, &stale).err(), Some(Refused::Stale { current: None }));
    }
}
