use std::sync::Arc;

use proptest::prelude::*;

use super::record::{BLOCKS, ITEMS, MANIFESTS, STATE_KEY, zone_key};
use super::*;
use crate::store::EdgeAddresses;
use crate::store::apply::apply;
use crate::store::change::Change;
use crate::store::codec::tests::zone;
use crate::store::snapshot::Item;
use crate::wire::{Kind, Name};
use crate::zone::{Edit, SetData, SetEdit};

fn disk(place: &tempfile::TempDir) -> Disk {
    Disk::new(place.path().join("sled"), Medium::default(), 1 << 20)
}

fn large_zone(names: usize) -> Arc<crate::zone::Zone> {
    let texts: Vec<_> = (0..names).map(|i| (format!("host{i:05}"), "x".repeat(200))).collect();
    let texts: Vec<_> = texts.iter().map(|(name, text)| (&name[..], &text[..])).collect();
    Arc::new(zone("example.org", 1, &texts))
}

fn text_set(name: &str, size: Option<u8>) -> SetEdit {
    let name = Name::parse(name.as_bytes(), Some("example.org.".parse::<Name>().unwrap().borrow())).unwrap();
    let data = |size: u8| SetData::new(Kind::TXT, 60, vec![[&[size][..], &vec![b'y'; size.into()]].concat().into()]);
    SetEdit { name, kind: Kind::TXT, after: size.map(data) }
}

fn assert_same(found: &Snapshot, wanted: &Snapshot) {
    assert_eq!((found.revision, found.zones.len()), (wanted.revision, wanted.zones.len()));
    for (found, wanted) in found.zones.iter().zip(wanted.zones.iter()) {
        assert_eq!(found.nodes().count(), wanted.nodes().count());
        assert!(found.nodes().zip(wanted.nodes()).all(|(found, wanted)| found.same(wanted)));
    }
    let items = |state: &Snapshot| state.items().map(|item| (item.key(), item.encode().unwrap())).collect::<Vec<_>>();
    assert_eq!(items(found), items(wanted));
}

fn addresses(last: u8) -> Item {
    Item::Addresses(Arc::new(EdgeAddresses::new([[192, 0, 2, last].into()], [])))
}

/// Makes a change and folds it.
fn step(disk: &Disk, state: &Snapshot, change: &Change) -> Snapshot {
    let applied = apply(state, change).unwrap();
    let mut touched = TouchedParts::default();
    touched.add(&applied);
    let new = Snapshot { revision: state.revision + 1, ..applied.state };
    disk.fold(state.revision, &touched, &new).unwrap();
    assert_same(&disk.load().unwrap().unwrap(), &new);
    new
}

#[test]
fn zones_come_and_go() {
    let place = tempfile::tempdir().unwrap();
    let disk = disk(&place);
    assert!(disk.load().unwrap().is_none());
    let mut state = Snapshot::default();
    disk.rewrite(&state).unwrap();
    assert_same(&disk.load().unwrap().unwrap(), &state);
    for name in ["example.org", "sub.example.org", "example.com"] {
        state = step(&disk, &state, &Change::PutZone { zone: Arc::new(zone(name, 1, &[("a.b", "text")])) });
    }
    state = step(&disk, &state, &Change::DeleteZone { apex: "example.org.".parse().unwrap() });
    step(&disk, &state, &Change::PutZone { zone: large_zone(100) });
}

#[test]
fn items_come_and_go() {
    let place = tempfile::tempdir().unwrap();
    let disk = disk(&place);
    let mut state = Snapshot::default();
    disk.rewrite(&state).unwrap();
    state = step(&disk, &state, &Change::PutItem(addresses(1)));
    let zone = Change::PutZone { zone: Arc::new(zone("example.org", 1, &[])) };
    state = step(&disk, &state, &Change::Many(vec![zone, Change::PutItem(addresses(2))]));
    disk.rewrite(&state).unwrap();
    assert_same(&disk.load().unwrap().unwrap(), &state);
    state = step(&disk, &state, &Change::DeleteItem(addresses(2).key()));
    step(&disk, &state, &Change::PutItem(addresses(3)));
    for damage in [|octet: &mut u8| *octet ^= 1, |octet: &mut u8| *octet ^= 128] {
        disk.with_tree(|db| {
            let (key, value) = db.scan_prefix([ITEMS]).next().unwrap()?;
            let mut value = value.to_vec();
            damage(&mut value[5]);
            Ok(db.insert(key, value)?)
        })
        .unwrap();
        assert!(matches!(disk.load(), Err(DiskFault::Damaged(_))));
    }
    disk.with_tree(|db| Ok(db.remove(db.scan_prefix([ITEMS]).next().unwrap()?.0)?)).unwrap();
    assert!(matches!(disk.load(), Err(DiskFault::Damaged(_))), "an item is missing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]
    #[test]
    fn folding_edits_is_writing_anew(steps in prop::collection::vec(prop::collection::vec((0..1300usize, prop::option::of(any::<u8>())), 1..60), 1..4)) {
        let place = tempfile::tempdir().unwrap();
        let disk = disk(&place);
        let mut state = Snapshot { revision: 1, zones: [large_zone(1000)].into_iter().collect(), ..Snapshot::default() };
        disk.rewrite(&state).unwrap();
        for edits in steps {
            // Among them names before, between and behind those that are there, and below empty non-terminals.
            let sets = edits.iter().map(|(i, size)| text_set(&format!("{}host{i:05}", ["", "a.b.", "z"][i % 3]), *size));
            let edit = Edit { sets: sets.collect() };
            let apex: Name = "example.org.".parse().unwrap();
            state = step(&disk, &state, &Change::EditZone { apex, edit });
        }
    }
}

#[test]
fn a_range_that_empties_out_leaves_no_crumbs() {
    let place = tempfile::tempdir().unwrap();
    let disk = disk(&place);
    let mut state = Snapshot { revision: 1, zones: [large_zone(1000)].into_iter().collect(), ..Snapshot::default() };
    disk.rewrite(&state).unwrap();
    let blocks = || disk.with_tree(|db| Ok(db.scan_prefix([BLOCKS]).count())).unwrap();
    assert!(blocks() > 10);
    for start in [100, 500, 900, 0] {
        let sets = (start..start + 400).map(|i| text_set(&format!("host{:05}", i % 1000), None)).collect();
        state = step(&disk, &state, &Change::EditZone { apex: "example.org.".parse().unwrap(), edit: Edit { sets } });
    }
    assert_eq!(blocks(), 1);
}

#[test]
fn whatever_is_missing_is_noticed() {
    let place = tempfile::tempdir().unwrap();
    let disk = disk(&place);
    let state = Snapshot { revision: 7, zones: [large_zone(1000)].into_iter().collect(), ..Snapshot::default() };
    let apex: Name = "example.org.".parse().unwrap();
    let block = disk.with_tree(|_| Ok(())).and_then(|()| {
        disk.rewrite(&state)?;
        disk.with_tree(|db| Ok(db.scan_prefix(zone_key(BLOCKS, apex.borrow())).keys().nth(3).unwrap()?))
    });
    let block = block.unwrap();
    let mut other_place = block.to_vec();
    other_place.push(b'x');
    let keys: [&[u8]; 3] = [&block, &zone_key(MANIFESTS, apex.borrow()), &STATE_KEY];
    for key in keys {
        disk.rewrite(&state).unwrap();
        disk.with_tree(|db| Ok(db.remove(key)?)).unwrap();
        assert!(matches!(disk.load(), Err(DiskFault::Damaged(_) | DiskFault::Unfinished)));
    }
    disk.rewrite(&state).unwrap();
    disk.with_tree(|db| {
        let value = db.remove(&block)?.unwrap();
        Ok(db.insert(&other_place, value)?)
    })
    .unwrap();
    assert!(matches!(disk.load(), Err(DiskFault::Damaged(_))));
}

#[test]
fn a_newer_schema_is_never_touched() {
    let place = tempfile::tempdir().unwrap();
    let disk = disk(&place);
    disk.rewrite(&Snapshot::default()).unwrap();
    disk.with_tree(|db| {
        let mut octets = 3_u32.to_le_bytes().to_vec();
        octets.extend(crc32c::crc32c(&octets).to_le_bytes());
        Ok(db.insert(STATE_KEY, octets)?)
    })
    .unwrap();
    assert!(matches!(disk.load(), Err(DiskFault::Newer(3))));
}
