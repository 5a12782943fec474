//! A workload whose state tells which of its changes are in it, whole or in part.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use freehold::store::{Actor, Change, Decision, Done, EdgeAddresses, Item, Refused, Settings, Snapshot, Store};
use freehold::wire::{Kind, Name};
use freehold::zone::{Draft, Edit, Place, SetData, SetEdit, Zone};

/// Small sizes, so that segments, folds, checkpoints and pruning happen all the time.
pub(crate) fn settings(directory: &Path) -> Settings {
    Settings {
        directory: directory.to_owned(),
        journal_segment_size: 8 << 10,
        history_size_max: 16 << 10,
        checkpoint_after_size: 48 << 10,
        fold_after_size: 12 << 10,
        fold_after_seconds: 1,
        sled_cache_size: 1 << 20,
    }
}

/// As [`settings`], but nothing happens behind the writer's back.
pub(crate) fn quiet_settings(directory: &Path) -> Settings {
    Settings {
        journal_segment_size: 64 << 20,
        checkpoint_after_size: 1 << 40,
        fold_after_size: 1 << 40,
        fold_after_seconds: 1 << 20,
        ..settings(directory)
    }
}

/// How long the long tests run.
pub(crate) fn duration() -> Duration {
    let seconds = std::env::var("FREEHOLD_CRASH_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(10))
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn text(number: u64) -> Box<[u8]> {
    let digits = number.to_string();
    [&[digits.len() as u8], digits.as_bytes()].concat().into()
}

/// A zone in which the apex and this many names all say the same number.
pub(crate) fn zone(apex: &str, number: u64, names: usize) -> Zone {
    let apex = name(apex);
    let mut draft = Draft::new(apex.clone());
    let place = Place { file: 0, line: 1, column: 1, width: 0 };
    let mut add = |owner: &Name, kind, data: &[u8]| draft.push(owner.borrow(), kind, 300, data, place).unwrap();
    let numbers = [1_u32, 3600, 600, 86400, 300].map(u32::to_be_bytes).concat();
    add(&apex, Kind::SOA, &[b"\x02ns\x00\x02me\x00", &numbers[..]].concat());
    add(&apex, Kind::NS, b"\x02ns\x07example\x00");
    add(&apex, Kind::TXT, &text(number));
    for i in 0..names {
        let owner = Name::parse(format!("host{i:04}.below").as_bytes(), Some(apex.borrow())).unwrap();
        add(&owner, Kind::TXT, &text(number));
    }
    Zone::build(draft).zone.unwrap()
}

/// Makes the apex and the last of the names of a zone of 20 say another number.
pub(crate) fn edit(apex: &str, number: u64) -> Change {
    let set = |name: Name| {
        let after = SetData::new(Kind::TXT, 300, vec![text(number)]);
        SetEdit { name, kind: Kind::TXT, after: Some(after) }
    };
    let last = Name::parse(b"host0019.below", Some(name(apex).borrow())).unwrap();
    Change::EditZone { apex: name(apex), edit: Edit { sets: vec![set(name(apex)), set(last)] } }
}

/// An item that says a number.
pub(crate) fn item(number: u64) -> Change {
    Change::PutItem(Item::Addresses(Arc::new(EdgeAddresses::new([Ipv4Addr::from_bits(number as u32)], []))))
}

/// The number that the item says.
fn item_said(state: &Snapshot) -> Option<u64> {
    state.addresses.as_ref()?.ipv4().first().map(|address| u64::from(address.to_bits()))
}

/// The number that a name says.
fn said(zone: &Zone, owner: &str) -> Option<u64> {
    let owner = Name::parse(owner.as_bytes(), Some(zone.apex())).unwrap();
    let set = zone.node(owner.borrow())?.set(Kind::TXT)?;
    std::str::from_utf8(&set.rdatas().next()?[1..]).ok()?.parse().ok()
}

pub(crate) fn commit(store: &Store, change: Change) -> Result<Done, Refused> {
    store.commit_blocking(change, Actor::new("test", ""))
}

/// Makes a change that must work.
pub(crate) fn make(store: &Store, change: Change) {
    commit(store, change).unwrap();
}

pub(crate) const WRITERS: usize = 6;

fn apex(writer: usize) -> String {
    format!("zone{writer}.example.")
}

/// The change number `number` of a writer: most edit a small zone; one writes a zone of 400 names anew each time
/// and deletes it every fifth time; one edits a zone and puts an item in the same change, and takes the item away every
/// seventh time.
pub(crate) fn change(writer: usize, number: u64) -> Change {
    match (writer, number) {
        (1, 1) => Change::Many(vec![Change::PutZone { zone: Arc::new(zone(&apex(1), 1, 20)) }, item(1)]),
        (1, number) if number % 7 == 0 => Change::Decide(Decision::new(2, move |now| {
            let gone = now.items().map(|item| Change::DeleteItem(item.key()));
            Ok(Change::Many(gone.chain([edit(&apex(1), number)]).collect()))
        })),
        (1, number) => Change::Many(vec![edit(&apex(1), number), item(number)]),
        (0, number) if number % 5 == 0 => Change::DeleteZone { apex: name(&apex(0)) },
        (0, number) => Change::PutZone { zone: Arc::new(zone(&apex(0), number, 400)) },
        (_, 1) => Change::PutZone { zone: Arc::new(zone(&apex(writer), 1, 20)) },
        (_, number) => edit(&apex(writer), number),
    }
}

/// Which change of a writer was the last in this state; fails if one is there in part. A deleted zone does not
/// tell, so it is the first that may have been in `possible`.
fn last_change(state: &Snapshot, writer: usize, mut possible: RangeInclusive<u64>) -> Option<u64> {
    let Some(zone) = state.zones.get(name(&apex(writer)).borrow()) else {
        return possible.find(|number| *number == 0 || (writer == 0 && number % 5 == 0));
    };
    let number = said(zone, "@").expect("the apex says a number");
    let (names, last) = if writer == 0 { (400, "host0399.below") } else { (20, "host0019.below") };
    assert_eq!(said(zone, last), Some(number), "half a change of writer {writer}");
    assert_eq!(zone.name_count(), names + 1);
    if writer == 1 {
        assert_eq!(item_said(state), (!number.is_multiple_of(7)).then_some(number), "zone and item of one change");
    }
    if writer == 0 {
        assert!((0..names).all(|i| said(zone, &format!("host{i:04}.below")) == Some(number)), "half an import");
    }
    Some(number)
}

/// Every change that was acknowledged before is there, and none that had not been begun after; returns the last
/// of each writer.
pub(crate) fn assert_kept(
    state: &Snapshot,
    before: &[u64; WRITERS],
    after: &[u64; WRITERS],
    context: &str,
) -> [u64; WRITERS] {
    std::array::from_fn(|writer| {
        let possible = before[writer]..=after[writer] + 1;
        let last = last_change(state, writer, possible.clone());
        match last {
            Some(last) if possible.contains(&last) => last,
            _ => panic!("{context}: writer {writer}: {last:?} found, which is not one of {possible:?}"),
        }
    })
}

/// All of two states is the same.
pub(crate) fn assert_same(found: &Snapshot, wanted: &Snapshot, context: &str) {
    assert_eq!((found.revision, found.zones.len()), (wanted.revision, wanted.zones.len()), "{context}");
    for (found, wanted) in found.zones.iter().zip(wanted.zones.iter()) {
        assert_eq!(found.nodes().count(), wanted.nodes().count(), "{context}");
        assert!(found.nodes().zip(wanted.nodes()).all(|(found, wanted)| found.same(wanted)), "{context}");
    }
    let items = |state: &Snapshot| state.items().map(|item| (item.key(), item.line())).collect::<Vec<_>>();
    assert_eq!(items(found), items(wanted), "{context}");
}

/// Copies a directory, as it is right now.
pub(crate) fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if let Ok(octets) = std::fs::read(&path) {
            std::fs::write(target, octets).unwrap(); // a file may vanish while it is copied
        }
    }
}

/// All files below a directory.
pub(crate) fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Random numbers that are the same in every run (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}
