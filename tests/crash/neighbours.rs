//! A second process on the same directory.

use std::fs;
use std::io::{BufRead, BufReader};

use freehold::store::{OpenFault, Store};

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
