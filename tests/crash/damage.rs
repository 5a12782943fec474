//! Files deleted, damaged, cut short: the whole state comes back, or the store does not open and says which file
//! and why. Never a part of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use freehold::store::{OpenFault, Settings, Snapshot, Store};

use crate::kit::*;

/// A data directory with everything in it: sled at some revision, a checkpoint, several segments with changes behind
/// both, as a killed process leaves it.
struct Ruin {
    place: tempfile::TempDir,
    state: Arc<Snapshot>,
}

impl Ruin {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let (whole, live) = (place.path().join("whole"), place.path().join("live"));
        let work = |store: &Store, numbers: std::ops::Range<u64>| {
            for number in numbers {
                (0..WRITERS).for_each(|writer| make(store, change(writer, number)));
            }
        };
        let store = Store::open(&settings(&live)).unwrap();
        work(&store, 1..8);
        wait_for(|| live.join("checkpoint").exists());
        store.close();
        let store = Store::open(&Settings { journal_segment_size: 4 << 10, ..quiet_settings(&live) }).unwrap();
        work(&store, 8..10);
        copy(&live, &whole);
        let state = store.snapshot();
        Self { place, state }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Breaks a copy and opens it.
    fn open(&self, break_it: impl FnOnce(&Path)) -> Result<Store, OpenFault> {
        let copied = self.path("copy");
        copy(&self.path("whole"), &copied);
        break_it(&copied);
        Store::open(&quiet_settings(&copied))
    }

    fn assert_healed(&self, context: &str, break_it: impl FnOnce(&Path)) {
        let store = self.open(break_it).unwrap_or_else(|fault| panic!("{context}: {fault}"));
        assert_same(&store.snapshot(), &self.state, context);
        commit(&store, change(1, 10)).unwrap();
        let state = store.snapshot();
        store.close();
        assert_same(&Store::open(&quiet_settings(&self.path("copy"))).unwrap().snapshot(), &state, context);
    }

    /// The refusal is one line that names the file.
    fn assert_refused(&self, file: &str, break_it: impl FnOnce(&Path)) {
        let fault = self.open(break_it).map(|store| store.snapshot().revision).expect_err(file);
        assert!(fault.to_string().contains(file) && !fault.to_string().contains('\n'), "{fault}");
        eprintln!("{fault}");
    }
}

fn wait_for(condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed().as_secs() < 60, "it never came");
        std::thread::yield_now();
    }
}

fn journal(directory: &Path) -> Vec<PathBuf> {
    files(&directory.join("journal"))
}

fn flip(path: &Path, at: usize, bits: u8) {
    let mut octets = fs::read(path).unwrap();
    octets[at] ^= bits;
    fs::write(path, octets).unwrap();
}

/// One of many ways to damage a file.
fn damage(path: &Path, random: &mut Random) {
    let old = fs::read(path).unwrap();
    let (mut new, at) = (old.clone(), random.below(old.len()));
    match random.below(5) {
        0 => new[at] ^= 1 << random.below(8),
        1 => new.iter_mut().skip(at).take(512).for_each(|octet| *octet = random.below(256) as u8),
        2 => new.iter_mut().skip(at).take(4096).for_each(|octet| *octet = 0),
        3 => new.truncate(at),
        _ => new.extend_from_slice(&old[at..]),
    }
    fs::write(path, &new).unwrap();
}

#[test]
fn sled_deleted_or_damaged_is_rebuilt() {
    let ruin = Ruin::new();
    ruin.assert_healed("nothing broken", |_| ());
    ruin.assert_healed("sled deleted", |directory| fs::remove_dir_all(directory.join("sled")).unwrap());
    for file in files(&ruin.path("whole").join("sled")) {
        let file = file.strip_prefix(ruin.path("whole")).unwrap();
        ruin.assert_healed(&format!("{} deleted", file.display()), |copy| fs::remove_file(copy.join(file)).unwrap());
    }
    for seed in 0..150 {
        let mut random = Random(seed);
        ruin.assert_healed(&format!("sled damaged, seed {seed}"), |directory| {
            let files = files(&directory.join("sled"));
            let files: Vec<_> = files.iter().filter(|file| file.metadata().unwrap().len() > 0).collect();
            damage(files[random.below(files.len())], &mut random);
        });
    }
}

#[test]
fn a_damaged_sled_is_kept_as_evidence() {
    let ruin = Ruin::new();
    let sled = |directory: &Path| {
        let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("sled.damaged-")).count()
    };
    let nonsense = |directory: &Path| {
        files(&directory.join("sled")).iter().for_each(|file| fs::write(file, b"nonsense").unwrap());
    };
    drop(ruin.open(nonsense).unwrap());
    assert_eq!(sled(&ruin.path("copy")), 1);
}

#[test]
fn a_damaged_checkpoint_is_written_anew() {
    let ruin = Ruin::new();
    for seed in 0..20 {
        let mut random = Random(seed);
        let store = ruin.open(|directory| damage(&directory.join("checkpoint"), &mut random)).unwrap();
        assert_same(&store.snapshot(), &ruin.state, "checkpoint damaged");
        let checkpoint = ruin.path("copy").join("checkpoint");
        let restored = ruin.path("restored");
        wait_for(|| {
            let _ = fs::remove_dir_all(&restored);
            freehold::store::backup::restore(&checkpoint, &restored).is_ok()
        });
    }
}

#[test]
fn without_sled_and_checkpoint_it_is_refused() {
    let ruin = Ruin::new();
    assert!(!ruin.path("whole/journal/00000000000000000001.journal").exists(), "the journal was pruned");
    for checkpoint_deleted in [true, false] {
        ruin.assert_refused("checkpoint", |directory| {
            fs::remove_dir_all(directory.join("sled")).unwrap();
            match checkpoint_deleted {
                true => fs::write(directory.join("checkpoint"), b"").unwrap(),
                false => flip(&directory.join("checkpoint"), 1000, 1),
            }
        });
    }
    ruin.assert_refused("journal", |directory| {
        fs::remove_dir_all(directory.join("sled")).unwrap();
        fs::remove_file(directory.join("checkpoint")).unwrap();
    });
}

#[test]
fn a_journal_in_which_a_segment_is_missing_is_refused() {
    let ruin = Ruin::new();
    let segments = journal(&ruin.path("whole"));
    assert!(segments.len() >= 3);
    let (last, middle) = (&segments[segments.len() - 1], &segments[segments.len() - 2]);
    for segment in [last, middle] {
        let name = segment.file_name().unwrap().to_str().unwrap();
        let remove = |directory: &Path| fs::remove_file(directory.join("journal").join(name)).unwrap();
        ruin.assert_refused(if segment == last { name } else { "journal" }, remove);
    }
    ruin.assert_refused("journal", |directory| fs::remove_dir_all(directory.join("journal")).unwrap());
    // Who removes the note accepts the loss, and gets all that is known besides.
    let store = ruin
        .open(|directory| {
            fs::remove_dir_all(directory.join("journal")).unwrap();
            fs::remove_file(directory.join("journal.newest")).unwrap();
        })
        .unwrap();
    let revision = store.snapshot().revision;
    assert!(revision > 0 && revision < ruin.state.revision);
    assert_eq!(commit(&store, change(1, 99)).unwrap().revision, revision + 1);
}

#[test]
fn damage_in_the_journal_is_healed_or_refused() {
    let ruin = Ruin::new();
    let (mut healed, mut refused) = (0, 0);
    let segments = journal(&ruin.path("whole"));
    for seed in 0..150 {
        let mut random = Random(seed);
        let segment = &segments[random.below(segments.len())];
        let last = segment == &segments[segments.len() - 1];
        // The last batch is left out: damage to it cannot be told from a write that was torn.
        let size = segment.metadata().unwrap().len() as usize - if last { 400 } else { 0 };
        let at = random.below(size);
        let name = segment.file_name().unwrap();
        match ruin.open(|directory| flip(&directory.join("journal").join(name), at, 1 << random.below(8))) {
            Ok(store) => {
                assert_same(&store.snapshot(), &ruin.state, &format!("seed {seed}"));
                healed += 1;
            }
            Err(fault) => {
                assert!(fault.to_string().contains(name.to_str().unwrap()), "seed {seed}: {fault}");
                refused += 1;
            }
        }
    }
    eprintln!("{healed} healed, {refused} refused");
    assert!(healed > 10 && refused > 10);
}

#[test]
fn after_a_clean_close_no_damage_to_the_journal_matters() {
    let ruin = Ruin::new();
    drop(ruin.open(|_| ()).unwrap()); // which brings sled up to date
    let whole = ruin.path("closed");
    fs::rename(ruin.path("copy"), &whole).unwrap();
    let segments = journal(&whole);
    for seed in 0..60 {
        let mut random = Random(seed);
        let copied = ruin.path("copy");
        copy(&whole, &copied);
        let name = segments[random.below(segments.len())].file_name().unwrap();
        let path = copied.join("journal").join(name);
        let size = path.metadata().unwrap().len() as usize;
        flip(&path, 24 + random.below(size - 24), 0xff);
        for time in ["first", "second"] {
            let store = Store::open(&quiet_settings(&copied)).unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
            assert_same(&store.snapshot(), &ruin.state, &format!("seed {seed}, {time}"));
            wait_for(|| copied.join("checkpoint").exists());
        }
    }
}

/// The tail of the journal cut at every offset within the last changes gives the state before the one that is torn.
#[test]
fn a_torn_tail_gives_the_state_before_it() {
    let place = tempfile::tempdir().unwrap();
    let (live, whole, copied) = (place.path().join("live"), place.path().join("whole"), place.path().join("copy"));
    let store = Store::open(&quiet_settings(&live)).unwrap();
    commit(&store, change(1, 1)).unwrap();
    let segment = journal(&live).remove(0);
    let mut states = vec![(segment.metadata().unwrap().len(), store.snapshot())];
    for number in 2..4 {
        commit(&store, change(1, number)).unwrap();
        states.push((segment.metadata().unwrap().len(), store.snapshot()));
    }
    copy(&live, &whole);
    let name = segment.file_name().unwrap();
    for size in states[0].0..=states[2].0 {
        copy(&whole, &copied);
        let file = fs::OpenOptions::new().write(true).open(copied.join("journal").join(name)).unwrap();
        file.set_len(size).unwrap();
        let (_, wanted) = states.iter().rev().find(|(end, _)| *end <= size).unwrap();
        let store = Store::open(&quiet_settings(&copied)).unwrap();
        assert_same(&store.snapshot(), wanted, &format!("cut to {size}"));
    }
}
