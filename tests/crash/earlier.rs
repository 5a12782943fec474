//! What earlier versions wrote is read for ever. `version1` was left by the first version, killed: sled has revision 2, the
//! checkpoint 2, the journal goes on to 5; and a backup of that.

use std::fs::{self, OpenOptions};
use std::path::Path;

use freehold::store::{Actor, Shape, Snapshot, Store, Wanted, backup};

use crate::kit::*;

/// sled allocates its file in pieces of this size; what is only zeros is not kept among the sources.
const SLED_FILE_SIZE: u64 = 524_287;

fn version1(to: &Path) {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/version1"), to);
    fs::create_dir_all(to.join("sled/blobs")).unwrap(); // empty, so not among the sources
    let sled = OpenOptions::new().write(true).open(to.join("sled/db")).unwrap();
    sled.set_len(SLED_FILE_SIZE).unwrap();
}

fn assert_version1(state: &Snapshot, context: &str) {
    let zones: Vec<_> = state.zones.iter().map(|zone| (zone.apex().to_string(), zone.serial())).collect();
    assert_eq!((state.revision, state.items().count()), (5, 0), "{context}");
    assert_eq!(zones, [("one.example.".to_owned(), 2), ("three.example.".to_owned(), 7)], "{context}");
}

#[test]
fn version_1_is_read_whatever_is_left_of_it() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let broken: [(&str, &[&str]); 4] = [
        ("all", &[]),
        ("no sled", &["sled"]),
        ("no checkpoint", &["checkpoint"]),
        ("only the journal", &["sled", "checkpoint"]),
    ];
    for (context, gone) in broken {
        version1(&directory);
        for name in gone {
            let path = directory.join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        let store = Store::open(&settings(&directory)).unwrap();
        assert_version1(&store.snapshot(), context);
        let history = store.history().page(&Wanted { zone: None, before: None, limit: 9 }).unwrap();
        let told: Vec<_> =
            history.events.iter().map(|event| (event.revision, event.zones[0].shape, event.actor.clone())).collect();
        let root = Actor::new("cli:root", "");
        let want = [
            (5, Shape::Create, root.clone()),
            (4, Shape::Delete, Actor::new("cli:ann", "")),
            (3, Shape::Alter, root.clone()),
            (2, Shape::Create, root.clone()),
            (1, Shape::Create, root),
        ];
        assert_eq!(told, want, "{context}");
        // It goes on from there in the present form, and comes back from it.
        make(&store, item(1));
        make(&store, store.history().undo(&name("two.example"), 4).unwrap());
        let state = store.snapshot();
        store.close();
        assert_same(&Store::open(&settings(&directory)).unwrap().snapshot(), &state, context);
    }
}

#[test]
fn a_backup_of_version_1_is_restored() {
    let place = tempfile::tempdir().unwrap();
    let (files, directory) = (place.path().join("files"), place.path().join("data"));
    version1(&files);
    assert_version1(&backup::restore(&files.join("backup"), &directory).unwrap(), "read");
    assert_version1(&Store::open(&settings(&directory)).unwrap().snapshot(), "restored");
}
