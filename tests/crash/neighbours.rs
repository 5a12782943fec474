//! A second process on the same directory; backups and what becomes of them.

use std::fs;
use std::io::{BufRead, BufReader};

use freehold::store::{OpenFault, Snapshot, Store, backup};

use crate::kit::*;

#[test]
fn a_second_process_is_refused_and_told_who_has_it() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let mut child = crate::kill::spawn("kill::child_that_holds", &directory, &[]);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("open")));
    let fault = Store::open(&settings(&directory)).expect_err("it is held");
    assert!(matches!(&fault, OpenFault::Locked { process, .. } if *process == child.id().to_string()), "{fault}");
    child.kill().unwrap();
    child.wait().unwrap();
    let store = Store::open(&settings(&directory)).unwrap();
    Store::open(&settings(&directory)).expect_err("held by this very process");
    drop(store);
    Store::open(&settings(&directory)).unwrap();
}

#[test]
fn only_the_owner_can_read_the_data() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let store = Store::open(&settings(&directory)).unwrap();
    commit(&store, change(1, 1)).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&directory.join("journal"))), (0o700, 0o700));
    for file in files(&directory.join("journal")) {
        assert_eq!(mode(&file), 0o600);
    }
}

fn backed_up(store: &Store) -> (Vec<u8>, std::sync::Arc<Snapshot>) {
    let (mut octets, state) = (Vec::new(), store.snapshot());
    backup::write(&state, &mut octets).unwrap();
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
