//! What a change costs: from `commit` to "on disk and served", in zones of 100 and of 1,000,000 names, with one writer
//! and with 32, on a real disk.
//!
//! Run with `cargo bench --bench commit`. The disk decides most of it, so its own part is shown beside: a small append
//! and `fdatasync` on the same file system, before each commit.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot go on should stop right there")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant};

use freehold::store::{Actor, Change, Settings, Store};
use freehold::wire::{Kind, Name};
use freehold::zone::{Draft, Edit, Place, SetData, SetEdit, Zone};

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 2] = [100, 1_000_000];
const CHANGES: usize = 1_000;
const WRITERS: usize = 32;
const THROUGHPUT_TIME: Duration = Duration::from_secs(2);
const APEX: &str = "bench.example";
const PLACE: Place = Place { file: 0, line: 1, column: 1, width: 0 };

fn main() {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for names in SIZES {
        let store = filled(&home.path().join(names.to_string()), names);
        println!("{:<40} {:>9} {:>9} {:>9}", format!("{names} names, milliseconds"), "p50", "p99", "longest");
        latencies(&store, names, &home.path().join("sync")).show();
        let one = throughput(&store, names, 1);
        let many = throughput(&store, names, WRITERS);
        println!("  commits a second: {one:.0} with one writer, {many:.0} with {WRITERS} ({:.1} times)", many / one);
    }
}

/// A store with one zone. It is closed and opened again, so that the import has been folded away before we measure.
fn filled(directory: &Path, names: usize) -> Store {
    let settings = Settings { directory: directory.to_owned(), ..Settings::default() };
    let store = Store::open(&settings).unwrap();
    store.commit_blocking(Change::PutZone { zone: Arc::new(zone(names)) }, Actor::new("bench", "")).unwrap();
    store.close();
    drop(store);
    Store::open(&settings).unwrap()
}

fn name(text: &str) -> Name {
    let origin: Name = APEX.parse().unwrap();
    Name::parse(text.as_bytes(), Some(origin.borrow())).unwrap()
}

fn zone(names: usize) -> Zone {
    let mut draft = Draft::new(name("@"));
    let mut put = |owner: &str, kind: Kind, rdata: &[u8]| {
        draft.push(name(owner).borrow(), kind, 300, rdata, PLACE).unwrap();
    };
    let server = name("ns1").as_bytes().to_vec();
    let timers: Vec<u8> = [1_u32, 3600, 900, 1_209_600, 300].iter().flat_map(|timer| timer.to_be_bytes()).collect();
    put("@", Kind::SOA, &[&server[..], &server, &timers].concat());
    put("@", Kind::NS, &server);
    put("ns1", Kind::A, &[192, 0, 2, 1]);
    (0..names).for_each(|number| put(&format!("h{number}"), Kind::A, &[10, 0, 0, 1]));
    Zone::build(draft).zone.unwrap()
}

/// One name gets an address that no change before gave it.
fn change(names: usize, number: u64) -> Change {
    let owner = name(&format!("h{}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % names as u64));
    let address = (number as u32 | 0x8000_0000).to_be_bytes();
    let after = Some(SetData::new(Kind::A, 300, vec![address.into()]));
    Change::EditZone { apex: name("@"), edit: Edit { sets: vec![SetEdit { name: owner, kind: Kind::A, after }] } }
}

/// Numbers for changes that are all different, over the whole run.
fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn commit(store: &Store, names: usize) {
    let done = store.commit_blocking(change(names, fresh()), Actor::new("bench", "")).unwrap();
    assert!(done.changed);
}

/// Of each change: how long the disk alone took just before, until it was seen, until it was acknowledged.
#[derive(Default)]
struct Times {
    sync: Vec<Duration>,
    seen: Vec<Duration>,
    commit: Vec<Duration>,
}

impl Times {
    fn show(self) {
        show("append 200 octets and fdatasync, alone", self.sync);
        show("commit, until the snapshot has it", self.seen);
        show("commit, until it returns", self.commit);
    }
}

/// One writer, and a thread that watches what the server answers from.
fn latencies(store: &Store, names: usize, path: &Path) -> Times {
    let (snapshots, first) = (store.snapshots(), store.snapshot().revision + 1);
    let mut file = File::create(path).unwrap();
    let mut times = Times::default();
    scope(|scope| {
        let watcher = scope.spawn(move || {
            let seen = |revision| {
                while snapshots.load().revision < revision {
                    std::thread::yield_now();
                }
                Instant::now()
            };
            (first..first + CHANGES as u64).map(seen).collect::<Vec<_>>()
        });
        let mut begun = Vec::new();
        for _ in 0..CHANGES {
            let start = Instant::now();
            file.write_all(&[7; 200]).unwrap();
            file.sync_data().unwrap();
            times.sync.push(start.elapsed());
            begun.push(Instant::now());
            commit(store, names);
            times.commit.push(begun[begun.len() - 1].elapsed());
        }
        let seen = watcher.join().unwrap();
        times.seen = begun.into_iter().zip(seen).map(|(begun, seen)| seen - begun).collect();
    });
    times
}

/// Commits a second with so many writers, each of which waits for its own.
fn throughput(store: &Store, names: usize, writers: usize) -> f64 {
    let start = Instant::now();
    let count = AtomicU64::new(0);
    scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                while start.elapsed() < THROUGHPUT_TIME {
                    commit(store, names);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("  {what:<38} {:>9.3} {:>9.3} {:>9.3}", at(0.5), at(0.99), at(1.0));
}
