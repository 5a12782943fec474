//! Power cuts. A witness in the store keeps what the disk has promised: the content of each file when it was last
//! synced, and the names in each directory when that was. A cut is a new directory made of just that, or of that and
//! a random part of what has been written since, by sectors of 512 octets and by names: a disk may have written what it
//! did not promise, in any order. The store then opens what is left.
//!
//! This needs no special device and no root, and it cuts in the middle of anything, sled's own writes included:
//! what sled writes counts as lost until our own sync of its files.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use freehold::store::{Refused, Step, Store};

use crate::kit::*;

/// What the disk has promised.
#[derive(Default)]
struct Promised {
    /// By inode. The open file keeps the number from being used again.
    contents: HashMap<u64, (File, Vec<u8>)>,
    /// Files and directories by path.
    names: BTreeMap<PathBuf, u64>,
}

struct Platter {
    live: PathBuf,
    promised: Mutex<Promised>,
}

impl Platter {
    fn new(live: &Path) -> Arc<Self> {
        fs::create_dir_all(live).unwrap();
        Arc::new(Self { live: live.to_owned(), promised: Mutex::default() })
    }

    fn see(&self, step: Step<'_>) -> io::Result<()> {
        let mut promised = self.promised.lock().unwrap();
        match step {
            Step::Syncing(_) => (),
            Step::Synced(path) => {
                let Ok(file) = File::open(path) else { return Ok(()) };
                let inode = file.metadata()?.ino();
                let octets = read_all(&file);
                promised.contents.insert(inode, (file, octets));
            }
            Step::DirectorySynced(directory) => {
                promised.names.retain(|path, _| path.parent() != Some(directory));
                promised.names.extend(listed(directory));
            }
        }
        Ok(())
    }

    /// Makes a directory of what a cut leaves, right now.
    fn cut(&self, to: &Path, random: &mut Random, some_unsynced: bool) {
        let promised = self.promised.lock().unwrap();
        let _ = fs::remove_dir_all(to);
        fs::create_dir_all(to).unwrap();
        let mut names = promised.names.clone();
        if some_unsynced {
            let live = listed_below(&self.live);
            names.retain(|path, _| live.contains_key(path) || random.below(2) == 0);
            for (path, inode) in live {
                if random.below(2) == 0 {
                    names.insert(path, inode);
                }
            }
        }
        for (path, inode) in names {
            let target = to.join(path.strip_prefix(&self.live).unwrap());
            if !target.parent().unwrap().is_dir() {
                continue; // the directory itself was not promised
            }
            if path.is_dir() {
                fs::create_dir(&target).unwrap();
                continue;
            }
            let old = promised.contents.get(&inode);
            let old_octets = old.map_or(&[][..], |(_, octets)| octets);
            let octets = match some_unsynced {
                false => old_octets.to_vec(),
                true => {
                    let new = old.map(|(file, _)| read_all(file)).or_else(|| fs::read(&path).ok()).unwrap_or_default();
                    mixed(old_octets, &new, random)
                }
            };
            fs::write(target, octets).unwrap();
        }
    }
}

/// Each sector from before or after; the length from either.
fn mixed(old: &[u8], new: &[u8], random: &mut Random) -> Vec<u8> {
    let size = [old.len(), new.len()][random.below(2)];
    let mut octets = vec![0; size];
    for (at, sector) in octets.chunks_mut(512).enumerate() {
        let from = [old, new][random.below(2)];
        let from = from.get(at * 512..).unwrap_or_default();
        let size = from.len().min(sector.len());
        sector[..size].copy_from_slice(&from[..size]);
    }
    octets
}

fn read_all(file: &File) -> Vec<u8> {
    let mut octets = vec![0; file.metadata().unwrap().len() as usize];
    let mut filled = 0;
    while filled < octets.len() {
        match file.read_at(&mut octets[filled..], filled as u64).unwrap() {
            0 => break, // it was cut meanwhile
            size => filled += size,
        }
    }
    octets.truncate(filled);
    octets
}

fn listed(directory: &Path) -> BTreeMap<PathBuf, u64> {
    let Ok(entries) = fs::read_dir(directory) else { return BTreeMap::new() };
    entries.flatten().filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.ino()))).collect()
}

fn listed_below(directory: &Path) -> BTreeMap<PathBuf, u64> {
    let mut all = listed(directory);
    let below: Vec<_> = all.keys().filter(|path| path.is_dir()).cloned().collect();
    all.extend(below.iter().flat_map(|path| listed_below(path)));
    all
}

#[test]
fn no_acknowledged_change_is_lost_when_the_power_is_cut() {
    let place = tempfile::tempdir().unwrap();
    let platter = Platter::new(&place.path().join("data"));
    let witness = platter.clone();
    let store = Store::open_watched(&settings(&platter.live), Arc::new(move |step| witness.see(step))).unwrap();
    let acknowledged: [AtomicU64; WRITERS] = Default::default();
    let stop = AtomicBool::new(false);
    let mut cuts = 0;
    std::thread::scope(|scope| {
        for (writer, acknowledged) in acknowledged.iter().enumerate() {
            let (store, stop) = (&store, &stop);
            scope.spawn(move || {
                for number in 1.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    commit(store, change(writer, number)).unwrap();
                    acknowledged.store(number, Ordering::SeqCst);
                }
            });
        }
        let _stop = StopOnDrop(&stop);
        let (start, mut random, left) = (Instant::now(), Random(7), place.path().join("left"));
        let look = || acknowledged.each_ref().map(|number| number.load(Ordering::SeqCst));
        while start.elapsed() < duration() {
            let before = look();
            platter.cut(&left, &mut random, cuts % 3 != 0);
            let after = look();
            let store = Store::open(&settings(&left)).unwrap_or_else(|fault| panic!("cut {cuts}: {fault}"));
            assert_kept(&store.snapshot(), &before, &after, &format!("cut {cuts}"));
            cuts += 1;
            std::thread::sleep(Duration::from_millis(random.below(40) as u64)); // cut at different moments
        }
    });
    eprintln!("{cuts} cuts, changes per writer: {acknowledged:?}");
    assert!(cuts >= 5);
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// When a sync fails, what was to be synced is refused, nothing of it is ever seen, and the next change works without
/// a restart, whatever the kernel has made of the pages (it may have dropped them, or written them after all).
#[test]
fn a_failed_sync_refuses_the_change_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let failures = Arc::new(AtomicU64::new(0));
    let counted = failures.clone();
    let witness = Arc::new(move |step: Step<'_>| match step {
        Step::Syncing(path) if path.extension().is_some_and(|end| end == "journal") => {
            match counted.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
                Ok(_) => Err(io::Error::from_raw_os_error(5)),
                Err(_) => Ok(()),
            }
        }
        Step::Syncing(_) | Step::Synced(_) | Step::DirectorySynced(_) => Ok(()),
    });
    let store = Store::open_watched(&quiet_settings(&directory), witness).unwrap();
    commit(&store, change(1, 1)).unwrap();
    for number in 2..20 {
        let before = store.snapshot();
        failures.store(1 + number % 2, Ordering::SeqCst);
        let refused = commit(&store, change(1, 1000 + number)).unwrap_err();
        assert!(matches!(&refused, Refused::NotSaved(reason) if reason.contains("input/output error")), "{refused}");
        assert_same(&store.snapshot(), &before, "after the refusal");
        let left = place.path().join("left");
        copy(&directory, &left);
        assert_same(&Store::open(&quiet_settings(&left)).unwrap().snapshot(), &before, "killed after the refusal");
        failures.store(0, Ordering::SeqCst);
        let done = commit(&store, change(1, number)).unwrap();
        assert_eq!(done.revision, before.revision + 1);
    }
    let state = store.snapshot();
    store.close();
    assert_same(&Store::open(&quiet_settings(&directory)).unwrap().snapshot(), &state, "opened again");
}
