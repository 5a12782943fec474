//! Backups and what becomes of them: the state and its past, whole or not at all.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use freehold::store::{Event, OpenFault, Settings, Snapshot, Store, Wanted, backup};

use crate::kit::*;

fn backed_up(store: &Store) -> (Vec<u8>, std::sync::Arc<Snapshot>) {
    let (mut octets, state) = (Vec::new(), store.snapshot());
    store.backup(&mut octets).unwrap();
    (octets, state)
}

#[test]
fn a_backup_gives_everything_back() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(&place.path().join("data"))).unwrap();
    for writer in 0..WRITERS {
        (1..4).for_each(|number| make(&store, change(writer, number)));
    }
    let (octets, state) = backed_up(&store);
    let (file, restored) = (place.path().join("backup"), place.path().join("restored"));
    fs::write(&file, octets).unwrap();
    backup::restore(&file, &restored).unwrap();
    let store = Store::open(&settings(&restored)).unwrap();
    assert_same(&store.snapshot(), &state, "restored");
    assert_eq!(commit(&store, change(1, 4)).unwrap().revision, state.revision + 1);
    drop(store);
    assert_eq!(Store::open(&settings(&restored)).unwrap().snapshot().revision, state.revision + 1);
    let fault = backup::restore(&file, &restored).map(drop).expect_err("it holds data");
    assert!(matches!(fault, OpenFault::NotEmpty { .. }), "{fault}");
}

fn past(store: &Store) -> Vec<Event> {
    store.history().page(&Wanted { zone: None, before: None, limit: 100_000 }).unwrap().events
}

fn restored(octets: &[u8], place: &Path) -> Store {
    let (file, directory) = (place.join("backup"), place.join("restored"));
    fs::write(&file, octets).unwrap();
    let _ = fs::remove_dir_all(&directory);
    backup::restore(&file, &directory).unwrap();
    Store::open(&Settings { history_size_max: 1 << 30, ..quiet_settings(&directory) }).unwrap()
}

#[test]
fn the_past_comes_back_too_and_can_be_taken_back() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&quiet_settings(&place.path().join("data"))).unwrap();
    for number in 1..8 {
        (0..WRITERS).for_each(|writer| make(&store, change(writer, number)));
    }
    let (octets, state) = backed_up(&store);
    let known = past(&store);
    assert_eq!(known.len() as u64, state.revision);
    // A second generation: what was restored is backed up, changed, and restored again.
    for generation in 0..2 {
        let store = restored(&octets, place.path());
        assert_same(&store.snapshot(), &state, "restored");
        assert_eq!(past(&store), known, "generation {generation}");
        let (again, _) = backed_up(&store);
        let undo = store.history().undo(&name("zone2.example."), state.revision - 3).unwrap();
        assert_eq!(commit(&store, undo).unwrap().revision, state.revision + 1);
        assert_eq!(past(&store)[1..], known);
        let (third, newer) = backed_up(&store);
        drop(store);
        let store = restored(&third, place.path());
        assert_same(&store.snapshot(), &newer, "restored again");
        assert_eq!((past(&store).len(), past(&store)[1..] == known), (known.len() + 1, true));
        drop(store);
        assert_eq!(past(&restored(&again, place.path())), known);
    }
    // A restore that was interrupted leaves the whole state, and less of the past.
    let data = place.path().join("restored");
    drop(restored(&octets, place.path()));
    fs::remove_file(&files(&data.join("journal"))[0]).unwrap();
    let store = Store::open(&settings(&data)).unwrap();
    assert_same(&store.snapshot(), &state, "without a past");
    assert_eq!(past(&store), []);
}

/// Each backup is of one revision, with a past that reaches from there back to where it begins, whatever the writers and the
/// pruning do meanwhile.
#[test]
fn backups_beside_writers_have_no_holes() {
    let place = tempfile::tempdir().unwrap();
    let store = &Store::open(&settings(&place.path().join("data"))).unwrap();
    let done = &AtomicBool::new(false);
    let mut lengths = Vec::new();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                (1..)
                    .take_while(|_| !done.load(Ordering::Relaxed))
                    .for_each(|number| make(store, change(writer, number)));
            });
        }
        let _done = SetOnDrop(done);
        make(store, change(WRITERS, 1)); // so that there is something
        while lengths.len() < 12 {
            let mut octets = Vec::new();
            store.backup(&mut octets).unwrap();
            let restored = restored(&octets, place.path());
            let (revision, past) = (restored.snapshot().revision, past(&restored));
            let first = past.last().map_or(revision + 1, |event| event.revision);
            let revisions: Vec<_> = past.iter().map(|event| event.revision).collect();
            assert_eq!(revisions, (first..=revision).rev().collect::<Vec<_>>());
            lengths.push(past.len());
        }
    });
    eprintln!("changes in the past of each backup: {lengths:?}");
    assert!(lengths.iter().all(|length| *length > 0));
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_backup_without_its_damaged_past_is_a_backup() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let small = Settings { journal_segment_size: 1, ..quiet_settings(&directory) };
    let store = Store::open(&small).unwrap();
    (1..8).for_each(|number| make(&store, change(2, number)));
    let third = &files(&directory.join("journal"))[2];
    let mut octets = fs::read(third).unwrap();
    *octets.last_mut().unwrap() ^= 1;
    fs::write(third, octets).unwrap();
    let (octets, state) = backed_up(&store);
    let store = restored(&octets, place.path());
    assert_same(&store.snapshot(), &state, "restored");
    let revisions: Vec<_> = past(&store).iter().map(|event| event.revision).collect();
    assert_eq!(revisions, [7, 6, 5, 4]);
}

#[test]
fn a_backup_with_any_octet_changed_is_refused_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&settings(&place.path().join("data"))).unwrap();
    commit(&store, change(1, 1)).unwrap();
    commit(&store, change(2, 1)).unwrap();
    let (octets, _) = backed_up(&store);
    let (file, restored) = (place.path().join("backup"), place.path().join("restored"));
    let assert_refused = |octets: &[u8], context: &str| {
        fs::write(&file, octets).unwrap();
        assert!(backup::restore(&file, &restored).is_err(), "{context}");
        assert!(!restored.exists(), "{context}");
    };
    for at in 0..octets.len() {
        for bits in [1, 0x80, 0xff] {
            let mut damaged = octets.clone();
            damaged[at] ^= bits;
            assert_refused(&damaged, &format!("octet {at}"));
        }
        assert_refused(&octets[..at], &format!("cut to {at}"));
    }
    assert_refused(&[&octets[..], b"x"].concat(), "one more");
    fs::write(&file, &octets).unwrap();
    backup::restore(&file, &restored).unwrap();
}
