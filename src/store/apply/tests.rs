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
    assert_eq!(edited(vec![text("a.example.org", Some("x")), text("b.example.org", None)]), (false, Some(u32::MAX)));
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
        let zone = now.zones.get(apex.borrow().to_lower().borrow()).ok_or_else(|| Refused::NoSuchZone(apex.clone()))?;
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
    let done =
        apply(&before, &Change::Many(vec![one("b.example.org"), Change::PutItem(addresses(1)), one("c.example.org")]))
            .unwrap();
    assert_eq!((serial(&done), done.zones.len(), done.items.len()), ((true, Some(8)), 1, 1));
    let names: Vec<_> = ["example.org.", "b.example.org.", "c.example.org."].map(|name| name.parse().unwrap()).into();
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
