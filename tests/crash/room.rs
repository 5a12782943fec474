//! A disk that is full or read-only.

use std::sync::Arc;

use freehold::store::{Refused, Settings, Store};

use crate::disk::{SmallDisk, mount};
use crate::kit::*;

#[test]
fn a_full_disk_refuses_changes_and_nothing_else_and_works_again_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    // Folds and checkpoints happen, and fail, all the time.
    let mut store = Store::open(&Settings { fold_after_size: 1, ..settings(&disk.directory()) }).unwrap();
    for writer in 0..WRITERS {
        commit(&store, change(writer, 1)).unwrap();
    }
    let mut number = 1;
    for round in 0..4 {
        disk.fill();
        let before = store.snapshot();
        let large = Arc::new(zone("large.example.", round, 3000));
        for change in [freehold::store::Change::PutZone { zone: large }, change(0, 2 + round)] {
            let refused = commit(&store, change).expect_err("there is no room");
            assert_eq!(refused, Refused::NotSaved("the disk is full: make room and try again".to_owned()));
        }
        // Small ones may still fit into a page; whatever is acknowledged counts.
        for _ in 0..200 {
            match commit(&store, change(1, number + 1)) {
                Ok(_) => number += 1,
                Err(Refused::NotSaved(reason)) => assert!(reason.starts_with("the disk is full"), "{reason}"),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(store.snapshot().zones.len(), before.zones.len(), "answers go on");
        let (state, left) = (store.snapshot(), tempfile::tempdir().unwrap());
        copy(&disk.directory(), left.path());
        assert_same(&Store::open(&settings(left.path())).unwrap().snapshot(), &state, "killed while the disk is full");
        store.close();
        drop(store);
        store = Store::open(&settings(&disk.directory())).expect("a full disk keeps nobody from starting");
        assert_same(&store.snapshot(), &state, "opened while the disk is full");
        disk.make_room();
        number += 1;
        commit(&store, change(1, number)).expect("there is room again");
        let others = 2 + round;
        (2..WRITERS).for_each(|writer| make(&store, change(writer, others)));
    }
    let state = store.snapshot();
    store.close();
    assert_same(&Store::open(&settings(&disk.directory())).unwrap().snapshot(), &state, "opened again");
}

#[test]
fn whether_there_is_room_is_found_out_without_a_change() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = Store::open(&quiet_settings(&disk.directory())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let check = || runtime.block_on(store.check());
    for number in 1..4 {
        assert_eq!(check(), Ok(()));
        disk.fill();
        assert_eq!(check(), Err(Refused::NotSaved("the disk is full: make room and try again".to_owned())));
        assert!(store.report().failing);
        disk.make_room();
        assert_eq!(check(), Ok(()));
        assert!(!store.report().failing);
        make(&store, change(1, number));
    }
}

#[test]
fn changes_of_one_batch_do_not_fail_with_the_one_that_finds_no_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = &Store::open(&quiet_settings(&disk.directory())).unwrap();
    disk.fill_but(1 << 20);
    let huge = Arc::new(zone("huge.example.", 1, 60_000));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let huge = huge.clone();
            scope.spawn(move || {
                let change = freehold::store::Change::PutZone { zone: huge };
                assert!(matches!(commit(store, change), Err(Refused::NotSaved(_))));
            });
        }
        for writer in 1..WRITERS {
            scope.spawn(move || (1..20).for_each(|number| make(store, change(writer, number))));
        }
    });
}

#[test]
fn a_read_only_disk_is_refused_with_the_cure() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = Store::open(&settings(&disk.directory())).unwrap();
    commit(&store, change(1, 1)).unwrap();
    let state = store.snapshot();
    drop(store);
    assert!(mount(&["-o", "remount,ro"], disk.path()));
    let fault = Store::open(&settings(&disk.directory())).expect_err("read-only").to_string();
    assert!(fault.contains("read-only file system") && fault.contains("mount it writable"), "{fault}");
    assert!(fault.contains(disk.path().to_str().unwrap()) && !fault.contains('\n'), "{fault}");
    assert!(mount(&["-o", "remount,rw"], disk.path()));
    assert_same(&Store::open(&settings(&disk.directory())).unwrap().snapshot(), &state, "writable again");
}
